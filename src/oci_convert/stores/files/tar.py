"""Files in a tar file, read in place: its members are indexed, never extracted."""

from __future__ import annotations

import io
import os
import re
import tarfile
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, NoReturn

from oci_convert.errors import StoreError
from oci_convert.layers.compression import sniff
from oci_convert.limits import RATIO_COUNTS_FROM, limits, raised_by
from oci_convert.spec.media_types import Compression
from oci_convert.stores.files.base import ROUND, Files, link_outside, not_a_file
from oci_convert.stores.files.borrowed import View
from oci_convert.stores.files.file import File
from oci_convert.stores.files.paths import check_length, cleaned, joined

__all__ = ["Tar"]

_LINK_LIMIT: Final = 40
_HEADER_LIMIT: Final = 1024 * 1024
"""Bytes of a PAX header or a long name: each is read into memory."""
_HEADERS_LIMIT: Final = 4 * _HEADER_LIMIT
"""Bytes of all headers of one member, and of its map if it is sparse."""
_GLOBAL_LIMIT: Final = 4 * 1024
"""Bytes of all global headers: tarfile copies what they say for every member."""
_EFFORT_LIMIT: Final = 1 << 31
"""Characters that are compared to follow links: some seconds; usual archives need none."""
_BUFFER: Final = 256 * 1024
_ONCE: Final = frozenset({"manifest.json", "index.json", "oci-layout", "repositories"})
"""Members that list the images: two of them would be two archives in one."""
_OF_ONE: Final = frozenset(
    ("path", "linkpath", "size", "GNU.sparse.name", "GNU.sparse.size", "GNU.sparse.realsize")
)
"""Records of PAX that some readers apply to all members if they are in a global header."""
_KINDS: Final = {
    tarfile.FIFOTYPE: "a pipe",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
}
_RECORD: Final = re.compile(rb"([1-9][0-9]{0,7}) [^=\n]+=")
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


class Tar(Files):
    """The regular members of an uncompressed tar file, by their cleaned names.

    Hard and symbolic links are resolved inside the archive. Of several members of one name the
    last counts, as when the archive is extracted; those that say what the archive holds must stand
    once. Members whose names leave the archive are passed over. Who asks for a member that is
    neither a file nor a folder, or for a link that leads out of the archive or round in circles, is
    told so. Records of PAX override the headers, and unknown ones change nothing; global
    ones must not name members or their sizes. What headers say of sizes and of the parts of sparse
    members must fit into the file. Threads may read at the same time.

    ``file`` is the archive if it is already open; it is closed with this object.
    """

    def __init__(self, path: str | os.PathLike[str], file: File | View | None = None) -> None:
        self.label = str(path)
        self._file = file or File(path)
        self._members: dict[str, _Member] = {}
        self._links: dict[str, str | None] = {}
        """Where each link leads; ``None``: out of the archive."""
        self._others: dict[str, str] = {}
        """What is neither a file nor a link nor a folder, and what it is instead."""
        self._effort = 0
        """Characters that were compared to follow links."""
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
                store=self.label,
                remedy="unpack it first",
            )

    def _index(self) -> None:
        reader = _HeaderReader(self._file)
        try:
            with tarfile.open(
                fileobj=reader, mode="r:", encoding="utf-8", tarinfo=_Header
            ) as archive:  # type: ignore[call-overload]  # it asks for no more than the reader has
                for count, member in enumerate(_members(archive, reader)):
                    if count == limits().members:
                        self._refuse_many(count)
                    if archive.pax_headers.keys() & _OF_ONE:
                        self._refuse("a global header contains values of a single member")
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
            store=self.label,
            remedy="fetch it again, or save the image again",
        ) from None

    def _refuse_bomb(self, name: str, member: _Member) -> None:
        """Refuse a sparse member that is far larger than its data."""
        held = sum(extent.end - extent.start for extent in member.extents if extent.at is not None)
        ratio = limits().layer_ratio
        if member.size > RATIO_COUNTS_FROM and member.size > ratio * held:
            raise StoreError(
                f"the sparse member {name!r} is more than {ratio} times larger than its data, "
                "like a decompression bomb",
                code="decompression-bomb",
                store=self.label,
                remedy=raised_by("layer_ratio"),
            )

    def _refuse_many(self, most: int) -> NoReturn:
        raise StoreError(
            f"the archive has more members than the limit of {most}",
            code="too-many-members",
            store=self.label,
            remedy=raised_by("members"),
        )

    def _add(self, member: tarfile.TarInfo) -> None:
        check_length(member.name, self.label)
        check_length(member.linkname, self.label)
        name = cleaned(member.name)
        if name is None or member.isdir():
            return
        if name in _ONCE and any(
            name in known for known in (self._members, self._links, self._others)
        ):
            raise StoreError(
                f"the archive contains {name} twice",
                code="duplicate-archive-member",
                store=self.label,
                remedy="tools would read it differently; do not use it",
            )
        # A hard link is the file that bore the name then, whatever bears it later.
        linked = self._file_at(member.linkname) if member.islnk() else None
        self._members.pop(name, None)
        self._links.pop(name, None)
        self._others.pop(name, None)
        if member.isreg():
            self._members[name] = _Member(member.size, tuple(_extents(member)))
            self._refuse_bomb(name, self._members[name])
        elif linked is not None:
            self._members[name] = linked
        elif member.issym() or member.islnk():
            folder = name.rpartition("/")[0] if member.issym() else ""
            self._links[name] = joined(folder, member.linkname)
        else:
            self._others[name] = _KINDS.get(member.type, "something else")

    def _resolved(self, name: str) -> _Member | None:
        """The member that a name leads to, through links of files and of folders.

        ``None`` if there is none. Raises :class:`StoreError` for what is no file, and for links
        that lead nowhere.
        """
        at = cleaned(name)
        for _ in range(_LINK_LIMIT):
            if at is None or at in self._members:
                return None if at is None else self._members[at]
            if at in self._others:
                raise not_a_file(name, self._others[at], self.label)
            head = self._first_link(at)
            if head is None:
                return None
            target = self._links[head]
            at = None if target is None else cleaned(target + at[len(head) :])
            if at is None:
                raise link_outside(name, "leaves the archive", self.label)
        raise link_outside(name, ROUND, self.label)

    def _first_link(self, name: str) -> str | None:
        """The first part of a name, with what comes before it, that is a link."""
        self._effort += len(name) * (name.count("/") + 1)
        if self._effort > _EFFORT_LIMIT:
            self._refuse("its links and their names are too long")
        slash = 0
        while slash != -1:
            slash = name.find("/", slash + 1)
            head = name if slash == -1 else name[:slash]
            if head in self._links:
                return head
        return None

    def _file_at(self, name: str) -> _Member | None:
        """The member that a name leads to, if it leads to one."""
        try:
            return self._resolved(name)
        except StoreError as error:
            if error.code == "bad-archive":
                raise
            return None

    # -- reading ----------------------------------------------------------------------------

    def names(self, folder: str = "") -> Iterator[str]:
        prefix = f"{folder}/" if folder else ""
        for name in (*self._members, *self._links):
            if name.startswith(prefix) and self._file_at(name) is not None:
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
        return self._file.read_at(buffer, at)

    def close(self) -> None:
        self._file.close()


class _HeaderReader:
    """The file as tarfile reads it: only headers, so a read of many bytes is an error."""

    def __init__(self, file: File | View) -> None:
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


def _extents(member: tarfile.TarInfo) -> Iterator[_Extent]:
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
