"""``prove``: whether an image is the conversion of one that somebody signed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from oci_convert.cli.app import Jobs, Json, Limit, Quiet, Source, app, print_json
from oci_convert.cli.progress import progress
from oci_convert.cli.status import DONE, NO

__all__ = ["prove"]


@app.command()
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
    _limit: Limit = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show that an image is the faithful conversion of one that somebody signed.

    Exit status 0 says proved, 3 says not. Example: oci-convert prove oci:layout:app --original
    sha256:80277bed3790930c746fc404e2b419e7789c1270b60b198384a5954d1c581663
    """
    from oci_convert.cli.show.proof import proof as show_proof
    from oci_convert.journey.prove import prove as run

    # A digest is never taken for the name of a file: a file can say anything.
    given = original if re.match("sha[0-9]+:", original) else Path(original).read_bytes()
    with progress(wanted=not quiet) as on_progress:
        proof = run(source, given, jobs=jobs, on_progress=on_progress)
    if as_json:
        print_json(proof.to_json())
    else:
        show_proof(proof)
    raise typer.Exit(DONE if proof.proved else NO)
