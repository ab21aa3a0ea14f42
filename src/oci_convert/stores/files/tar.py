"""Files in a tar file, read in place: its members are indexed, never extracted."""

from __future__ import annotations

import io
import os
import tarfile
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, NoReturn

from oci_convert.errors import StoreError
from oci_convert.layers.compression import sniff
from oci_convert.limits import RATIO_COUNTS_FROM, limits, raised_by
from oci_convert.spec.media_types import Compression
from oci_convert.stores.files.archive_errors import unreadable
from oci_convert.stores.files.base import ROUND, Files, link_outside, not_a_file
from oci_convert.stores.files.borrowed import View
from oci_convert.stores.files.file import File
from oci_convert.stores.files.paths import check_length, cleaned, joined
from oci_convert.stores.files.tar_headers import FAULTS, Extent, extents, headers

__all__ = ["Tar"]

_LINK_LIMIT: Final = 40
_EFFORT_LIMIT: Final = 1 << 31
"""Characters that are compared to follow links: some seconds; usual archives need none."""
_BUFFER: Final = 256 * 1024
_ONCE: Final = frozenset({"manifest.json", "index.json", "oci-layout", "repositories"})
"""Members that list the images: two of them would be two archives in one."""
_KINDS: Final = {
    tarfile.FIFOTYPE: "a pipe",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
}


@dataclass(frozen=True, slots=True)
class _Member:
    """A regular member: its size, and its extents without gaps."""

    size: int
    extents: tuple[Extent, ...]


class Tar(Files):
    """The regular members of an uncompressed tar file, by their cleaned names.

    Hard and symbolic links are resolved inside the archive. Of several members of one name the
    last counts, as when the archive is extracted; those that say what the archive holds must stand
    once, and no name may stand with a slash before it and without. Members whose names leave the
    archive are passed over. Who asks for a member that is neither a file nor a folder, or for a
    link that leads out of the archive or round in circles, is told so. Records of PAX override the
    headers, and unknown ones change nothing; global ones must not name members or their sizes. What
    headers say of sizes and of the parts of sparse members must fit into the file. Threads may read
    at the same time.

    ``file`` is the archive if it is already open; it is closed with this object.
    """

    def __init__(self, path: str | os.PathLike[str], file: File | View | None = None) -> None:
        self.label: str = str(path)
        self._file = file or File(path)
        self._members: dict[str, _Member] = {}
        self._links: dict[str, str | None] = {}
        """Where each link leads; ``None``: out of the archive."""
        self._others: dict[str, str] = {}
        """What is neither a file nor a link nor a folder, and what it is instead."""
        self._rooted: set[str] = set()
        """Members whose names begin with a slash."""
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
        try:
            for count, member in enumerate(headers(self._file)):
                if count == limits().members:
                    self._refuse_many(count)
                self._add(member)
        except FAULTS as error:
            self._refuse(str(error) or type(error).__name__)

    def _refuse(self, why: str) -> NoReturn:
        raise unreadable(why, self.label) from None

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
        rooted = member.name.startswith("/")
        name = cleaned(member.name.lstrip("/") if rooted else member.name)
        if name is None or member.isdir() or (rooted and name in _ONCE):
            return
        once = name in _ONCE or rooted != (name in self._rooted)
        if once and any(name in known for known in (self._members, self._links, self._others)):
            raise StoreError(
                f"the archive contains {name} twice",
                code="duplicate-archive-member",
                store=self.label,
                remedy="tools would read it differently; do not use it",
            )
        if rooted:
            self._rooted.add(name)
        # A hard link is the file that bore the name then, whatever bears it later.
        linked = self._file_at(member.linkname) if member.islnk() else None
        self._members.pop(name, None)
        self._links.pop(name, None)
        self._others.pop(name, None)
        if member.isreg():
            self._members[name] = _Member(member.size, tuple(extents(member)))
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

    def same(self, name: str, other: str) -> bool:
        return self._resolved(name) is self._resolved(other)

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
