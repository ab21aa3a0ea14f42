"""Folders of images: what a mirror, ``skopeo sync`` or years of ``docker save`` leave behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Final

from oci_convert.spec.names import is_repository_tag
from oci_convert.stores.files.archive_names import is_tar_name
from oci_convert.stores.files.folder import Folder
from oci_convert.stores.files.system import system_errors
from oci_convert.stores.recognition import StoreKind, kinds_at
from oci_convert.stores.references import Reference

__all__ = ["stores_in"]

_VERSION: Final = b"Directory Transport Version: "
"""How the file ``version`` of a ``dir:`` begins."""


def stores_in(folder: str | PathLike[str], *, follow_links: bool = False) -> Iterator[Reference]:
    """Every image store below a folder, however deep, in the order of their paths.

    Layouts, ``dir:`` images, extracted archives, what is left of one whose writing was interrupted,
    and files that are named as a tar, packed or not; whether these hold images shows when they are
    opened. What is inside of a store is a part of it.
    A ``dir:`` whose path is a repository with a tag, as ``skopeo sync`` writes
    ``HOST/APP:TAG``, has that name. What begins with a dot is passed over, and so are links to
    folders unless ``follow_links``. A folder that is a store itself gives that one.

    They come as they are found, and nothing is opened meanwhile. Raises :class:`StoreError` where
    the system refuses to list a folder.
    """
    top = Path(folder)
    store = _store_at(top, top)
    if store is not None:
        yield store
        return
    yield from _below(top, top, follow_links=follow_links, inside=())


def _below(
    folder: Path, top: Path, *, follow_links: bool, inside: tuple[tuple[int, int], ...]
) -> Iterator[Reference]:
    """``inside`` identifies the folders above, to which no link may lead again."""
    with system_errors():
        status = folder.stat()
        with os.scandir(folder) as entries:
            listed = sorted((it for it in entries if it.name[0] != "."), key=lambda it: it.name)
    here = (status.st_dev, status.st_ino)
    if here in inside:
        return
    for entry in listed:
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=follow_links):
            store = _store_at(path, top)
            if store is not None:
                yield store
            else:
                yield from _below(path, top, follow_links=follow_links, inside=(*inside, here))
        elif is_tar_name(entry.name) and entry.is_file():
            yield Reference(None, str(path))


def _store_at(folder: Path, top: Path) -> Reference | None:
    """The store that a folder is, if it is one."""
    # A store of links is one, too; whoever opens it is told what follows them.
    kinds = kinds_at(folder, follow_links=True)
    if not kinds:
        transport = _begun(folder)
        return None if transport is None else Reference(transport, str(folder))
    name = folder.relative_to(top).as_posix() if kinds[0] is StoreKind.DIRECTORY else ""
    transport, *_ = kinds[0].transports(Folder(folder))
    return Reference(transport, str(folder), name=name if is_repository_tag(name) else None)


def _begun(folder: Path) -> str | None:
    """The transport of a store that lacks the list of its images: somebody must be told of it."""
    if (folder / "oci-layout").is_file():
        return "oci"
    with suppress(OSError), (folder / "version").open("rb") as file:
        if file.read(len(_VERSION)) == _VERSION:
            return "dir"
    return None
