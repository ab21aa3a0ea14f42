"""Where files grow until they are complete: ``.oci-convert/<run>/``, a folder locked by its run.

The lock of the run's folder says that the run lives; whoever begins removes what dead runs left.
The lock of the root is held for moments only, by whoever makes or removes folders in it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Final

from oci_convert.ground.errors import StoreError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no flock: runs there must not overlap
    fcntl = None  # type: ignore[assignment]

__all__ = ["UNFINISHED", "RunFolder", "flush"]

UNFINISHED: Final = ".oci-convert"
"""The folder of unfinished files, in the root of the target; for an archive beside it."""

_FLUSH_THREADS: Final = 8
_ATTEMPTS: Final = 100
"""How often to make a folder that others remove, before believing that it cannot be made."""
_OPEN: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_FOLDER: Final = _OPEN | getattr(os, "O_DIRECTORY", 0)


class RunFolder:
    """The folder of one run in a root; both are made when they are first needed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path: Path | None = None
        self._lock: int | None = None
        self._serial = 0
        self._guard = Lock()
        self._held = False
        """The lock of the root is held: by a commit, which may be the first to write a file."""
        self.made: list[Path] = []
        """The folders that this run made and that are to stay, outermost first."""

    def file(self) -> Path:
        """A name for an unfinished file. May be called from several threads at once."""
        with self._guard:
            if self._path is None:
                self._begin()
            assert self._path is not None
            self._serial += 1
            return self._path / str(self._serial)

    def scratch(self) -> BinaryIO:
        """An empty file to write and read, without a name: it is gone once it is closed."""
        path = self.file()
        file = open(path, "x+b", buffering=0)  # noqa: SIM115 - closed by the caller
        with suppress(PermissionError):  # Windows removes it at the end of the run
            path.unlink()
        return file

    def _begin(self) -> None:
        """Make the folder of this run, lock it, and sweep those of dead runs."""
        with self.locked():
            unfinished = self._root / UNFINISHED
            _make_real_folder(unfinished)
            for leftover in unfinished.iterdir():
                _sweep(leftover)
            self._path = unfinished / secrets.token_hex(8)
            self._path.mkdir()
            self._lock = _lock_folder(self._path, wait=True)

    def make(self, path: Path) -> None:
        """Make a folder, unless somebody else was faster."""
        with suppress(FileExistsError):
            path.mkdir()
            self.made.append(path)

    def _make_root(self) -> None:
        missing = [path for path in (self._root, *self._root.parents) if not path.exists()]
        for path in reversed(missing):
            self.make(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the root, which is made if it is not there; again is as good as once."""
        if self._held:
            yield
            return
        attempts = 0
        while True:
            # A failed run may remove the folder before or while this one waits for its lock.
            try:
                self._make_root()
                lock = _lock_folder(self._root, wait=True)
            except FileNotFoundError:
                attempts += 1
                if attempts == _ATTEMPTS:
                    raise
                continue
            if lock is None or _same_file(lock, self._root):
                break
            os.close(lock)
        self._held = True
        try:
            yield
        finally:
            self._held = False
            if lock is not None:
                os.close(lock)

    def end(self) -> bool:
        """Remove the unfinished files; says whether no other run is writing here.

        To be called with the root locked. Dead runs were swept when this one began.
        """
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            if self._lock is not None:
                os.close(self._lock)
            self._path = self._lock = None
            with suppress(OSError):
                (self._root / UNFINISHED).rmdir()
        return not (self._root / UNFINISHED).exists()

    def remove_made(self) -> None:
        """Remove the folders that this run made, as far as they are empty; with the root locked."""
        for path in reversed(self.made):
            with suppress(OSError):
                path.rmdir()

    def close(self) -> None:
        """End the run if it has not ended."""
        if self._path is not None:
            with self.locked():
                if self.end():
                    self.remove_made()


def flush(paths: Iterable[Path]) -> None:
    """Bring files and folders to the disk, all together."""
    with ThreadPoolExecutor(_FLUSH_THREADS) as pool:
        list(pool.map(_flush, paths))


def _flush(path: Path) -> None:
    descriptor = os.open(path, _OPEN)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_real_folder(path: Path) -> None:
    with suppress(FileExistsError):
        path.mkdir()
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        raise StoreError(
            f"{path.name} is not a folder",
            code="not-a-folder",
            where=str(path.parent),
            remedy="it is where unfinished files go; move away what stands there",
        )


def _lock_folder(path: Path, *, wait: bool) -> int | None:
    """Lock a folder; closing the returned file descriptor lets go. ``None``: no locks here.

    Raises :class:`BlockingIOError` if another process holds it and ``wait`` is false.
    """
    if fcntl is None:
        return None
    descriptor = os.open(path, _FOLDER)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _sweep(leftover: Path) -> None:
    """Remove what a dead run left; what is locked belongs to a living one."""
    if leftover.is_symlink() or not leftover.is_dir():
        leftover.unlink(missing_ok=True)
        return
    try:
        lock = _lock_folder(leftover, wait=False)
    except OSError:
        return
    shutil.rmtree(leftover, ignore_errors=True)
    if lock is not None:
        os.close(lock)
