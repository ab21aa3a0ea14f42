"""The headers of a tar file, as tarfile reads them, but bounded and without what makes no sense."""

from __future__ import annotations

import re
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

__all__ = ["FAULTS", "Extent", "Forwards", "extents", "headers"]

_HEADER_LIMIT: Final = 1024 * 1024
"""Bytes of a PAX header or a long name: each is read into memory."""
_HEADERS_LIMIT: Final = 4 * _HEADER_LIMIT
"""Bytes of all headers of one member, and of its map if it is sparse."""
_GLOBAL_LIMIT: Final = 4 * 1024
"""Bytes of all global headers: tarfile copies what they say for every member."""
_OF_ONE: Final = frozenset(
    ("path", "linkpath", "size", "GNU.sparse.name", "GNU.sparse.size", "GNU.sparse.realsize")
)
"""Records of PAX that some readers apply to all members if they are in a global header."""
_PIECE: Final = 64 * 1024
_RECORD: Final = re.compile(rb"([1-9][0-9]{0,7}) [^=\n]+=")
FAULTS: Final = (tarfile.TarError, ValueError, ArithmeticError, LookupError, RecursionError)
"""What tarfile raises over headers that make no sense."""


class Positioned(Protocol):
    """What headers are read from."""

    @property
    def size(self) -> int:
        """Its bytes."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes, from where it stands."""

    def seek(self, at: int, /) -> int:
        """Go to a byte."""

    def tell(self) -> int:
        """Where it stands."""


class Forwards:
    """A stream as what headers are read from: it goes back only into what was read last."""

    size: int = sys.maxsize
    """Nobody knows."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0
        self._last = b""
        """What was read last, up to where the stream is; some of it may be read again."""
        self._again = 0
        """How many bytes of it."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; fewer at the end alone."""
        again = self._last[len(self._last) - self._again :]
        if len(again) < size:
            again = self._last = again + self._file.read(size - len(again))
            self._again = len(again)
        data = again[:size]
        self._again -= len(data)
        self._at += len(data)
        return data

    def seek(self, at: int, /) -> int:
        """Go to a byte, forwards by reading."""
        back = self._at - at
        if back > len(self._last) - self._again:
            raise tarfile.ReadError("a header points backwards")
        if back > 0:
            self._again += back
            self._at = at
        while self._at < at:
            if not self.read(min(at - self._at, _PIECE)):
                raise tarfile.ReadError(f"it ends after {self._at} bytes, inside a member")
        return at

    def tell(self) -> int:
        """Where it stands."""
        return self._at


def headers(file: Positioned) -> Iterator[tarfile.TarInfo]:
    """The members of a tar file, while their bytes may be read from ``file``.

    Raises one of :data:`FAULTS` for headers that make no sense, and where a damaged one stands:
    tarfile takes it for the end, which is zeros, or that of the file.
    """
    reader = _HeaderReader(file)
    with tarfile.open(  # type: ignore[call-overload]  # it asks for no more than the reader has
        fileobj=reader, mode="r:", encoding="utf-8", tarinfo=_Header
    ) as archive:
        for member in _members(archive, reader):
            if archive.pax_headers.keys() & _OF_ONE:
                raise tarfile.ReadError("a global header contains values of a single member")
            yield member
        end = archive.offset
    file.seek(end)
    if any(file.read(tarfile.BLOCKSIZE)):
        raise tarfile.ReadError(f"it is damaged at byte {end}")


@dataclass(frozen=True, slots=True)
class Extent:
    """A run of a member's bytes, and where in the archive they are."""

    start: int
    end: int
    at: int | None
    """``None`` for a hole of a sparse member: zeros."""


class _HeaderReader:
    """The file as tarfile reads it: only headers, so a read of many bytes is an error."""

    def __init__(self, file: Positioned) -> None:
        self._file = file
        self._size = file.size
        self._global = 0
        self.begin_member()
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _HEADER_LIMIT:
            raise tarfile.ReadError(f"a header says that it has {size} bytes")
        self._left -= size
        if self._left < 0:
            raise tarfile.ReadError("a member has too many headers")
        return self._file.read(size)

    def seek(self, at: int) -> int:
        if at < 0:
            raise tarfile.ReadError("a header points backwards")
        if at > self._size:
            raise tarfile.ReadError(f"it ends after {self._size} bytes, inside a member")
        return self._file.seek(at)

    def begin_member(self) -> None:
        """Let the next member have headers of its own."""
        self._left = _HEADERS_LIMIT

    def count_global(self, size: int) -> None:
        """Count a global header in."""
        self._global += size
        if self._global > _GLOBAL_LIMIT:
            raise tarfile.ReadError(f"its global headers have more than {_GLOBAL_LIMIT} bytes")


class _Header(tarfile.TarInfo):
    """A header as tarfile reads it, but for records of PAX that make no sense.

    Some versions of Python pass over them in silence.
    """

    def _proc_pax(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type == tarfile.XGLTYPE:
            assert isinstance(archive.fileobj, _HeaderReader)  # tarfile keeps what it was given
            archive.fileobj.count_global(self.size)
        at = archive.fileobj.tell()
        _check_records(archive.fileobj.read(self.size))
        archive.fileobj.seek(at)
        return super()._proc_pax(archive)  # type: ignore[misc,no-any-return]  # typeshed lacks it


def _check_records(padded: bytes) -> None:
    """Raise unless these are ``length name=value`` and a line end, one behind the other."""
    records, at = padded.rstrip(b"\0"), 0
    while at < len(records):
        match = _RECORD.match(records, at)
        end = at + int(match[1]) if match else at
        if match is None or end <= match.end() or records[end - 1 : end] != b"\n":
            raise tarfile.ReadError("a record of a header has the wrong length")
        at = end


def _members(archive: tarfile.TarFile, reader: _HeaderReader) -> Iterator[tarfile.TarInfo]:
    at = -1
    while (member := archive.next()) is not None:
        reader.begin_member()
        if archive.offset <= at or member.size < 0:
            raise tarfile.ReadError("a header points backwards")
        at = archive.offset
        archive.members.clear()  # type: ignore[attr-defined]  # kept for a second pass only
        yield member


def extents(member: tarfile.TarInfo) -> Iterator[Extent]:
    """The bytes of a member; those of a sparse one stand packed together in the archive."""
    parts: Sequence[tuple[int, int]] | None = getattr(member, "sparse", None)
    if parts is None:
        parts = [(0, member.size)]
    at, end = member.offset_data, 0
    for start, length in parts:
        if length == 0:
            continue  # headers pad their maps with these
        if start < end or length < 0 or start + length > member.size:
            raise tarfile.ReadError(f"the parts of the sparse member {member.name!r} overlap")
        if start > end:
            yield Extent(end, start, None)
        yield Extent(start, start + length, at)
        at, end = at + length, start + length
    if end < member.size:
        yield Extent(end, member.size, None)
