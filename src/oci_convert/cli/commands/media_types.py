"""``media-types``: the compatibility matrix."""

from __future__ import annotations

import sys

from oci_convert.cli.app import Debug, Json, app, print_json
from oci_convert.cli.help import Command
from oci_convert.spec.matrix import matrix, other_spellings, text

__all__ = ["media_types"]


@app.command(
    "media-types",
    cls=Command,
    short_help="Print the media types of each format side by side.",
    epilog="0 printed; 2 wrong usage",
)
def media_types(*, _debug: Debug = False, as_json: Json = False) -> None:
    """Print the compatibility matrix: the media types of each format side by side.

    Example: oci-convert media-types --json
    """
    if as_json:
        rows = [row.to_json() for row in matrix()]
        print_json({"version": 1, "matrix": rows, "other_spellings": other_spellings()})
    else:
        sys.stdout.write(text())
