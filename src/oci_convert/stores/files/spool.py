"""Opening an archive, whatever it comes as: in place where that can be, else through one copy.

An uncompressed file is read where it is. One that is compressed as a whole, and a stream that
cannot seek, are unpacked into one scratch file while they are read, once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from functools import partial
from io import BufferedReader
from itertools import chain
from typing import BinaryIO, Final

from oci_convert.errors import BlobError, StoreError, UsageError
from oci_convert.layers.compression import SNIFF_BYTES, decompress, sniff
from oci_convert.layers.streams import read_chunks
from oci_convert.spec.media_types import Compression
from oci_convert.stores.files.archive_errors import unreadable
from oci_convert.stores.files.base import Scratch
from oci_convert.stores.files.borrowed import OneWay, View
from oci_convert.stores.files.file import File, pump, write_all
from oci_convert.stores.files.not_an_archive import not_an_archive, recognised
from oci_convert.stores.files.tar import Tar

__all__ = ["open_archive"]

_STDIN: Final = 0


def open_archive(archive: str | View | OneWay | None, label: str, scratch: Scratch) -> Tar:
    """The members of a tar file, by its path or opened; ``None`` is standard input.

    Raises :class:`StoreError` for what is no tar, compressed or not: ``not-an-archive`` where it is
    something else that is known, else ``bad-archive``.
    """
    file = _opened(archive, label)
    try:
        if not isinstance(file, OneWay) and _is_plain(file, label):
            return Tar(label, file)
        with file if isinstance(file, File) else BufferedReader(file) as stream:
            spool = _spooled(stream, label, scratch, _size(file))
            return Tar(label, spool if isinstance(spool, File) else View.of(spool))
    except BaseException:
        file.close()
        raise


def _opened(archive: str | View | OneWay | None, label: str) -> File | View | OneWay:
    if isinstance(archive, str):
        return File(archive)
    if archive is not None:
        return archive
    if os.isatty(_STDIN):
        raise UsageError(
            "an archive cannot be read from a terminal",
            code="terminal",
            store=label,
            remedy="redirect standard input from a file or a pipe",
        )
    return File(_STDIN, name=label, closefd=False)


def _is_plain(file: File | View, label: str) -> bool:
    """Whether an archive can be read in place: a file from its beginning, not compressed."""
    if _size(file) is None or file.tell() != 0:
        return False
    packing = _packing(file.read(SNIFF_BYTES), label)
    file.seek(0)
    return packing in (None, Compression.NONE)  # what is no archive, Tar refuses


def _packing(head: bytes, label: str, within: str = "") -> Compression | None:
    """How an archive is packed; what is recognised as something else is refused."""
    packing = sniff(head)
    stranger = recognised(head) if packing is None else None
    if stranger is not None:
        raise not_an_archive(stranger, label, within)
    return packing


def _spooled(file: BinaryIO, label: str, scratch: Scratch, size: int | None) -> BinaryIO:
    """The archive that ``file`` holds, of ``size`` bytes, unpacked into a scratch file."""
    head = _head(iter(lambda: file.read(SNIFF_BYTES), b""))
    packing = _packing(head, label)
    if packing is None:
        raise unreadable("it is not a tar file", label)
    spool = scratch()
    try:
        if packing is Compression.NONE:
            write_all(spool, head)
            pump(file, lambda _: None, partial(write_all, spool))
        else:
            _unpack(chain([head], read_chunks(file)), packing, spool, label, size)
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return spool


def _size(file: File | View | OneWay) -> int | None:
    """Bytes of a file; ``None`` for a pipe."""
    if isinstance(file, File):
        return file.size if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    return file.size if isinstance(file, View) else None


def _unpack(
    chunks: Iterable[bytes], packing: Compression, spool: BinaryIO, label: str, size: int | None
) -> None:
    """Unpack a tar; what is none is refused at its beginning, not after its end."""
    content = _content(chunks, packing, label, size)
    head = _head(content)
    if _packing(head, label, packing) is not Compression.NONE:
        raise unreadable("it contains no tar file", label)
    for chunk in chain([head], content):
        write_all(spool, chunk)


def _content(
    chunks: Iterable[bytes], packing: Compression, label: str, size: int | None
) -> Iterator[bytes]:
    try:
        yield from decompress(chunks, packing, label, size)
    except BlobError as error:
        if error.code == "corrupt-layer":
            raise unreadable(error.message, label) from None
        raise StoreError(error.message, code=error.code, store=label, remedy=error.remedy) from None


def _head(chunks: Iterator[bytes]) -> bytes:
    """The first chunks of a stream, as many as are enough to know a tar by."""
    head = b""
    while len(head) < SNIFF_BYTES and (chunk := next(chunks, b"")):
        head += chunk
    return head
