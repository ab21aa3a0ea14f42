"""A tar file to write: one member after the other, always with the same bytes.

Nothing in a member depends on the machine or the time: no owner, no names of owners, the time 0.
Headers are ustar, which every reader takes; GNU's extensions stand in only for what ustar has no
room for (names over 100 characters, members of 8 GiB and more). :mod:`tarfile` is no help: it must
know the size of a member before its first byte.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from threading import Lock
from typing import BinaryIO, Final, NoReturn

from oci_convert.errors import StoreError
from oci_convert.stores.files.base import Pending, WritableFiles
from oci_convert.stores.files.file import pump, write_all
from oci_convert.stores.files.outputs import Output

__all__ = ["WritableTar", "header"]

_BLOCK: Final = 512
_LONGEST: Final = 100
"""Characters of a name in a plain header."""
_LARGEST: Final = 8**11 - 1
"""Bytes of a member that a plain header can state."""
_FILE, _FOLDER, _LONG_NAME = b"0", b"5", b"L"
_USTAR, _GNU = b"ustar\x0000", b"ustar  \0"


def header(name: str, size: int, kind: bytes = _FILE) -> bytes:
    """What stands before the bytes of a member; as long for one name as for another as long."""
    raw = name.encode()
    if len(raw) <= _LONGEST:
        return _block(raw, size, kind, _USTAR if size <= _LARGEST else _GNU)
    spelled = raw + b"\0"
    long = _block(b"././@LongLink", len(spelled), _LONG_NAME, _GNU)
    return long + spelled + _padding(len(spelled)) + _block(raw[:_LONGEST], size, kind, _GNU)


def _block(name: bytes, size: int, kind: bytes, magic: bytes) -> bytes:
    number = b"%011o\0" % size if size <= _LARGEST else b"\x80" + size.to_bytes(11, "big")
    zero = b"%07o\0" % 0
    fields = (
        name.ljust(_LONGEST, b"\0"),
        b"%07o\0" % (0o755 if kind == _FOLDER else 0o644),
        zero,  # the owner
        zero,  # and the group
        number,
        b"%011o\0" % 0,  # the time
        b" " * 8,  # the checksum counts itself as spaces
        kind,
        bytes(100),
        magic,
        bytes(64),
        zero if magic == _USTAR else bytes(8),  # the numbers of a device
        zero if magic == _USTAR else bytes(8),
    )
    block = b"".join(fields).ljust(_BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


class WritableTar(WritableFiles):
    """A tar file to write; members are never replaced.

    One member is written at a time: other threads wait. Where the
    output can be rewritten, a member of unknown size or name grows in place and gets its header at
    the end; else it is kept in a scratch file until it is complete.
    """

    def __init__(self, output: Output, label: str) -> None:
        self.output = output
        self.label = label
        self.turn: Lock = Lock()
        """Held while a member is written."""
        self._file: BinaryIO | None = None
        self._at = 0
        self._sizes: dict[str, int] = {}
        self._folders: set[str] = set()
        self._broken = False

    # -- reading ----------------------------------------------------------------------------

    def names(self, folder: str = "") -> Iterator[str]:
        prefix = f"{folder}/" if folder else ""
        return iter([name for name in self._sizes if name.startswith(prefix)])

    def size(self, name: str) -> int | None:
        return self._sizes.get(name)

    def open(self, name: str) -> NoReturn:
        raise io.UnsupportedOperation("an archive that is being written is not read")

    def has(self, name: str, size: int) -> bool:
        return self.size(name) == size

    def create(self, name: str, size: int | None = None) -> Pending:
        if size is None and not self.output.rewritable:
            return _Spooled(self, self.output.scratch())
        self.turn.acquire()
        try:
            if size is not None and name in self._sizes:
                self.turn.release()
                return _Known()
            return _Member(self, name, size)
        except BaseException:
            self.turn.release()
            raise

    def scratch(self) -> BinaryIO:
        return self.output.scratch()

    def remove(self, name: str) -> None:
        raise io.UnsupportedOperation("nothing is removed from an archive")

    def rename(self, name: str, new: str) -> None:
        raise io.UnsupportedOperation("nothing is renamed in an archive")

    def flush(self) -> None:
        """What is not complete need not be on the disk."""

    def locked(self) -> AbstractContextManager[None]:
        return nullcontext()

    def undo(self, holds_image: Callable[[], bool]) -> None:
        self.output.undo()

    def close(self) -> None:
        self.output.close()

    def finish(self) -> None:
        """End the archive and let it appear."""
        with self.turn:
            self.write(bytes(2 * _BLOCK))
            self.output.finish()

    # -- for the members --------------------------------------------------------------------

    def begin_member(self, name: str, size: int) -> int:
        """Write the header of a member, after those of its folders; returns where it stands."""
        folder = ""
        for part in name.split("/")[:-1]:
            folder += f"{part}/"
            if folder not in self._folders:
                self.write(header(folder, 0, _FOLDER))
                self._folders.add(folder)
        at = self._at
        self.write(header(name, size))
        return at

    def write(self, chunk: bytes | memoryview) -> None:
        """Append bytes to the archive."""
        if self._broken:
            raise StoreError(
                "the archive is incomplete because of an earlier error",
                code="archive-broken",
                store=self.label,
                remedy="its reader must not use it; write to a file instead",
            )
        if self._file is None:
            self._file = self.output.begin()
        try:
            write_all(self._file, chunk)
        except BaseException:
            self.forget(self._at)
            raise
        self._at += len(chunk)

    def rewrite(self, at: int, data: bytes) -> None:
        """Overwrite bytes of the archive."""
        assert self._file is not None  # what is overwritten was written before
        self._file.seek(at)
        write_all(self._file, data)
        self._file.seek(self._at)

    def forget(self, at: int) -> None:
        """Take back everything from byte ``at`` on; an output that cannot is of no use any more."""
        self._broken = True
        if self.output.rewritable:
            with suppress(OSError):  # why it is taken back is what is told
                if self._file is not None:
                    self._file.truncate(at)
                    self._file.seek(at)
                self._at = at
                self._broken = False

    def end(self, name: str, size: int) -> None:
        """Note a member as complete."""
        self.write(_padding(size))
        self._sizes[name] = size


class _Member:
    """A member that is written in place; other members wait until it ends."""

    def __init__(self, tar: WritableTar, name: str, size: int | None) -> None:
        self._tar = tar
        self._name = name
        self._promised = size
        self._size = 0
        self._at = tar.begin_member(name, size or 0)
        self._ended = False

    def write(self, chunk: bytes | memoryview, /) -> None:
        self._tar.write(chunk)
        self._size += len(chunk)

    def take(self, file: BinaryIO, seen: Callable[[memoryview], None], *, link: bool) -> None:
        pump(file, seen, self.write)

    def publish(self, name: str, *, durable: bool = False) -> None:
        if self._tar.size(name) is not None:
            self.discard()
            return
        if (name, self._size) != (self._name, self._promised):
            self._tar.rewrite(self._at, header(name, self._size))
        self._tar.end(name, self._size)
        self._leave()

    def discard(self) -> None:
        if not self._ended:
            try:
                self._tar.forget(self._at)
            finally:
                self._leave()

    def _leave(self) -> None:
        self._ended = True
        self._tar.turn.release()


class _Spooled:
    """A member of unknown size for an output that cannot be rewritten."""

    def __init__(self, tar: WritableTar, file: BinaryIO) -> None:
        self._tar = tar
        self._file = file

    def write(self, chunk: bytes | memoryview, /) -> None:
        write_all(self._file, chunk)

    def take(self, file: BinaryIO, seen: Callable[[memoryview], None], *, link: bool) -> None:
        pump(file, seen, self.write)

    def publish(self, name: str, *, durable: bool = False) -> None:
        with self._file as file:
            member = self._tar.create(name, file.tell())
            try:
                file.seek(0)
                member.take(file, lambda _: None, link=False)
                member.publish(name)
            except BaseException:
                member.discard()
                raise

    def discard(self) -> None:
        self._file.close()


class _Known:
    """A member that the archive already has: its bytes are discarded."""

    def write(self, chunk: bytes | memoryview, /) -> None:
        pass

    def take(self, file: BinaryIO, seen: Callable[[memoryview], None], *, link: bool) -> None:
        pump(file, seen, self.write)

    def publish(self, name: str, *, durable: bool = False) -> None:
        pass

    def discard(self) -> None:
        pass
