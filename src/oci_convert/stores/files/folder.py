"""Files in a directory of the file system.

Reading never leaves the directory through a link: names are opened part by part beneath it. Writing
leaves nothing half done: a file grows in the folder of its run and is renamed when it is complete.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import BinaryIO, Final, NoReturn

from oci_convert.errors import StoreError
from oci_convert.operating_system import OPEN, share_blocks
from oci_convert.stores.files.base import (
    ROUND,
    Files,
    Pending,
    WritableFiles,
    link_outside,
    not_a_file,
)
from oci_convert.stores.files.beneath import (
    LeftError,
    files_beneath,
    files_through_links,
    open_beneath,
)
from oci_convert.stores.files.file import File, pump, write_all
from oci_convert.stores.files.run_folder import UNFINISHED, RunFolder, flush, make_real_folder
from oci_convert.text.wording import Wording

__all__ = ["UNFINISHED", "Folder", "WritableFolder"]

_KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


_OWN_LINKS: Final = Wording(
    "it may be an attack; if the links are yours (git-annex, stow), use {follow_links=True}, or "
    "copy the store with cp -rL"
)


class Folder(Files):
    """A folder to read. Nothing is created, locked or changed.

    ``path`` may be a link to the folder. ``label`` is what errors call it, by default the path.
    With ``follow_links``, what links lead to is read wherever it is, as if it were in the folder.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        label: str | None = None,
        *,
        follow_links: bool = False,
    ) -> None:
        self.path: Path = Path(path)
        self.label: str = str(path) if label is None else label
        self._prefix = os.path.join(self.path, "")
        self._follows = follow_links

    def at(self, name: str) -> str:
        """The path of a file. As text: to many small blobs pathlib costs more than their bytes."""
        return self._prefix + name

    def names(self, folder: str = "") -> Iterator[str]:
        try:
            with self._judging(folder):
                walk = files_through_links if self._follows else files_beneath
                yield from walk(self.path, folder, UNFINISHED)
        except (FileNotFoundError, StoreError):
            return

    def size(self, name: str) -> int | None:
        try:
            with self.open(name) as file:
                return os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            return None

    def open(self, name: str) -> BinaryIO:
        if self._follows:
            return self._followed(name)
        with self._judging(name):
            return self._regular(open_beneath(self.path, name), name)

    def _followed(self, name: str) -> BinaryIO:
        try:
            return self.open_blob(name)
        except FileNotFoundError:
            if Path(self.at(name)).is_symlink():
                remedy = "fetch its target, for example with git annex get"
                raise link_outside(name, "has no target", self.label, remedy) from None
            raise

    def _regular(self, descriptor: int, name: str) -> File:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            os.close(descriptor)
            self._refuse_kind(name, mode)
        return File(descriptor, name=self.at(name))

    def blob_size(self, name: str) -> int | None:
        try:
            with self._judging(name):
                status = os.stat(self.at(name))
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            self._refuse_kind(name, status.st_mode)
        return status.st_size

    def open_blob(self, name: str) -> BinaryIO:
        with self._judging(name):
            return self._regular(os.open(self.at(name), OPEN), name)

    def file_of(self, name: str) -> BinaryIO | None:
        try:
            return self.open_blob(name)
        except FileNotFoundError:
            return None

    def _outside(self, name: str) -> StoreError:
        """The error for a link that leads out: it may be an attack, or a way to keep files."""
        return link_outside(name, "leaves the directory", self.label, _OWN_LINKS)

    def _refuse_kind(self, name: str, mode: int) -> NoReturn:
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise not_a_file(name, kind, self.label)

    @contextmanager
    def _judging(self, name: str) -> Iterator[None]:
        """Errors of the system that the names in an image cause, as errors of the image."""
        try:
            yield
        except LeftError:
            raise self._outside(name) from None
        except NotADirectoryError as error:
            raise FileNotFoundError(*error.args) from None
        except OSError as error:
            match error.errno:
                case errno.ENAMETOOLONG:
                    raise FileNotFoundError(*error.args) from None
                case errno.ELOOP:
                    raise link_outside(name, ROUND, self.label) from None
                case errno.ENXIO:
                    self._refuse_kind(name, stat.S_IFSOCK)
            error.filename = self.at(name)  # the system may have been asked for a part
            raise


