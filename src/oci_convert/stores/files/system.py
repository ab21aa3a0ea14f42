"""Errors of the operating system as errors of the library: one table, one translation.

Inside the library an :class:`OSError` is not changed; where it is raised, it gets a path.
:func:`system_errors` translates it where a call of the library ends.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from oci_convert.errors import StoreError, UsageError
from oci_convert.stores.files.run_folder import UNFINISHED
from oci_convert.text.wording import Wording

__all__ = [
    "REFUSALS",
    "Refusal",
    "cannot_read",
    "check_parent",
    "system_error",
    "system_errors",
]


class Refusal(NamedTuple):
    """An error of the operating system."""

    errnos: tuple[int, ...]
    message: str
    remedy: str


REFUSALS: Final[dict[str, Refusal]] = {
    "no-space": Refusal(
        (errno.ENOSPC,), "the disk is full", "free space there, or choose another path"
    ),
    "quota-exceeded": Refusal(
        (errno.EDQUOT,), "the quota is used up", "free space there, or choose another path"
    ),
    "file-too-large": Refusal(
        (errno.EFBIG,),
        "the file is larger than its file system or a limit of the process allows",
        "choose another file system, or raise the limit (ulimit -f)",
    ),
    "read-only": Refusal((errno.EROFS,), "the file system is read-only", "choose another path"),
    "not-permitted": Refusal(
        (errno.EACCES, errno.EPERM),
        "permission denied",
        "check the owner and the permissions",
    ),
    "path-too-long": Refusal(
        (errno.ENAMETOOLONG,),
        "the name is too long for the file system",
        "choose a shorter path",
    ),
    "too-many-links": Refusal(
        (errno.EMLINK,),
        "the file has too many links",
        Wording("choose another path, or leave out {link=True}"),
    ),
    "too-many-files": Refusal(
        (errno.EMFILE, errno.ENFILE),
        "too many files are open",
        Wording("give fewer {jobs}, or raise the limit (ulimit -n)"),
    ),
    "reader-gone": Refusal(
        (errno.EPIPE,),
        "the reader of the archive ended",
        "check why it ended",
    ),
    "not-found": Refusal((errno.ENOENT,), "no such file or directory", "check the path"),
    "not-a-folder": Refusal(
        (errno.ENOTDIR,), "a part of the path is not a directory", "check the path"
    ),
    "in-the-way": Refusal(
        (errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR),
        "the path is in use",
        "move it away, or choose another path",
    ),
    "link-loop": Refusal((errno.ELOOP,), "a loop of symbolic links", "check the links in the path"),
    "other-file-system": Refusal(
        (errno.EXDEV,),
        "the directory is on another file system than its parent",
        "a store must be on one file system; choose another path",
    ),
    "io-error": Refusal(
        (errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE),
        "input/output error of the disk",
        "check the disk",
    ),
}
"""From code to error of the system; ``system-error`` is the code of all others."""

_OTHER: Final = "system-error"
_BY_ERRNO: Final = {
    number: (code, refusal) for code, refusal in REFUSALS.items() for number in refusal.errnos
}
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def system_error(error: OSError, *, needed: int | None = None, note: str = "") -> StoreError:
    """An error of the system as an error of the library, with its path.

    ``needed`` are the bytes that a full disk lacks; ``note`` is added to the message.
    """
    path = error.filename if error.filename2 is None else error.filename2
    where = "" if path is None or isinstance(path, int) else _lasting(os.fsdecode(path))
    unknown = Refusal((), error.strerror or str(error), "fix the cause, then run it again")
    code, refusal = _BY_ERRNO.get(error.errno or 0, (_OTHER, unknown))
    message = refusal.message
    if error.errno in _FULL:
        message += _room(where, needed)
    if note:
        message += f" ({note})"
    return StoreError(message, code=code, where=where, remedy=refusal.remedy)


def cannot_read(
    what: str, error: OSError | UnicodeDecodeError, where: str, remedy: str
) -> StoreError:
    """The error of a file that holds no image, such as a list of jobs, and cannot be read."""
    why = system_error(error).message if isinstance(error, OSError) else "it is no UTF-8"
    message = f"the {what} cannot be read: {why}"
    return StoreError(message, code="cannot-read", where=where, remedy=remedy)


def check_parent(path: Path, option: str) -> None:
    """Raise :class:`UsageError` where a new file has no directory that it could be in."""
    if not path.parent.is_dir():
        raise UsageError(
            f"there is no directory {str(path.parent)!r}",
            code="no-such-directory",
            where=option,
            remedy="create it first, or choose another one",
        )


@contextmanager
def system_errors(
    needed: Callable[[], int | None] = lambda: None, note: str = ""
) -> Iterator[None]:
    """Raise errors of the system as :class:`StoreError`.

    The :class:`OSError` is its cause. ``needed`` returns the bytes that are still to be written. An
    error without a path is not of a store, and is not changed.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        raise system_error(error, needed=needed(), note=note) from error


def _lasting(path: str) -> str:
    """The path without the name of an unfinished file, which is gone by the time it is read."""
    parts = Path(path).parts
    for at, part in enumerate(parts):
        if part == UNFINISHED or part.startswith(f"{UNFINISHED}-"):  # also of a record
            return str(Path(*parts[:at]))
    return path


def _room(where: str, needed: int | None) -> str:
    """The bytes that are needed and those that are free, as far as they are known."""
    said = [] if needed is None else [f"up to {needed} more bytes are needed"]
    path = Path(where)
    with suppress(OSError):
        for folder in (path, *path.parents):
            if folder != Path() and folder.exists():  # "standard output" is in no folder
                said.append(f"{shutil.disk_usage(folder).free} are free")
                break
    return f": {', '.join(said)}" if said else ""
