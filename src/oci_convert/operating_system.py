"""Where operating systems differ. No other module asks which one this is.

``docs/other-systems.md`` says what follows from it for users, and what was never run.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from _thread import interrupt_main
from contextlib import suppress
from pathlib import Path
from threading import Lock, main_thread
from typing import BinaryIO, Final, NamedTuple

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "FOLDER",
    "NO_FOLLOW",
    "OPEN",
    "drive",
    "end_group",
    "flags_to_flush",
    "lock",
    "no_file_name",
    "own_like",
    "read_at",
    "share_blocks",
    "sync",
    "system",
    "user_number",
    "wait_for_reader",
    "wake_main_thread",
]


class System(NamedTuple):
    """What this one has and has not; tests take some of it away."""

    windows: bool = os.name == "nt"
    """Paths have drives, names are restricted, and folders cannot be opened."""
    beneath: bool = hasattr(os, "fwalk") and os.readlink in os.supports_dir_fd
    """A name can be opened relative to an open folder, which nobody can exchange meanwhile."""
    locks: bool = fcntl is not None
    """A folder can be locked: several runs may write into one store."""
    clones: bool = sys.platform == "linux" and hasattr(fcntl, "ioctl")
    """A file can share the blocks of another one (``FICLONE``)."""
    reads_at: bool = hasattr(os, "preadv")
    """A file can be read at a place without moving where it stands."""
    wakes: bool = hasattr(signal, "pthread_kill")
    """A signal can be passed on to a thread."""


system: System = System()
"""This one."""

OPEN: Final = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a pipe instead of a file must not block the run
    | getattr(os, "O_BINARY", 0)
)
"""Flags to open files of an image."""
FOLDER: Final = OPEN | getattr(os, "O_DIRECTORY", 0)
"""The same for folders, and for nothing else."""
NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)

_FICLONE: Final = 0x40049409
_PAUSE: Final = 0.01
_DRIVE: Final = r"[A-Za-z]:[\\/]"  # not compiled: every start would wait for it
_DEVICES: Final = r"(?is)(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[1-9¹²³])( *[.:].*)?"
"""Names that mean a device in every folder, whatever their ending."""
_NOT_IN_NAMES: Final = r'[<>:"|?*\\\x00-\x1f]'


# -- names --------------------------------------------------------------------------------------


def drive(path: str) -> str:
    """``C:`` of a Windows path that begins with a drive; elsewhere there are none."""
    return path[:2] if system.windows and re.match(_DRIVE, path) else ""


def no_file_name(path: str) -> str | None:
    """The part of a relative path, with slashes, that can name no file here; ``None``: all can.

    Windows takes such names for something else: a stream of another file, a device, a folder.
    """
    if not system.windows:
        return None
    for part in path.split("/"):
        restricted = re.search(_NOT_IN_NAMES, part) or re.fullmatch(_DEVICES, part)
        if restricted or (part.endswith((".", " ")) and part not in (".", "..")):
            return part
    return None


# -- files --------------------------------------------------------------------------------------


def lock(descriptor: int, patience: float | None = None) -> None:
    """Lock an open folder until it is closed, where :attr:`System.locks`.

    Raises :class:`BlockingIOError` if another process holds it for ``patience`` seconds.
    """
    if patience is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise
            time.sleep(_PAUSE)
        else:
            return


def share_blocks(source: BinaryIO, target: BinaryIO) -> bool:
    """Let ``target`` share the blocks of ``source``, where the file system can."""
    if not system.clones:
        return False
    try:
        fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
    except OSError:  # also what has no number
        return False
    return True


def read_at(descriptor: int, buffer: memoryview, at: int, turn: Lock) -> int:
    """Fill ``buffer`` from byte ``at``; how many bytes there were. ``turn`` is one of the file."""
    if system.reads_at:
        return os.preadv(descriptor, [buffer], at)
    with turn:
        os.lseek(descriptor, at, os.SEEK_SET)
        data = os.read(descriptor, len(buffer))
        buffer[: len(data)] = data
        return len(data)


def sync(descriptor: int) -> None:
    """Bring a file to the disk. On macOS ``fsync`` brings it only to the drive's own memory."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        with suppress(OSError):  # network file systems have none
            fcntl.fcntl(descriptor, full)
            return
    os.fsync(descriptor)


def flags_to_flush(path: Path) -> int | None:
    """How to open what is to be brought to the disk; ``None`` for a folder that cannot be opened.

    Where that is so, on Windows, it need not be.
    """
    if not system.windows:
        return OPEN
    return None if path.is_dir() else os.O_RDWR


def own_like(path: Path, status: os.stat_result) -> None:
    """Give a file the owner of another one, where there are owners and that is permitted."""
    if hasattr(os, "chown"):
        with suppress(PermissionError):
            os.chown(path, status.st_uid, status.st_gid)


def wait_for_reader(descriptor: int) -> None:
    """Let writes to a pipe wait for its reader; Windows has that since Python 3.12."""
    if hasattr(os, "set_blocking"):
        os.set_blocking(descriptor, True)


# -- processes ----------------------------------------------------------------------------------


def end_group(process: int) -> None:
    """Kill a process that leads a group, with all that it has started; elsewhere nothing."""
    if hasattr(os, "killpg"):
        with suppress(OSError):
            os.killpg(process, signal.SIGKILL)


def user_number() -> int | None:
    """The number of the user; ``None`` where users have none."""
    return os.getuid() if hasattr(os, "getuid") else None


def wake_main_thread(number: int) -> None:
    """Pass a signal on to the main thread; not all systems end what it waits for."""
    if system.wakes:
        signal.pthread_kill(main_thread().ident or 0, number)
    else:
        interrupt_main(signal.Signals(number))
