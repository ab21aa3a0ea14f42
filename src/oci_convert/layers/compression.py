"""Compressing and decompressing layers: the only module that knows the codec libraries.

Reading is liberal in structure and strict in content: every member of a gzip file, every frame of
a zstd file, whatever chunks they arrive in; but nothing truncated, corrupt or trailing, and never
more memory than a few chunks and the window of the format.

Writing is deterministic: the output depends on the input, the compression and the level, not on
the chunks of the input, the number of workers, the CPU or the time; only of ``fast`` gzip the
processor decides, too. ``docs/adr/0002-codecs.md`` says which library was chosen for what, and how
this was measured.

The codec libraries are imported where they are used: most runs recompress nothing.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import cycle
from struct import pack
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

from oci_convert.errors import BlobError, UsageError
from oci_convert.limits import RATIO_COUNTS_FROM, limits, raised_by, spelled
from oci_convert.spec.media_types import Compression
from oci_convert.text.wording import Wording

if TYPE_CHECKING:
    from zstandard import ZstdDecompressor

__all__ = [
    "DEFAULT_LEVELS",
    "SNIFF_BYTES",
    "codec_versions",
    "compress",
    "decompress",
    "sniff",
]

SNIFF_BYTES: Final = 4096
"""Bytes of a blob that are enough for :func:`sniff`."""

# From here to _ZSTD_JOB: what decides over the bytes, and thereby the digests, of every layer
# that is written. To change one of them is to break a promise.
DEFAULT_LEVELS: Final = {Compression.GZIP: 4, Compression.ZSTD: 3}
"""The level of :func:`compress` when none is given."""

_BLOCK: Final = 1024 * 1024
_DICTIONARY: Final = 32 * 1024  # deflate cannot look back further
_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # no name, no time, no system
_GZIP_LAST_BLOCK: Final = b"\x03\x00"  # empty and final, so that no block needs to know it is last
_FAST_LEVELS: Final = (2, 2, 3)  # of ISA-L, in turn: together 6 % larger than skopeo's files
_FAST_MEMORY_LEVEL: Final = 6
_FAST_ZSTD: Final = 1
_MEMORY_LEVEL: Final = 9  # longer Huffman blocks: 5 to 10 % quicker for 0.4 % of the size
_GZIP_LEVELS: Final = {2: (2, 2, 3), 4: (3, 4)}  # of the blocks, in turn; others are zlib-ng's own.
# zlib-ng's level 2 is quick, but 5 % larger than skopeo's files; so mixed it is 3 % larger. Its
# level 4 is 1 % smaller than they are, and so mixed hardly, but quicker.
_ZSTD_WINDOW: Final = 23  # 8 MiB, the largest that RFC 8878 asks of every decoder
_ZSTD_JOB: Final = 8 * 1024 * 1024  # a job sees little of the one before it, whatever the window

_OUTPUT: Final = 256 * 1024
"""Bytes that are unpacked at a time: what a bomb may blow up at once."""

_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_BZIP2_MAGIC: Final = b"BZh"
_XZ_MAGIC: Final = b"\xfd7zXZ\x00"
_TAR_BLOCK: Final = 512
_ZSTD_HEADER: Final = 18  # bytes of the longest frame header
_ZSTD_RLE: Final = 1
_PIECE: Final = 32 * 1024
_TRUNCATED: Final = "is truncated"
_NUMBER: Final = r"^Error -?\d+ ?(?:while decompressing data: )?"
"""What zlib and ISA-L begin their messages with."""
_OVER_LIMIT: Final = ("Memory usage limit", "too much memory")  # as liblzma and zstd put it


def sniff(head: bytes) -> Compression | None:
    """What the first bytes of a layer say that it is; ``None`` if no known format fits.

    ``head`` is the beginning of the blob, up to :data:`SNIFF_BYTES`. ``Compression.NONE`` means a
    tar: one with a magic, one of 1979 with a right checksum, or the zero block of an empty one.
    """
    if head.startswith(_GZIP_MAGIC):
        return Compression.GZIP
    if head.startswith(_ZSTD_MAGIC) or _is_skippable(head[:4]):
        return Compression.ZSTD
    if head.startswith(_BZIP2_MAGIC) and b"1" <= head[3:4] <= b"9":
        return Compression.BZIP2
    if head.startswith(_XZ_MAGIC):
        return Compression.XZ
    return Compression.NONE if _is_tar(head[:_TAR_BLOCK]) else None


def decompress(
    chunks: Iterable[bytes], compression: Compression, where: str, size: int | None = None
) -> Iterator[bytes]:
    """The content of a compressed layer, in chunks of at most a few hundred KiB.

    All gzip members, zstd frames (skippable ones, too), bzip2 and xz streams are read, and
    ``chunks`` is always read to its end, so that its digest can be verified.
    Bytes behind the last member are an error: other tools disagree about them (skopeo refuses,
    Docker ignores), and a layer that tools read differently must not be copied. Zero bytes up to
    the end, as tape and tar padding leave them, are accepted behind gzip, bzip2 and xz.

    Raises :class:`BlobError`: ``corrupt-layer`` for what is truncated, damaged, followed by other
    bytes or not of this compression; ``window-too-large``, ``layer-too-large`` and
    ``decompression-bomb`` for what goes beyond the :class:`~oci_convert.limits.Limits`, as
    soon as it does. ``where`` is the location for errors, ``size`` the number of all
    ``chunks``' bytes where it is known: what counts for a bomb is the whole layer, not how well its
    beginning packs.
    """
    source = _Source(chunks, compression, where)
    match compression:
        case Compression.NONE:
            return iter(chunks)
        case Compression.ZSTD:
            content = _zstd_frames(source)
        case Compression.GZIP:
            content = _members(source, _gzip_format())
        case Compression.BZIP2:
            content = _members(source, _bzip2_format())
        case Compression.XZ:
            content = _members(source, _xz_format())
    return _bounded(content, source, size)


def compress(
    chunks: Iterable[bytes],
    compression: Compression,
    level: int | None,
    workers: int = 1,
    *,
    fast: bool = False,
) -> Iterator[bytes]:
    """The bytes of ``chunks``, compressed as gzip or zstd (``NONE``: as they are).

    ``level`` is 1 (fast) to 9 (small), ``None`` for :data:`DEFAULT_LEVELS`; plain bytes have no
    level. ``workers`` threads compress parts of the input at a time; the output is the same for
    any number of them. ``chunks`` is only ever read by the thread that reads the result.

    ``fast`` takes the place of a level: gzip by ISA-L, whose output depends on the vector units of
    the processor, and zstd at level 1.

    A gzip file is one member, as some readers of layers stop after the first. A zstd file is one
    frame with a checksum and without the size of its content.

    Raises :class:`UsageError` at once: ``invalid-level`` or ``cannot-compress`` (bzip2 and xz are
    only read: no media type has them).
    """
    if compression is Compression.NONE:
        return iter(chunks)
    if compression not in DEFAULT_LEVELS:
        raise UsageError(
            f"layers cannot be written as {compression}",
            code="cannot-compress",
            remedy="choose gzip, zstd or none",
        )
    chosen = DEFAULT_LEVELS[compression] if level is None else level
    if not 1 <= chosen <= 9:
        raise UsageError(
            f"{chosen} is not a compression level", code="invalid-level", remedy="choose 1 to 9"
        )
    if compression is Compression.ZSTD:
        return _zstd(chunks, _FAST_ZSTD if fast else chosen, max(1, workers))
    deflate = _fast_deflate() if fast else _deflate
    levels = _FAST_LEVELS if fast else _GZIP_LEVELS.get(chosen, (chosen,))
    return _gzip(chunks, deflate, levels, max(1, workers))


def codec_versions(
    compression: Compression, level: int | None = None, *, fast: bool = False
) -> dict[str, str]:
    """What decides over the bytes that :func:`compress` writes, for the report.

    ``library``, ``version`` (of the Python package), ``engine`` (of the C library in it) and
    ``level``; empty for what is never written.
    """
    match compression:
        case Compression.GZIP if fast:
            import isal

            name, version, engine = "isal", isal.__version__, isal.ISAL_VERSION
        case Compression.GZIP:
            import zlib_ng.zlib_ng

            name, engine = "zlib-ng", str(zlib_ng.zlib_ng.ZLIBNG_RUNTIME_VERSION)
            version = str(zlib_ng.__version__)
        case Compression.ZSTD:
            import zstandard

            name, engine = "zstandard", ".".join(map(str, zstandard.ZSTD_VERSION))
            version = zstandard.__version__
        case _:
            return {}
    chosen = "fast" if fast else str(level or DEFAULT_LEVELS[compression])
    return {"library": name, "version": version, "engine": engine, "level": chosen}


# ---------------------------------------------------------------------------------- sniffing


def _is_skippable(magic: bytes) -> bool:
    return len(magic) == 4 and magic[0] & 0xF0 == 0x50 and magic[1:] == b"\x2a\x4d\x18"


def _is_tar(block: bytes) -> bool:
    if len(block) < _TAR_BLOCK or block[257:262] == b"ustar":
        return block[257:262] == b"ustar"
    # The checksum of the header counts its own field as spaces.
    total = sum(block[:148], sum(b" " * 8)) + sum(block[156:])
    return not any(block) or _octal(block[148:156]) == total


def _octal(field: bytes) -> int | None:
    """The number in a field of a tar header."""
    try:
        return int(field.strip(b" \0"), 8)
    except ValueError:
        return None


# ------------------------------------------------------------------------------------ reading


class _Source:
    """Compressed chunks as one stream that can be peeked into and makes its errors."""

    def __init__(self, chunks: Iterable[bytes], compression: Compression, where: str) -> None:
        self._chunks = iter(chunks)
        self._chunk = memoryview(b"")
        self._at = 0
        self._compression = compression
        self._where = where
        self.taken = 0
        """Bytes of the chunks that were asked for so far."""

    def _next(self) -> bytes | None:
        chunk = next(self._chunks, None)
        self.taken += len(chunk or b"")
        return chunk

    def read(self, limit: int) -> memoryview:
        """Up to ``limit`` bytes of one chunk; none only at the end."""
        while self._at == len(self._chunk):
            chunk = self._next()
            if chunk is None:
                return memoryview(b"")
            self._chunk, self._at = memoryview(chunk), 0
        data = self._chunk[self._at : self._at + limit]
        self._at += len(data)
        return data

    def unread(self, size: int) -> None:
        """Put back the last ``size`` bytes of the last :meth:`read`."""
        self._at -= size

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer only at the end; they stay to be read."""
        while len(self._chunk) - self._at < size:
            chunk = self._next()
            if chunk is None:
                break
            self._chunk, self._at = memoryview(bytes(self._chunk[self._at :]) + chunk), 0
        return bytes(self._chunk[self._at : self._at + size])

    def exactly(self, size: int) -> memoryview | bytearray:
        """The next ``size`` bytes, copied only where chunks meet."""
        data = self.read(size)
        if len(data) == size:
            return data
        joined = bytearray(data)
        while len(joined) < size:
            joined += self._some(size - len(joined))
        return joined

    def skip(self, size: int) -> None:
        """Pass over ``size`` bytes without holding them."""
        while size:
            size -= len(self._some(size))

    def finish(self) -> None:
        """Accept nothing but zero bytes up to the end."""
        while data := self.read(_OUTPUT):
            if bytes(data).strip(b"\0"):
                raise self.fault("is followed by other bytes")

    def _some(self, limit: int) -> memoryview:
        data = self.read(limit)
        if not data:
            raise self.fault(_TRUNCATED)
        return data

    def piece(self) -> memoryview:
        """As much as a decoder should be fed at a time; an error at the end."""
        return self._some(_PIECE)

    def fault(self, what: str) -> BlobError:
        """The error of data that cannot be read."""
        return BlobError(
            f"the {self._compression} data {what}",
            code="corrupt-layer",
            where=self._where,
            remedy="fetch the image again, or rebuild it if the registry has the same bytes",
        )

    def damaged(self, error: Exception) -> BlobError:
        """The error of data that the library refuses."""
        if not any(words in str(error) for words in _OVER_LIMIT):
            return self.fault(f"is damaged: {re.sub(_NUMBER, '', str(error)).lower()}")
        zstd = self._compression is Compression.ZSTD
        name = "zstd_window" if zstd else "xz_dictionary"
        most = getattr(limits(), name)
        return self.beyond(f"needs a window larger than {spelled(most)}", "window-too-large", name)

    def beyond(self, what: str, code: str, limit: str) -> BlobError:
        """The error of data that goes beyond a limit."""
        return BlobError(
            f"the {self._compression} data {what}",
            code=code,
            where=self._where,
            remedy=raised_by(limit),
        )


