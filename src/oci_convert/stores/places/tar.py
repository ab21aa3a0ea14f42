"""A place that is a tar file, read in place: an index of its members, never an extraction."""

from __future__ import annotations

import io
import os
import tarfile
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import BinaryIO, Final, NoReturn

from oci_convert.blobs.compression import sniff
from oci_convert.ground.errors import StoreError
from oci_convert.ground.limits import limits, raised_by
from oci_convert.ground.media_types import Compression
from oci_convert.stores.places.base import Place
from oci_convert.stores.places.file import File, naming
from oci_convert.stores.places.paths import check_length, cleaned, joined

__all__ = ["Tar"]

_LINK_LIMIT: Final = 40
_HEADER_LIMIT: Final = 1024 * 1024
"""Bytes of a PAX header or a long name: each is read into memory."""
_BUFFER: Final = 256 * 1024
_ONCE: Final = frozenset({"manifest.json", "index.json", "oci-layout", "repositories"})
"""Members that say what the archive holds: two of them would be two archives in one."""
_FAULTS: Final = (tarfile.TarError, ValueError, ArithmeticError, LookupError, RecursionError)
"""What tarfile raises over headers that make no sense."""


@dataclass(frozen=True, slots=True)
class _Extent:
    """A run of a member's bytes, and where in the archive they are."""

    start: int
    end: int
    at: int | None
    """``None`` for a hole of a sparse member: zeros."""


@dataclass(frozen=True, slots=True)
class _Member:
    """A regular member: its size, and its extents without gaps."""

    size: int
    extents: tuple[_Extent, ...]


class Tar(Place):
    """The regular members of an uncompressed tar file, by their cleaned names.

    Hard and symbolic links are resolved inside the archive. Of several members of one name the
    last counts, as when the archive is extracted. Members whose names leave the archive, and those
    that are neither files nor links, are passed over. Threads may read at the same time.

    ``file`` is the archive if it is open already; it then belongs to the place.
    """

    def __init__(self, path: str | os.PathLike[str], file: BinaryIO | None = None) -> None:
        self.label = str(path)
        self._file = file or File(path)
        self._seeking = Lock()
        self._members: dict[str, _Member] = {}
        self._links: dict[str, str] = {}
        try:
            self._refuse_compressed()
            self._index()
        except BaseException:
            self._file.close()
            raise

    # -- the index --------------------------------------------------------------------------

    def _refuse_compressed(self) -> None:
        # Here an archive that is compressed as a whole would be unpacked to a file without a name.
        packing = sniff(self._file.read(512))
        self._file.seek(0)
        if packing not in (None, Compression.NONE):
            raise StoreError(
                f"the archive is compressed ({packing})",
                code="compressed-archive",
                where=self.label,
                remedy="unpack it first",
            )

    def _index(self) -> None:
        reader = _HeaderReader(self._file)
        try:
            with tarfile.open(fileobj=reader, mode="r:", encoding="utf-8") as archive:  # type: ignore[call-overload]  # it asks for no more than the reader has
                for count, member in enumerate(_members(archive)):
                    if count == limits().members:
                        self._refuse_many(count)
                    self._add(member)
                end = archive.offset
        except _FAULTS as error:
            self._refuse(str(error) or type(error).__name__)
        # tarfile takes a damaged header for the end; the end is zeros, or that of the file.
        self._file.seek(end)
        block = self._file.read(tarfile.BLOCKSIZE)
        if any(block):
            self._refuse(f"it is damaged at byte {end}")

    def _refuse(self, why: str) -> NoReturn:
        raise StoreError(
            f"the archive cannot be read: {why}",
            code="bad-archive",
            where=self.label,
            remedy="fetch it again, or save the image again",
        ) from None

    def _refuse_many(self, most: int) -> NoReturn:
        raise StoreError(
            f"the archive has more than the {most} members that are the limit",
            code="too-many-members",
            where=self.label,
            remedy=raised_by("members"),
        )

    def _add(self, member: tarfile.TarInfo) -> None:
        check_length(member.name, self.label)
        check_length(member.linkname, self.label)
        name = cleaned(member.name)
        if name is None or member.isdir():
            return
        known = name in self._members or name in self._links
        if known and name in _ONCE:
            raise StoreError(
                f"the member {name} stands twice in the archive",
                code="duplicate-archive-member",
                where=self.label,
                remedy="readers would disagree on what it holds; do not use it",
            )
        # A hard link is the file that bore the name then, whatever bears it later.
        linked = self._resolved(member.linkname) if member.islnk() else None
        self._members.pop(name, None)
        self._links.pop(name, None)
        if member.isreg():
            self._members[name] = _Member(member.size, tuple(_extents(member)))
        elif linked is not None:
            self._members[name] = linked
        elif member.issym() or member.islnk():
            folder = name.rpartition("/")[0] if member.issym() else ""
            target = joined(folder, member.linkname)
            if target is not None:
                self._links[name] = target

    def _resolved(self, name: str) -> _Member | None:
        """The member that a name leads to, through links of files and of folders."""
        at = cleaned(name)
        for _ in range(_LINK_LIMIT):
            if at is None or at in self._members:
                break
            at = self._followed(at)
        return None if at is None else self._members.get(at)

    def _followed(self, name: str) -> str | None:
        """The name with its first link replaced by where that leads."""
        slash = 0
        while slash != -1:
            slash = name.find("/", slash + 1)
            head = name if slash == -1 else name[:slash]
            if head in self._links:
                return cleaned(self._links[head] + name[len(head) :])
        return None

    # -- the place --------------------------------------------------------------------------

    def names(self, folder: str = "") -> Iterator[str]:
        prefix = f"{folder}/" if folder else ""
        for name in (*self._members, *self._links):
            if name.startswith(prefix) and self._resolved(name) is not None:
                yield name

    def size(self, name: str) -> int | None:
        member = self._resolved(name)
        return None if member is None else member.size

    def open(self, name: str) -> BinaryIO:
        member = self._resolved(name)
        if member is None:
            raise FileNotFoundError(name)
        return io.BufferedReader(_Section(self, member), _BUFFER)

    def read_at(self, buffer: memoryview, at: int) -> int:
        """Fill ``buffer`` from byte ``at`` of the file; how many bytes there were."""
        if hasattr(os, "preadv"):
            with naming(self._file.name):
                return os.preadv(self._file.fileno(), [buffer], at)
        with self._seeking:  # pragma: no cover - Windows
            self._file.seek(at)
            return self._file.readinto(buffer) or 0  # type: ignore[attr-defined]  # it is unbuffered

    def close(self) -> None:
        self._file.close()


