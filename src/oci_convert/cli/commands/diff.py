"""``diff``: two images side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from oci_convert.cli import show
from oci_convert.cli.app import (
    Debug,
    FollowLinks,
    Jobs,
    Json,
    Limit,
    Verbose,
    app,
    complete_reference,
    print_json,
)
from oci_convert.cli.help import Command
from oci_convert.cli.progress import progress
from oci_convert.cli.registry_options import Registries, takes_registries
from oci_convert.cli.status import DONE, NO

__all__ = ["diff"]


@app.command(
    cls=Command,
    short_help="Show in what two images differ.",
    epilog="0 equal, or equal except for the format; 1 failed; 2 wrong usage; 3 different",
)
@takes_registries()
def diff(
    left: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="An image: oci:PATH[:REF], dir:PATH, docker-archive:FILE[:REF], …",
            autocompletion=complete_reference,
        ),
    ],
    right: Annotated[
        str,
        typer.Argument(
            metavar="B",
            help="Another image, in any format.",
            autocompletion=complete_reference,
        ),
    ],
    *,
    jobs: Jobs = None,
    follow_links: FollowLinks = False,
    registries: Registries,
    _limit: Limit = None,
    _debug: Debug = False,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the answer.")] = False,
) -> None:
    """Show in what two images differ: config, layers, platforms, media types, annotations.

    The answer is equal, equal except for the format, or different.

    Example: oci-convert diff app.tar oci:layout:app
    """
    from oci_convert.cli.show import diff as shown
    from oci_convert.comparison.diff import diff as run

    with progress(wanted=not quiet) as on_progress:
        found = run(
            registries.source(left),
            registries.source(right),
            follow_links=follow_links,
            jobs=jobs,
            on_progress=on_progress,
        )
    if not quiet:
        show.findings(found.findings, every=verbose)
    if as_json:
        print_json(found.to_json())
    else:
        if not quiet:
            shown.diff(found)
        shown.answer(found)
    raise typer.Exit(DONE if found.same else NO)