def _bounded(content: Iterator[bytes], source: _Source, packed: int | None) -> Iterator[bytes]:
    """The same content, as long as it is no larger than a layer may be."""
    most, ratio = limits().layer_size, limits().layer_ratio
    size = 0
    for data in content:
        size += len(data)
        if size > most:
            raise source.beyond(
                f"unpacks to more than the limit of {spelled(most)}",
                "layer-too-large",
                "layer_size",
            )
        if size > RATIO_COUNTS_FROM and size > ratio * (packed or source.taken):
            raise source.beyond(
                f"unpacks to more than {ratio} times its size, like a decompression bomb",
                "decompression-bomb",
                "layer_ratio",
            )
        yield data


class _Decoder(Protocol):
    """What the decoders of the standard library and of isal have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: Any, max_length: int) -> bytes: ...


_Deflate = Callable[[bytes | bytearray, memoryview, int], bytes]
"""A block, what comes before it and a level; what packs it, a whole number of deflate blocks."""


class _Format(NamedTuple):
    """How to read one kind of compressed file that is a sequence of members."""

    magic: bytes
    decoder: Callable[[], _Decoder]
    errors: tuple[type[Exception], ...]


def _members(source: _Source, form: _Format) -> Iterator[bytes]:
    """The content of all members, one after the other."""
    while True:
        yield from _member(source, form)
        if source.peek(len(form.magic)) != form.magic:
            return source.finish()


def _member(source: _Source, form: _Format) -> Iterator[bytes]:
    """The content of one member. Decoders are fed little, as each copies what it leaves over."""
    decoder = form.decoder()
    while not decoder.eof:
        piece = source.piece() if decoder.needs_input else b""
        # Only the decoder is watched: what the source raises is not about compression.
        try:
            data = decoder.decompress(piece, _OUTPUT)
        except form.errors as error:
            raise source.damaged(error) from error
        if data:
            yield data
    source.unread(len(decoder.unused_data))


def _gzip_format() -> _Format:
    """Gzip by isal, which reads fastest, or by zlib-ng where there is no isal."""
    try:
        from isal import igzip_lib
    except ImportError:
        from zlib_ng import zlib_ng

        return _Format(_GZIP_MAGIC, _ZlibDecoder, (cast("type[Exception]", zlib_ng.error),))
    decoder = partial(igzip_lib.IgzipDecompressor, flag=igzip_lib.DECOMP_GZIP)
    return _Format(_GZIP_MAGIC, decoder, (cast("type[Exception]", igzip_lib.IsalError),))


class _ZlibDecoder:
    """The decoder of zlib-ng, made to look like the others."""

    def __init__(self) -> None:
        from zlib_ng import zlib_ng

        self._inner = zlib_ng.decompressobj(wbits=31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: Any, max_length: int) -> bytes:
        content = self._inner.decompress(self._inner.unconsumed_tail or data, max_length)
        # A full output may leave content behind in the decoder even if all input was taken.
        self.needs_input = not self._inner.unconsumed_tail and len(content) < max_length
        return content


def _bzip2_format() -> _Format:
    import bz2

    return _Format(_BZIP2_MAGIC, bz2.BZ2Decompressor, (OSError, ValueError))


def _xz_format() -> _Format:
    import lzma

    # The limit of the library counts its own needs, too: less than a MiB.
    limit = limits().xz_dictionary + 1024 * 1024
    decoder = partial(lzma.LZMADecompressor, format=lzma.FORMAT_XZ, memlimit=limit)
    return _Format(_XZ_MAGIC, decoder, (lzma.LZMAError,))


def _zstd_frames(source: _Source) -> Iterator[bytes]:
    """The content of all frames; skippable ones, as zstd:chunked has, are passed over."""
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=limits().zstd_window)
    if not source.peek(1):
        raise source.fault(_TRUNCATED)
    while magic := source.peek(4):
        if _is_skippable(magic):
            source.skip(int.from_bytes(source.exactly(8)[4:], "little"))
        elif magic == _ZSTD_MAGIC:
            try:
                yield from _zstd_frame(source, decompressor)
            except zstandard.ZstdError as error:
                raise source.damaged(error) from error
        else:
            raise source.fault("is followed by bytes that are not a zstd frame")


def _zstd_frame(source: _Source, decompressor: ZstdDecompressor) -> Iterator[bytes]:
    """The content of one frame, fed block by block.

    The library gives out all that its input holds. A block holds 128 KiB at most, so that neither
    a bomb nor an unfortunate chunk takes memory, and the end of the frame is known for certain.
    """
    import zstandard

    head = source.peek(_ZSTD_HEADER)
    frame = zstandard.get_frame_parameters(head)
    decoder = decompressor.decompressobj()
    decoder.decompress(source.exactly(zstandard.frame_header_size(head)))
    last = False
    while not last:
        header = int.from_bytes(source.peek(3), "little")
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        if data := decoder.decompress(source.exactly(3 + (1 if kind == _ZSTD_RLE else size))):
            yield data
    if frame.has_checksum:
        decoder.decompress(source.exactly(4))
    if not decoder.eof:
        raise source.fault("is damaged: a frame does not end where it says")


# ------------------------------------------------------------------------------------ writing


def _gzip(
    chunks: Iterable[bytes], deflate: _Deflate, levels: Sequence[int], workers: int
) -> Iterator[bytes]:
    """One gzip member of blocks that are compressed each on its own.

    Every block ends on a byte boundary (sync flush) and begins with the end of the one before as
    its dictionary: hardly larger than compressed in one go.
    """
    from zlib_ng.zlib_ng import crc32

    checksum = size = 0

    def jobs() -> Iterator[Callable[[], bytes]]:
        nonlocal checksum, size
        dictionary = memoryview(b"")
        for block, level in zip(_blocks(chunks), cycle(levels), strict=False):
            checksum = crc32(block, checksum)
            size += len(block)
            yield partial(deflate, block, dictionary, level)
            dictionary = memoryview(block)[-_DICTIONARY:]

    yield _GZIP_HEADER
    yield from _in_order(jobs(), workers)
    yield _GZIP_LAST_BLOCK + pack("<LL", checksum, size & 0xFFFFFFFF)


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes | bytearray]:
    """The same bytes in blocks of one size, only the last of which may be smaller."""
    block = bytearray()
    for chunk in chunks:
        if len(chunk) == _BLOCK and not block:
            yield chunk
            continue
        rest = memoryview(chunk)
        while rest:
            room = _BLOCK - len(block)
            block += rest[:room]
            rest = rest[room:]
            if len(block) == _BLOCK:
                yield block
                block = bytearray()
    if block:
        yield block


def _deflate(block: bytes | bytearray, dictionary: memoryview, level: int) -> bytes:
    """A whole number of deflate blocks, none of them final.

    A fresh compressor and one call for the whole block: some levels would otherwise depend on how
    the input was cut, or on what was compressed before.
    """
    from zlib_ng import zlib_ng

    compressor = zlib_ng.compressobj(
        level,
        zlib_ng.DEFLATED,
        -15,
        _MEMORY_LEVEL,
        zlib_ng.Z_DEFAULT_STRATEGY,
        dictionary,
    )
    return compressor.compress(block) + compressor.flush(zlib_ng.Z_SYNC_FLUSH)


def _fast_deflate() -> _Deflate:
    """:func:`_deflate` by ISA-L."""
    try:
        from isal import isal_zlib
    except ImportError:
        raise UsageError(
            "isal is not installed, which compresses fast",
            code="cannot-compress",
            remedy=Wording("leave out {fast=True}, or: pip install isal"),
        ) from None

    def deflate(block: bytes | bytearray, dictionary: memoryview, level: int) -> bytes:
        compressor = isal_zlib.compressobj(
            level,
            isal_zlib.DEFLATED,
            -15,
            _FAST_MEMORY_LEVEL,
            isal_zlib.Z_DEFAULT_STRATEGY,
            dictionary,
        )
        return compressor.compress(block) + compressor.flush(isal_zlib.Z_SYNC_FLUSH)

    return deflate


def _in_order(jobs: Iterable[Callable[[], bytes]], workers: int) -> Iterator[bytes]:
    """The results of ``jobs`` in their order; a few more than ``workers`` are held at a time."""
    if workers == 1:
        yield from (job() for job in jobs)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    running: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="compress") as pool:
        try:
            for job in jobs:
                running.append(pool.submit(job))
                if len(running) > workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _zstd(chunks: Iterable[bytes], level: int, workers: int) -> Iterator[bytes]:
    """One zstd frame. The library's threads cut the input alike for any number of them.

    Without threads it would be cut differently, so there is always one.
    """
    import zstandard

    parameters = zstandard.ZstdCompressionParameters.from_level(
        level,
        threads=workers,
        window_log=_ZSTD_WINDOW,
        job_size=_ZSTD_JOB,
        write_checksum=True,
        write_content_size=False,
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    for chunk in chunks:
        if data := compressor.compress(chunk):
            yield data
    yield compressor.flush()
