"""A place that is a folder of the file system.

Reading never leaves the folder through a link: names are opened part by part beneath it. Writing
leaves nothing half done: a file grows in ``.oci-convert/<run>/``, a folder locked by the run that
it belongs to, and is renamed when it is complete; the next run removes the folders of dead runs.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import BinaryIO, Final

from oci_convert.ground.errors import StoreError
from oci_convert.stores.places.base import Pending, Place, WritablePlace

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no flock: runs there must not overlap
    fcntl = None  # type: ignore[assignment]

__all__ = ["UNFINISHED", "Folder", "WritableFolder"]

UNFINISHED: Final = ".oci-convert"
"""The folder of unfinished files, in the root of the target."""

_LINK_LIMIT: Final = 40
_FLUSH_THREADS: Final = 8
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_OPEN: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_FOLDER: Final = _OPEN | getattr(os, "O_DIRECTORY", 0)


class Folder(Place):
    """A folder to read. Nothing is created, locked or changed."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.label = str(path)

    def names(self, folder: str = "") -> Iterator[str]:
        top = self.path / folder
        for parent, folders, files in os.walk(top):
            if UNFINISHED in folders and Path(parent) == self.path:
                folders.remove(UNFINISHED)
            inside = Path(parent).relative_to(self.path).as_posix()
            yield from (name if inside == "." else f"{inside}/{name}" for name in files)

    def size(self, name: str) -> int | None:
        try:
            with self.open(name) as file:
                return os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            return None

    def open(self, name: str) -> BinaryIO:
        with _not_found():
            return self._regular(self._open_beneath(name), name)

    def _regular(self, descriptor: int, name: str) -> BinaryIO:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise StoreError(f"{name} is not a regular file", code="not-a-file", where=self.label)
        return os.fdopen(descriptor, "rb", buffering=0)

    def blob_size(self, name: str) -> int | None:
        try:
            status = os.stat(self.path / name)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def open_blob(self, name: str) -> BinaryIO:
        # Without blocking: a pipe in the place of a blob must not stop the run for ever.
        with _not_found():
            return self._regular(os.open(self.path / name, _OPEN), name)

    def file_of(self, name: str) -> BinaryIO | None:
        try:
            return self.open_blob(name)
        except FileNotFoundError:
            return None

    def _open_beneath(self, name: str) -> int:
        """Open ``name`` part by part; a link may lead anywhere beneath the folder, never out."""
        parts = list(PurePosixPath(name).parts)
        folders = [os.open(self.path, _FOLDER)]
        links = 0
        try:
            while parts:
                part = parts.pop(0)
                if part == "..":
                    if len(folders) == 1:
                        raise self._outside(name)
                    os.close(folders.pop())
                    continue
                link = _link_target(part, folders[-1])
                if link is None:
                    opened = os.open(
                        part, (_FOLDER if parts else _OPEN) | _NO_FOLLOW, dir_fd=folders[-1]
                    )
                    if not parts:
                        return opened
                    folders.append(opened)
                    continue
                links += 1
                if link.startswith("/") or links > _LINK_LIMIT:
                    raise self._outside(name)
                parts = [*PurePosixPath(link).parts, *parts]
        finally:
            for folder in folders:
                os.close(folder)
        raise StoreError(f"{name} is a folder", code="not-a-file", where=self.label)

    def _outside(self, name: str) -> StoreError:
        return StoreError(
            f"{name} is a link that leaves the folder, or goes round in circles",
            code="link-outside",
            where=self.label,
            remedy="links are followed only inside an image",
        )


@contextmanager
def _not_found() -> Iterator[None]:
    """A name below something that is no folder is a name of nothing."""
    try:
        yield
    except NotADirectoryError as error:
        raise FileNotFoundError(*error.args) from None


def _link_target(part: str, folder: int) -> str | None:
    try:
        return os.readlink(part, dir_fd=folder)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        return None


