"""``inspect``: what a source holds."""

from __future__ import annotations

from oci_convert.cli import show
from oci_convert.cli.app import Json, Limit, Source, app, print_json

__all__ = ["inspect"]


@app.command()
def inspect(source: Source, *, _limit: Limit = None, as_json: Json = False) -> None:
    """Show the tree: kinds, media types, digests, sizes, platforms, names.

    Example: oci-convert inspect oci:layout:app
    """
    from oci_convert.journey.inspect import inspect as run

    inspection = run(source)
    if as_json:
        print_json(inspection.to_json())
    else:
        show.tree(inspection)
