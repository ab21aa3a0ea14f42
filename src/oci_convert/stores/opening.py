"""What names a store, and opening what it holds: what every verb begins with."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeAlias

from oci_convert.errors import StoreError, located
from oci_convert.spec.names import find
from oci_convert.stores.base import Root, Sink, SinkStore, Source, SourceOptions, SourceStore
from oci_convert.stores.children import child_root
from oci_convert.stores.files.base import Scratch
from oci_convert.stores.files.file import temporary
from oci_convert.stores.files.system import system_errors
from oci_convert.stores.references import Reference, bare, parse

__all__ = [
    "SinkLike",
    "SourceLike",
    "check_apart",
    "each_store",
    "opened",
    "sink_store",
    "source_store",
    "source_stores",
]

SourceLike: TypeAlias = str | PathLike[str] | SourceStore
"""What images are read from: a reference, a path, or a store object."""
SinkLike: TypeAlias = str | PathLike[str] | SinkStore
"""What images are written to: a reference, a path, or a store object."""

_DIR: Final = "dir"
_MARKS: Final = (("oci-layout", "index.json"), ("version", "manifest.json"))
"""Files by which a folder certainly is a layout or a ``dir:``."""
_MEMBERS: Final[dict[type, tuple[str, ...]]] = {
    SourceStore: ("ref", "source"),
    SinkStore: ("ref", "default_family", "sink"),
}


@contextmanager
def opened(
    store: SourceLike, scratch: Scratch = temporary, *, follow_links: bool = False
) -> Iterator[tuple[SourceStore, Source, Sequence[Root]]]:
    """A source and those of its images that the store means: the one that it names, else all.

    ``scratch`` makes the file that a compressed or piped archive is unpacked to; ``follow_links``
    is for stores whose files are links to elsewhere.
    """
    found, options = source_store(store), SourceOptions(scratch, follow_links)
    with system_errors(), found.source(options) as source, located(source.label):
        ref = found.ref
        yield found, source, list(source.roots()) if ref is None else [_meant(source, ref)]


def _meant(source: Source, ref: str) -> Root:
    """The image that ``ref`` means: one of the store, or by its digest one that an index lists."""
    try:
        return find(source.roots(), ref, source.label)
    except StoreError as error:
        child = child_root(source, ref) if error.code == "unknown-reference" else None
        if child is None:
            raise
        return child


def source_store(given: SourceLike) -> SourceStore:
    """What ``given`` names; raises :class:`UsageError` if it is misspelt, else :class:`TypeError`.

    A text is a reference; a path is a path, whatever it looks like.
    """
    found: SourceStore = _named(given) or _kept(given, SourceStore)
    return found


def sink_store(given: SinkLike) -> SinkStore:
    """The same for what is written to."""
    found: SinkStore = _named(given, destination=True) or _kept(given, SinkStore)
    return found


def source_stores(given: SourceLike | Iterable[SourceLike]) -> list[SourceLike]:
    """One or several, each of which :func:`source_store` takes, unless it is misspelt."""
    untyped: Any = given  # what is no store at all is told below
    if isinstance(untyped, str | PathLike) or _keeps(untyped, SourceStore):
        return [untyped]
    several = untyped if isinstance(untyped, Iterable) and not _is_data(untyped) else (untyped,)
    return [one if isinstance(one, str | PathLike) else _kept(one, SourceStore) for one in several]


def check_apart(source: SourceLike, target: SinkStore) -> None:
    """Raise :class:`ValueError` if an archive is to be written to the file that it is read from."""
    file = getattr(target, "file", None)
    if file is not None and getattr(source, "file", None) is file:
        raise ValueError("one file object cannot be read and written at once: write to another one")


def each_store(given: SourceLike, *, follow_links: bool = False) -> list[SourceLike]:
    """The stores in a folder that is none itself (:func:`stores_in`); else what was given.

    ``dir:`` may be such a folder, too: what ``skopeo sync`` writes is a tree of ``dir:`` images.
    """
    meant = _named(given)
    if not isinstance(meant, Reference) or meant.transport not in (None, _DIR):
        return [given]
    if not Path(meant.path).is_dir():
        return [given]
    if any(all(Path(meant.path, name).is_file() for name in marks) for marks in _MARKS):
        return [given]
    from oci_convert.stores.collections import stores_in  # few sources are folders of images

    found = [*stores_in(meant.path, follow_links=follow_links)]
    if not found or Path(found[0].path).samefile(meant.path):
        return [given]
    if meant.transport and not any(one.transport == _DIR for one in found):
        return [given]  # who opens it is told what is there
    return [*found]


def _is_data(given: object) -> bool:
    """Whether this is bytes or a file, which may look like several of something."""
    return isinstance(given, bytes | bytearray | memoryview) or hasattr(given, "read")


def _named(given: object, *, destination: bool = False) -> Any:
    if isinstance(given, str) and given.startswith("docker://"):
        from oci_convert.stores.registry.image import image_of

        return image_of(given, destination=destination)
    if isinstance(given, str):
        return parse(given, destination=destination)
    return bare(os.fsdecode(given)) if isinstance(given, PathLike) else None


def _keeps(given: object, contract: type[Any]) -> bool:
    """What ``isinstance`` says of a protocol, in a tenth of its time."""
    return all(hasattr(given, name) for name in _MEMBERS[contract])


def _kept(given: object, contract: type[Any]) -> Any:
    """The object, if it keeps the contract."""
    if isinstance(given, type):
        raise TypeError(f"{given.__name__} is a class; a store is an object: {given.__name__}(…)")
    if isinstance(given, Source | Sink):
        raise TypeError(f"{type(given).__name__} is what a store opens: give the store itself")
    if _keeps(given, contract):
        return given
    kind = type(given).__name__
    if isinstance(given, bytes | bytearray | memoryview):
        raise TypeError(
            f"{kind} is not a store: an archive is DockerArchive(io.BytesIO(…)) or "
            "OciArchive(io.BytesIO(…)), the files of a layout are Memory({name: data})"
        )
    if _is_data(given):
        raise TypeError(f"a file is not a store: it is DockerArchive({kind}) or OciArchive({kind})")
    lacking = [name for name in _MEMBERS[contract] if not hasattr(given, name)]
    raise TypeError(
        f"a store is a reference, a path, or an object of oci_convert.stores.{contract.__name__}; "
        f"{kind} has no {' and no '.join(lacking)}"
    )
