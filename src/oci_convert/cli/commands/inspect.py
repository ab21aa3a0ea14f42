"""``inspect``: what a source holds."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from oci_convert.cli.app import Debug, FollowLinks, Json, Limit, Source, app, print_json
from oci_convert.cli.each import each
from oci_convert.cli.help import Command
from oci_convert.cli.registry_options import Registries, takes_registries

__all__ = ["inspect"]


@app.command(
    cls=Command,
    short_help="Show the images of a source as trees.",
    epilog="0 shown; 1 failed; 2 wrong usage",
)
@takes_registries()
def inspect(
    source: Source,
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Show complete digests and media types.")
    ] = False,
    as_graph: Annotated[
        bool, typer.Option("--graph", help="Print the tree as a diagram for Mermaid.")
    ] = False,
    follow_links: FollowLinks = False,
    registries: Registries,
    _limit: Limit = None,
    _debug: Debug = False,
    as_json: Json = False,
) -> None:
    """Show images as trees: media types, digests, sizes, platforms, names, problems.

    Example: oci-convert inspect oci:layout:app
    """
    from oci_convert.inspection.inspect import inspect as run

    ask = partial(run, follow_links=follow_links)
    for store, inspection in each(registries.source(source), ask, follow_links=follow_links):
        if as_json:
            print_json(inspection.to_json(), indent=None if store else 2)
        elif as_graph:
            from oci_convert.cli.show.graph import graph

            graph(inspection)
        else:
            from oci_convert.cli.show.tree import tree

            tree(inspection, full=full, title=store)
