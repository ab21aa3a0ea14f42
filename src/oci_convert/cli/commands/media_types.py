"""``media-types``: the compatibility matrix."""

from __future__ import annotations

import sys

from oci_convert.cli.app import Debug, Json, app, print_json
from oci_convert.cli.help import Command

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
    from oci_convert.spec.matrix import Matrix, matrix, other_spellings, text

    if as_json:
        print_json(Matrix(tuple(matrix()), other_spellings()).to_json())
    else:
        sys.stdout.write(text())
