"""Where files grow until they are complete: ``.oci-convert/<run>/``, a folder locked by its run.

The lock of a run's directory shows that the run is alive; each run, at its begin and end, removes
what killed runs left. The lock of the root is held only to make or remove directories in it.
What is locked are the directories themselves: files of locks, as ``filelock`` makes, would stay.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final

from oci_convert import operating_system
from oci_convert.errors import OciConvertError, StoreError
from oci_convert.stores.files.file import File, naming
from oci_convert.stores.files.paths import cleaned

__all__ = ["UNFINISHED", "RunFolder", "flush", "make_real_folder"]

UNFINISHED: Final = ".oci-convert"
"""The folder of unfinished files, in the root of the target; for an archive beside it."""

_FLUSH_THREADS: Final = 8
_ATTEMPTS: Final = 100
"""How often to make a folder that others remove, before believing that it cannot be made."""
_PATIENCE: Final = 0.5
"""Seconds that a run which ends waits for the lock: what holds it longer than moments hangs."""
_LEFT: Final = ".left"
"""The end of the name of a note, by which a run that fails leaves what it made to another one."""


class RunFolder:
    """The folder of one run in a root; both are made when they are first needed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path: Path | None = None
        self._lock: int | None = None
        self._begun = False
        self._serial = 0
        self._guard = Lock()
        self._held = False
        """The lock of the root is held: by a commit, which may be the first to write a file."""
        self.made: list[Path] = []
        """The folders that this run made and that are to stay, outermost first."""

    def begin(self) -> Path:
        """The folder of this run; it is made unless it is there."""
        with self._guard:
            return self._begin() if self._path is None else self._path

    def file(self) -> Path:
        """A name for an unfinished file. May be called from several threads at once."""
        folder = self.begin()
        with self._guard:
            self._serial += 1
            return folder / str(self._serial)

    def scratch(self) -> File:
        """An empty file to write and read, without a name: it is gone once it is closed."""
        path = self.file()
        file = File(path, "x+b")
        with suppress(OSError):  # where that cannot be, as on Windows, the end of the run does it
            path.unlink()
        return file

    def _begin(self) -> Path:
        """Make the folder of this run, and lock it."""
        self._begun = True
        with self.locked():
            unfinished = self._root / UNFINISHED
            make_real_folder(unfinished)
            path = self._path = unfinished / secrets.token_hex(8)
            path.mkdir()
            self._lock = _lock_folder(path)
            return path

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
        """Hold the lock of the root, which is made if it is not there; again is as good as once.

        What dead runs left there is removed, also by a run that has nothing to write.
        """
        if self._held:
            yield
            return
        attempts = 0
        while True:
            # A failed run may remove the folder before or while this one waits for its lock.
            try:
                self._make_root()
                lock = _lock_folder(self._root)
                break
            except FileNotFoundError:
                attempts += 1
                if attempts == _ATTEMPTS:
                    raise
        self._held = True
        try:
            _sweep(self._root / UNFINISHED, own=self._path)
            yield
        finally:
            self._held = False
            if lock is not None:
                os.close(lock)

    # -- the end ----------------------------------------------------------------------------

    def end(
        self, written: Iterable[Path] = (), holds_image: Callable[[], bool] = lambda: True
    ) -> None:
        """End the run: its unfinished files go, and so do the folders that it made, if empty.

        ``written`` is removed, too, unless ``holds_image()``, which is called while no run can
        commit, or other runs are writing here: they may count on it. One of them inherits it then,
        and the last one removes it if it fails as well. Raises nothing, as what ends a run has been
        told already. Ending twice is harmless.
        """
        if self._begun or self.made:
            with suppress(OSError, OciConvertError):
                self._end(written, holds_image)
            self._let_go()
            self._begun = False
            self.made.clear()

    def _end(self, written: Iterable[Path], holds_image: Callable[[], bool]) -> None:
        left = _Left.of(self._root, self.made)
        if not self._root.is_dir():
            left.remove(self._root)
            return
        try:
            lock = _lock_folder(self._root, _PATIENCE)
        except OSError:
            self._let_go()  # no other run knows these files; the next run removes the rest
            raise
        try:
            unfinished = self._root / UNFINISHED
            for note in () if self._path is None else self._path.glob(f"*{_LEFT}"):
                left.inherit(note)
            self._let_go()
            living = _sweep(unfinished)
            left.files += [path.relative_to(self._root).as_posix() for path in written]
            if holds_image():
                left.files.clear()
            if living:
                left.bequeath(living[0] / f"{secrets.token_hex(8)}{_LEFT}")
            else:
                left.remove(self._root)
        finally:
            if lock is not None:
                os.close(lock)

    def _let_go(self) -> None:
        """Remove the folder of this run, and unlock it."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            if self._lock is not None:
                os.close(self._lock)
            self._path = self._lock = None


@dataclass(eq=False, repr=False)
class _Left:
    """What a failed run leaves to another one that is writing there, and may count on it."""

    above: int = 0
    """Up to where it made folders: 1 is the root, 2 the folder that the root is in, and so on."""
    folders: list[str] = field(default_factory=list)
    """The folders that it made in the root, outermost first."""
    files: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, root: Path, made: Iterable[Path]) -> _Left:
        left, chain = cls(), [root, *root.parents]
        for path in made:
            if path in chain:
                left.above = max(left.above, chain.index(path) + 1)
            else:
                left.folders.append(path.relative_to(root).as_posix())
        return left

    def inherit(self, note: Path) -> None:
        """Take over what another run left; a note that is not ours says nothing."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            above, folders, files = json.loads(note.read_bytes())
            self.above = max(self.above, int(above))
            self.folders = [*filter(_is_inside, folders), *self.folders]
            self.files += filter(_is_inside, files)

    def bequeath(self, note: Path) -> None:
        """Leave it to the run in whose folder ``note`` is written."""
        note.write_text(json.dumps([self.above, self.folders, self.files]), encoding="utf-8")

    def remove(self, root: Path) -> None:
        """Remove the files, and the folders as far as they are empty."""
        for name in self.files:
            with suppress(OSError):
                (root / name).unlink()
        above = (root, *root.parents)[: self.above]
        for path in (*(root / name for name in reversed(self.folders)), *above):
            with suppress(OSError):
                path.rmdir()


