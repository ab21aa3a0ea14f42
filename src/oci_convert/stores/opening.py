"""Opening the images of a store, however it is named: what every verb begins with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike, fspath

from oci_convert.spec.names import find
from oci_convert.stores.base import Root, Source
from oci_convert.stores.files.base import Scratch
from oci_convert.stores.files.system import system_errors
from oci_convert.stores.memory import Memory
from oci_convert.stores.references import Reference, open_source, parse, temporary

__all__ = ["Store", "opened", "ref_of", "reference_of"]

Store = str | PathLike[str] | Memory
"""How a store is named: a reference, a path, or a store object."""


@contextmanager
def opened(
    store: Store, scratch: Scratch = temporary
) -> Iterator[tuple[Reference | Memory, Source, Sequence[Root]]]:
    """A source and those of its images that the reference means: the one it names, else all.

    ``scratch`` makes the file that a compressed or piped archive is unpacked to.
    """
    reference = reference_of(store)
    with system_errors(), open_source(reference, scratch) as source:
        yield reference, source, _select(source, reference)


def _select(source: Source, reference: Reference | Memory) -> Sequence[Root]:
    roots, ref = source.roots(), ref_of(reference)
    return roots if ref is None else [find(roots, ref, source.label)]


def reference_of(store: Store) -> Reference | Memory:
    """What ``store`` names; raises :class:`UsageError` if it is misspelt."""
    return store if isinstance(store, Memory) else parse(fspath(store))


def ref_of(reference: Reference | Memory) -> str | None:
    """The REF of a reference: the one image that it means; ``None`` for all."""
    return None if isinstance(reference, Memory) else reference.ref
