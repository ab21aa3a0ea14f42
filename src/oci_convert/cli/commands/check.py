"""``check``: would a registry, a runtime or a platform take an image."""

from __future__ import annotations

from typing import Annotated

import typer

from oci_convert.cli import show
from oci_convert.cli.app import Debug, FollowLinks, Json, Limit, Quiet, Source, app, print_json
from oci_convert.cli.help import Command
from oci_convert.cli.registry_options import Registries, takes_registries
from oci_convert.cli.show.text import Style, Text
from oci_convert.cli.spelling import spelled
from oci_convert.cli.status import DONE, NO

__all__ = ["check"]


@app.command(
    cls=Command,
    short_help="Ask whether a target would take an image.",
    epilog="0 fits, as far as it is known; 1 failed; 2 wrong usage; 3 would be refused",
)
@takes_registries()
def check(
    source: Source,
    *,
    targets: Annotated[
        list[str],
        typer.Option(
            "--for",
            metavar="PROFILE",
            help="A target that profiles lists, or a TOML file; after commas more.",
        ),
    ],
    follow_links: FollowLinks = False,
    registries: Registries,
    _limit: Limit = None,
    _debug: Debug = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask whether a registry, a runtime or a platform would take an image; nothing is sent there.

    Example: oci-convert check oci:layout:app --for containerd,zot
    """
    from oci_convert.profiles.check import check as run
    from oci_convert.profiles.check import remedy_of
    from oci_convert.profiles.schema import names_in

    found = run(registries.source(source), names_in(targets), follow_links=follow_links)
    for breach in () if quiet else found.breaches:
        more = f" and {breach.places - 1} more" if breach.places > 1 else ""
        show.tell(
            Text(breach.profile, Style.ERROR)
            + f": {breach.where}{more}: {breach.found}; {breach.says} "
            + f"({breach.evidence.value} {breach.seen}); {spelled(remedy_of(breach))}"
        )
    if as_json:
        print_json(found.to_json())
    else:
        refused = dict.fromkeys(breach.profile for breach in found.breaches)
        show.say(
            Text("fits", Style.GOOD)
            if found.fits
            else Text("would be refused", Style.ERROR) + f" by {', '.join(refused)}"
        )
    raise typer.Exit(DONE if found.fits else NO)
