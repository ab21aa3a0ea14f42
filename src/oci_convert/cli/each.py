"""One question to each store of a folder: what cannot be answered does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import typer

from oci_convert.cli import show
from oci_convert.cli.spelling import line_of_error
from oci_convert.cli.status import FAILED
from oci_convert.errors import OciConvertError

if TYPE_CHECKING:
    from oci_convert.stores.opening import SourceLike

__all__ = ["each"]

T = TypeVar("T")


def each(
    source: SourceLike, ask: Callable[[SourceLike], T], *, follow_links: bool
) -> Iterator[tuple[str, T]]:
    """What ``ask`` answers of each store that ``source`` means, with the name of the store.

    The name is empty where ``source`` is a store, and its error is that of the command. In a folder
    errors are told as they come, and make the command fail when all was asked.
    """
    from oci_convert.stores.opening import each_store

    stores = each_store(source, follow_links=follow_links)
    if stores == [source]:
        yield "", ask(source)
        return
    failed = False
    for store in stores:
        try:
            answer = ask(store)
        except OciConvertError as error:
            failed = True
            show.complain(line_of_error(error))
        else:
            yield str(store), answer
    if failed:
        raise typer.Exit(FAILED)