class WritableFolder(Folder, WritableFiles):
    """A folder to write to; made if it does not exist. Its links are never followed out of it."""

    def __init__(self, path: str | os.PathLike[str], *, fsync: bool = True) -> None:
        super().__init__(path)
        self._fsync = fsync
        self._run = RunFolder(self.path)
        self._lock = Lock()
        self._written: list[str] = []
        """Files that were not there before this run."""
        self._flushable: list[str] = []
        self._known: set[str] = set()

    def _outside(self, name: str) -> StoreError:
        return link_outside(name, "leaves the directory", self.label)

    def create(self, name: str, size: int | None = None) -> Pending:
        unfinished = self._run.file()
        # Now, so that what stands in its way is told before the first byte is read.
        self._make_folder(PurePosixPath(name).parent.as_posix())
        return _PendingFile(self, unfinished)

    def begin(self) -> None:
        self._run.begin()

    def top_level(self) -> Iterator[tuple[str, bool]]:
        try:
            with os.scandir(self.path) as entries:
                found = [(entry.name, not entry.is_dir()) for entry in entries]
        except FileNotFoundError:
            return
        yield from (top for top in found if top[0] != UNFINISHED)

    def scratch(self) -> BinaryIO:
        return self._run.scratch()

    def publish(self, unfinished: File, name: str, *, durable: bool) -> None:
        """Rename a complete file to its name; with ``durable``, not before it is on the disk."""
        target = self.at(name)
        if durable and self._fsync:
            unfinished.sync()
        unfinished.close()
        with self._lock:
            new = not os.path.lexists(target)
            os.replace(unfinished.name, target)
            self._flushable.append(target)
            if new:
                self._written.append(target)

    def _make_folder(self, name: str) -> None:
        with self._lock:
            if name in self._known or name == ".":
                return
            path = self.path
            for part in PurePosixPath(name).parts:
                path = path / part
                if make_real_folder(path):
                    self._run.made.append(path)
            self._known.add(name)

    def has(self, name: str, size: int) -> bool:
        try:
            status = os.lstat(self.at(name))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size == size

    def remove(self, name: str) -> None:
        Path(self.at(name)).unlink(missing_ok=True)

    def rename(self, name: str, new: str) -> None:
        os.replace(self.at(name), self.at(new))
        self._flushable.append(self.at(new))

    def locked(self) -> AbstractContextManager[None]:
        return self._run.locked()

    def flush(self) -> None:
        if self._fsync:
            files = [Path(path) for path in self._flushable]
            folders = {path.parent for path in (*files, *self._run.made)}
            flush([*files, *sorted(folders)])
        self._flushable.clear()

    def undo(self, holds_image: Callable[[], bool]) -> None:
        self._run.end(map(Path, self._written), holds_image)
        self._written.clear()

    def close(self) -> None:
        self._run.end()


class _PendingFile:
    def __init__(self, files: WritableFolder, path: Path) -> None:
        self._files = files
        self._path = path
        self._file = File(path, "xb")

    def write(self, chunk: bytes | memoryview, /) -> None:
        write_all(self._file, chunk)

    def take(self, file: BinaryIO, seen: Callable[[memoryview], None], *, link: bool) -> None:
        if (link and self._link(file)) or share_blocks(file, self._file):
            # What is hashed is what the target holds, never the source a second time.
            with File(self._path) as held:
                pump(held, seen, lambda _: None)
        else:
            pump(file, seen, self.write)

    def _link(self, file: BinaryIO) -> bool:
        """Become another name of an open file, if the file systems allow it."""
        spare = self._path.with_name(f"{self._path.name}.link")
        try:
            # Through the open file: its path may lead elsewhere by now.
            # Only with a folder given does Python follow the link that this path is.
            descriptor = file.fileno()
            os.link(f"/proc/self/fd/{descriptor}", spare, src_dir_fd=descriptor)
        except (OSError, NotImplementedError):
            return False
        os.replace(spare, self._path)
        return True

    def publish(self, name: str, *, durable: bool = False) -> None:
        self._files.publish(self._file, name, durable=durable)

    def discard(self) -> None:
        with suppress(OSError):  # why it is forgotten is what is told; its folder goes at the end
            self._file.close()
            self._path.unlink(missing_ok=True)