def _is_inside(name: object) -> bool:
    return isinstance(name, str) and cleaned(name) == name


def flush(paths: Iterable[Path]) -> None:
    """Bring files and folders to the disk, all together."""
    from concurrent.futures import ThreadPoolExecutor  # it loads logging

    with ThreadPoolExecutor(_FLUSH_THREADS) as pool:
        list(pool.map(_flush, paths))


def _flush(path: Path) -> None:
    flags = operating_system.flags_to_flush(path)
    if flags is None:
        return
    with naming(path):
        descriptor = os.open(path, flags)
        try:
            operating_system.sync(descriptor)
        finally:
            os.close(descriptor)


def make_real_folder(path: Path) -> bool:
    """Make a folder, unless there is one; says whether it did. Nothing is written through links.

    Raises :class:`StoreError` (``not-a-folder``) for a link or a file in its place.
    """
    with suppress(FileExistsError):
        path.mkdir()
        return True
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        raise StoreError(
            f"{path.name} is not a directory",
            code="not-a-folder",
            where=str(path.parent),
            remedy="nothing is written through a link or over a file; move it away",
        )
    return False


def _lock_folder(path: Path, patience: float | None = None) -> int | None:
    """Lock a folder; closing the returned file descriptor lets go. ``None``: no locks here.

    Raises :class:`FileNotFoundError` if it went while its lock was waited for, and
    :class:`BlockingIOError` if another process holds it for longer than ``patience``.
    """
    if not operating_system.system.locks:
        return None
    descriptor = None
    try:
        with naming(path):
            descriptor = os.open(path, operating_system.FOLDER)
            operating_system.lock(descriptor, patience)
            _check_there(descriptor, path)
    except BaseException:
        if descriptor is not None:
            os.close(descriptor)
        raise
    return descriptor


def _check_there(descriptor: int, path: Path) -> None:
    """Raise unless what is open is what stands there: another one may have taken its place."""
    if not os.path.samestat(os.fstat(descriptor), os.stat(path)):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _sweep(unfinished: Path, own: Path | None = None) -> list[Path]:
    """Remove what dead runs left; the folders of those that live, ``own`` among them."""
    if unfinished.is_symlink() or not unfinished.is_dir():
        return []
    living = [
        leftover for leftover in unfinished.iterdir() if leftover == own or not _swept(leftover)
    ]
    if not living:
        with suppress(OSError):
            unfinished.rmdir()
    return living


def _swept(leftover: Path) -> bool:
    """Remove what a dead run left; what is locked belongs to a living one."""
    if leftover.is_symlink() or not leftover.is_dir():
        leftover.unlink(missing_ok=True)
        return True
    try:
        lock = _lock_folder(leftover, patience=0)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    shutil.rmtree(leftover, ignore_errors=True)
    if lock is not None:
        os.close(lock)
    return True