class WritableFolder(Folder, WritablePlace):
    """A folder to write to; made if it does not exist."""

    def __init__(self, path: str | os.PathLike[str], *, fsync: bool = True) -> None:
        super().__init__(path)
        self._fsync = fsync
        self._lock = Lock()
        self._made: list[Path] = []
        self._written: list[Path] = []
        """Files that were not there before this run."""
        self._flushable: list[Path] = []
        self._known: set[str] = set()
        self._run: Path | None = None
        self._run_lock: int | None = None
        self._serial = 0

    # -- files ------------------------------------------------------------------------------

    def create(self) -> Pending:
        with self._lock:
            if self._run is None:
                self._begin()
            assert self._run is not None
            self._serial += 1
            path = self._run / str(self._serial)
        return _PendingFile(self, path)

    def publish(self, unfinished: Path, name: str) -> None:
        """Rename a complete file to its name."""
        target = self.path / name
        with self._lock:
            new = not os.path.lexists(target)
            self._make_folder(PurePosixPath(name).parent.as_posix())
            os.replace(unfinished, target)
            self._flushable.append(target)
            if new:
                self._written.append(target)

    def has(self, name: str, size: int) -> bool:
        try:
            status = os.lstat(self.path / name)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size == size

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def rename(self, name: str, new: str) -> None:
        os.replace(self.path / name, self.path / new)
        self._flushable.append(self.path / new)

    # -- the run ----------------------------------------------------------------------------

    def _begin(self) -> None:
        """Make the folder of this run, lock it, and sweep those of dead runs."""
        self._make_root()
        with self.locked():
            unfinished = self.path / UNFINISHED
            _make_real_folder(unfinished)
            for leftover in unfinished.iterdir():
                _sweep(leftover)
            self._run = unfinished / secrets.token_hex(8)
            self._run.mkdir()
            self._run_lock = _lock_folder(self._run, wait=True)

    def _make_root(self) -> None:
        missing = [path for path in (self.path, *self.path.parents) if not path.exists()]
        for path in reversed(missing):
            with suppress(FileExistsError):
                path.mkdir()
                self._made.append(path)

    def _make_folder(self, name: str) -> None:
        if name in self._known or name == ".":
            return
        path = self.path
        for part in PurePosixPath(name).parts:
            path = path / part
            with suppress(FileExistsError):
                path.mkdir()
                self._made.append(path)
        self._known.add(name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        while True:
            self._make_root()
            lock = _lock_folder(self.path, wait=True)
            # A failed run may have removed the folder while this one waited for its lock.
            if lock is None or _same_file(lock, self.path):
                break
            os.close(lock)
        try:
            yield
        finally:
            if lock is not None:
                os.close(lock)

    def flush(self) -> None:
        if self._fsync:
            folders = {path.parent for path in (*self._flushable, *self._made)}
            with ThreadPoolExecutor(_FLUSH_THREADS) as pool:
                list(pool.map(_flush, [*self._flushable, *sorted(folders)]))
        self._flushable.clear()

    def undo(self, *, sealed: bool) -> None:
        if not self.path.is_dir():
            return
        with self.locked():
            self._end_run()
            if not sealed and not self._others():
                for path in self._written:
                    path.unlink(missing_ok=True)
        self._written.clear()
        for path in reversed(self._made):
            with suppress(OSError):
                path.rmdir()

    def close(self) -> None:
        if self._run is not None:
            with self.locked():
                self._end_run()

    def _end_run(self) -> None:
        if self._run is None:
            return
        shutil.rmtree(self._run, ignore_errors=True)
        if self._run_lock is not None:
            os.close(self._run_lock)
        self._run = self._run_lock = None
        with suppress(OSError):
            (self.path / UNFINISHED).rmdir()

    def _others(self) -> bool:
        """Whether another run is writing here; dead runs were swept when this one began."""
        return (self.path / UNFINISHED).exists()


class _PendingFile:
    def __init__(self, place: WritableFolder, path: Path) -> None:
        self._place = place
        self._path = path
        self.file = open(path, "xb", buffering=0)  # noqa: SIM115 - closed by publish and discard

    def write(self, chunk: bytes | memoryview, /) -> None:
        written = self.file.write(chunk)
        while written < len(chunk):  # a nearly full disk takes a part, then says why
            written += self.file.write(memoryview(chunk)[written:])

    def take(self, file: BinaryIO, seen: Callable[[memoryview], None], *, link: bool) -> None:
        if (link and self._link(file)) or _clone(file, self.file):
            # What is hashed is what the target holds, never the source a second time.
            with open(self._path, "rb", buffering=0) as held:
                _pump(held, seen, lambda _: None)
        else:
            _pump(file, seen, self.write)

    def _link(self, file: BinaryIO) -> bool:
        """Become another name of an open file, if the file systems allow it."""
        spare = self._path.with_name(f"{self._path.name}.link")
        try:
            # Through the open file: its path may lead elsewhere by now.
            os.link(f"/proc/self/fd/{file.fileno()}", spare, follow_symlinks=True)
        except OSError:
            return False
        os.replace(spare, self._path)
        return True

    def publish(self, name: str) -> None:
        self.file.close()
        self._place.publish(self._path, name)

    def discard(self) -> None:
        self.file.close()
        self._path.unlink(missing_ok=True)


_FICLONE: Final = 0x40049409
_COPY: Final = 256 * 1024


def _clone(source: BinaryIO, target: BinaryIO) -> bool:
    """Let ``target`` share the blocks of ``source``, where the file system can (``FICLONE``)."""
    if fcntl is None:
        return False
    try:
        fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
    except OSError:
        return False
    return True


def _pump(
    source: BinaryIO, seen: Callable[[memoryview], None], write: Callable[[memoryview], object]
) -> None:
    """Move the rest of a file in one buffer: its pages stay in the cache of the processor."""
    buffer = memoryview(bytearray(_COPY))
    while size := source.readinto(buffer):  # type: ignore[attr-defined]  # an unbuffered file has it
        chunk = buffer[:size]
        seen(chunk)
        write(chunk)


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


def _flush(path: Path) -> None:
    descriptor = os.open(path, _OPEN)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