class _HeaderReader:
    """The file as tarfile sees it: only headers are read, so nobody needs many bytes at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _HEADER_LIMIT:
            raise tarfile.ReadError(f"a header says that it has {size} bytes")
        return self._file.read(size)

    def seek(self, at: int) -> int:
        if not 0 <= at <= self._size:
            raise tarfile.ReadError(f"a header points to byte {at} of {self._size}")
        return self._file.seek(at)


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    at = -1
    while (member := archive.next()) is not None:
        if archive.offset <= at or member.size < 0:
            raise tarfile.ReadError("a header leads back")
        at = archive.offset
        archive.members.clear()  # type: ignore[attr-defined]  # kept for a second pass only
        yield member


def _extents(member: tarfile.TarInfo) -> Iterator[_Extent]:
    """The bytes of a member; those of a sparse one stand packed together in the archive."""
    parts: Sequence[tuple[int, int]] = getattr(member, "sparse", None) or [(0, member.size)]
    at, end = member.offset_data, 0
    for start, length in parts:
        if length == 0:
            continue  # headers pad their maps with these
        if start < end or length < 0 or start + length > member.size:
            raise tarfile.ReadError(f"the parts of the sparse member {member.name!r} overlap")
        if start > end:
            yield _Extent(end, start, None)
        yield _Extent(start, start + length, at)
        at, end = at + length, start + length
    if end < member.size:
        yield _Extent(end, member.size, None)


class _Section(io.RawIOBase):
    """A member as a file. It has its own position, so threads do not disturb each other."""

    def __init__(self, tar: Tar, member: _Member) -> None:
        self._tar = tar
        self._member = member
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed: any writable buffer
        if self._at >= self._member.size:
            return 0
        extents = self._member.extents
        extent = extents[bisect_right(extents, self._at, key=lambda extent: extent.start) - 1]
        room = memoryview(buffer)[: extent.end - self._at]
        if extent.at is None:
            room[:] = bytes(len(room))
            got = len(room)
        else:
            got = self._tar.read_at(room, extent.at + self._at - extent.start)
        self._at += got
        return got
