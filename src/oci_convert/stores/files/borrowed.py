"""File objects of a caller: read and written from where they stand, and never closed."""

from __future__ import annotations

import errno
import io
import os
from contextlib import suppress
from threading import Lock
from typing import Any, BinaryIO, Final, Protocol

__all__ = ["BinaryReader", "BinaryWriter", "Borrowed", "OneWay", "View"]

_UNSUPPORTED: Final = (OSError, ValueError, AttributeError)
"""What file objects raise that cannot do something, or lack it."""


class BinaryReader(Protocol):
    """The least that a file to read from can do."""

    def read(self, size: int, /) -> bytes | None:
        """At most ``size`` bytes, and none at the end."""


class BinaryWriter(Protocol):
    """The least that a file to write to can do."""

    def write(self, chunk: bytes, /) -> object:
        """Take some bytes; how many it took, or ``None`` for all."""


class Borrowed:
    """A file object, where it stood when it was handed over, and whose turn it is."""

    def __init__(self, file: BinaryReader | BinaryWriter) -> None:
        if isinstance(file, io.TextIOBase):
            raise TypeError("an archive is bytes: open the file in binary mode")
        self.file: Any = file  # what it can do is found out when it is asked to
        self.turn: Lock = Lock()
        self._start = _position(file)
        self._read = False

    @property
    def name(self) -> str:
        """What errors call it: its path if it has one, else its class."""
        name = getattr(self.file, "name", None)
        return name if isinstance(name, str) and name else f"<{type(self.file).__name__}>"

    def reader(self) -> View | OneWay:
        """The bytes from where it stood to the end, once more if it can seek.

        Raises :class:`ValueError` if it cannot, and was read before.
        """
        if self._start is not None:
            return View(self.file, self._start, self.turn)
        if self._read:
            raise ValueError(f"{self.name} was read already, and cannot seek")
        self._read = True
        return OneWay(self.file)

    def write(self, chunk: bytes | memoryview, /) -> int:
        """Write some bytes; how many it took."""
        # It may keep what it is given, and views are of buffers that are used again.
        written = _now(self.file, self.file.write(bytes(chunk)))
        return len(chunk) if written is None else int(written)

    def flush(self) -> None:
        """Let nothing wait in a buffer."""
        with suppress(AttributeError):
            self.file.flush()

    @property
    def is_at_end(self) -> bool:
        """Whether nothing follows where it stood; also of one that cannot seek."""
        if self._start is None:
            return True
        try:
            return bool(self.file.seek(0, os.SEEK_END) <= self._start)
        except _UNSUPPORTED:
            return True
        finally:
            with suppress(*_UNSUPPORTED):
                self.file.seek(self._start)

    def take_back(self) -> None:
        """Undo all that was written, if it can seek."""
        if self._start is not None:
            with suppress(*_UNSUPPORTED):
                self.file.seek(self._start)
                self.file.truncate()

    def end_here(self) -> None:
        """Let nothing follow what was written, if it can do that."""
        with suppress(*_UNSUPPORTED):
            self.file.truncate()


def _position(file: Any) -> int | None:
    """Where a file stands; ``None`` if it cannot seek."""
    try:
        return file.tell() if file.seekable() else None
    except _UNSUPPORTED:
        return None


def _now(file: object, told: Any) -> Any:
    """What a file answered, unless that it cannot do it now: then it would lose bytes."""
    if told is None and isinstance(file, io.FileIO | io.BufferedReader):
        raise BlockingIOError(
            errno.EAGAIN, "the file is not blocking: os.set_blocking() makes it so"
        )
    return told


class View(io.RawIOBase):
    """The rest of a file that can seek, as a file of its own: several may be read at once.

    With ``owned``, closing it closes the file.
    """

    def __init__(self, file: Any, start: int, turn: Lock, *, owned: bool = False) -> None:
        self._file = file
        self._start = start
        self._turn = turn
        self._owned = owned
        self._at = 0
        with turn:
            self.size: int = max(0, file.seek(0, os.SEEK_END) - start)
            """Bytes of it."""

    @classmethod
    def of(cls, file: BinaryIO) -> View:
        """A file from its beginning, which now belongs to the view."""
        return cls(file, 0, Lock(), owned=True)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, at: int, whence: int = os.SEEK_SET, /) -> int:
        if whence != os.SEEK_SET:
            raise io.UnsupportedOperation("only absolute positions are sought")
        self._at = at
        return at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed: any writable buffer
        read = self.read_at(buffer, self._at)
        self._at += read
        return read

    def read_at(self, buffer: memoryview, at: int) -> int:
        """Fill ``buffer`` from byte ``at``, wherever the view stands; how many bytes there were."""
        filled = 0
        with self._turn:
            self._file.seek(self._start + at)
            while filled < len(buffer) and (chunk := self._file.read(len(buffer) - filled)):
                buffer[filled : filled + len(chunk)] = chunk
                filled += len(chunk)
        return filled

    def close(self) -> None:
        if self._owned and not self.closed:
            self._file.close()
        super().close()


class OneWay(io.RawIOBase):
    """The rest of a file that cannot seek."""

    def __init__(self, file: BinaryReader) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed: any writable buffer
        chunk = _now(self._file, self._file.read(len(buffer))) or b""
        buffer[: len(chunk)] = chunk
        return len(chunk)
