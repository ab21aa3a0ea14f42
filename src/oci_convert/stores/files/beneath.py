"""Names opened beneath a folder: links may lead anywhere inside of it, never out.

Names are opened part by part, each relative to the folder that was opened before, so that what
another process replaces a part with meanwhile is not followed either. Systems that open
nothing relative to a folder (Windows) get the best that paths can do: what they lead to is looked
at first, and opened then.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias

from oci_convert import operating_system
from oci_convert.operating_system import FOLDER, NO_FOLLOW, OPEN

__all__ = ["LeftError", "files_beneath", "files_through_links", "open_beneath"]

_LINK_LIMIT: Final = 40
_Level: TypeAlias = tuple[str, list[str], list[str]]
"""A folder, the folders in it, of which those that are taken out are not looked into, its files."""


class LeftError(Exception):
    """A name is, or goes through, a link that leads out of the folder."""


def open_beneath(root: Path, name: str) -> int:
    """Open ``name`` for reading; raises :class:`OSError` or :class:`LeftError`.

    Links that go round in circles are an :class:`OSError` with ``ELOOP``.
    """
    opened = _open_by_folders if operating_system.system.beneath else _open_by_path
    return opened(root, name)


def files_beneath(root: Path, folder: str, skip: str) -> Iterator[str]:
    """The names of what is no folder, at any depth below ``folder``, but for ``skip`` in the root.

    No link below leads anywhere: a folder that is one holds nothing. The same exceptions.
    """
    walk = _walk_by_folders if operating_system.system.beneath else _walk_by_path
    for parent, folders, files in walk(root, folder):
        inside = (PurePosixPath(folder) / parent).as_posix()
        if inside == "." and skip in folders:
            folders.remove(skip)
        yield from (name if inside == "." else f"{inside}/{name}" for name in files)


def files_through_links(root: Path, folder: str, skip: str) -> Iterator[str]:
    """The same, and what is below links to folders, wherever these are; no folder twice."""
    top = root / folder
    seen = set()
    for parent, folders, files in os.walk(top, onerror=_unless_absent, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        inside = (PurePosixPath(folder) / Path(parent).relative_to(top).as_posix()).as_posix()
        if inside == "." and skip in folders:
            folders.remove(skip)
        yield from (name if inside == "." else f"{inside}/{name}" for name in files)


def _open_by_folders(root: Path, name: str) -> int:
    parts = list(PurePosixPath(name).parts)
    folders = [os.open(root, FOLDER)]
    links = 0
    try:
        while parts:
            part = parts.pop(0)
            if part == "..":
                if len(folders) == 1:
                    raise LeftError
                os.close(folders.pop())
                continue
            link = _link_target(part, folders[-1])
            if link is None:
                flags = (FOLDER if parts else OPEN) | NO_FOLLOW
                opened = os.open(part, flags, dir_fd=folders[-1])
                if not parts:
                    return opened
                folders.append(opened)
                continue
            links += 1
            if links > _LINK_LIMIT:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if link.startswith("/"):
                raise LeftError
            parts = [*PurePosixPath(link).parts, *parts]
        return os.dup(folders[-1])
    finally:
        for folder in folders:
            os.close(folder)


def _link_target(part: str, folder: int) -> str | None:
    try:
        return os.readlink(part, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError:
        return None


def _walk_by_folders(root: Path, folder: str) -> Iterator[_Level]:
    top = _open_by_folders(root, folder)
    try:
        if stat.S_ISDIR(os.fstat(top).st_mode):
            for parent, folders, files, _ in os.fwalk(dir_fd=top, onerror=_unless_absent):
                yield parent, folders, files
    finally:
        os.close(top)


def _open_by_path(root: Path, name: str) -> int:
    return os.open(_resolved(root, name), OPEN)


def _walk_by_path(root: Path, folder: str) -> Iterator[_Level]:
    top = _resolved(root, folder)
    for parent, folders, files in os.walk(top, onerror=_unless_absent) if top.is_dir() else ():
        yield Path(parent).relative_to(top).as_posix(), folders, files


def _resolved(root: Path, name: str) -> Path:
    if operating_system.no_file_name(name) is not None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    top = root.resolve(strict=True)
    try:
        path = (top / name).resolve(strict=True)
    except RuntimeError:  # how Python before 3.13 tells circles
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
    if not path.is_relative_to(top):
        raise LeftError
    return path


def _unless_absent(error: OSError) -> None:
    """A folder that has just gone is as good as an empty one; one that cannot be read is not."""
    if not isinstance(error, FileNotFoundError):
        raise error
