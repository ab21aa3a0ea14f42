"""``prove``: whether an image is the conversion of one that somebody signed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from oci_convert.cli.app import (
    Debug,
    FollowLinks,
    Jobs,
    Json,
    Limit,
    Quiet,
    Source,
    app,
    print_json,
)
from oci_convert.cli.help import Command
from oci_convert.cli.progress import progress
from oci_convert.cli.registry_options import Registries, takes_registries
from oci_convert.cli.status import DONE, NO

__all__ = ["prove"]


@app.command(
    cls=Command,
    short_help="Show that an image is the conversion of a signed one.",
    epilog="0 proved; 1 failed; 2 wrong usage; 3 not proved, or not decidable",
)
@takes_registries()
def prove(
    source: Source,
    *,
    original: Annotated[
        str,
        typer.Option(
            metavar="sha256:…|FILE", help="What was signed: a digest, a manifest, or a record."
        ),
    ],
    jobs: Jobs = None,
    follow_links: FollowLinks = False,
    registries: Registries,
    _limit: Limit = None,
    _debug: Debug = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show that an image is the faithful conversion of one that somebody signed.

    Example: oci-convert prove oci:layout:app --original manifest.json
    """
    from oci_convert.cli.show.proof import proof as show_proof
    from oci_convert.proof.prove import prove as run

    # A digest is never taken for the name of a file: a file can say anything.
    given = original if re.match("sha[0-9]+:", original) else Path(original).read_bytes()
    with progress(wanted=not quiet) as on_progress:
        proof = run(
            registries.source(source),
            given,
            follow_links=follow_links,
            jobs=jobs,
            on_progress=on_progress,
        )
    if as_json:
        print_json(proof.to_json())
    else:
        show_proof(proof)
    raise typer.Exit(DONE if proof.proved else NO)
