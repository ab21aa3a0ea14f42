"""Every codec there and back; the same bytes always; nothing wrong gets through."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import random
import struct
import subprocess
import sys
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Literal

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from oci_convert.errors import BlobError, OciConvertError, UsageError
from oci_convert.layers.compression import codec_versions, compress, decompress, sniff
from oci_convert.spec.media_types import Compression

GZIP, ZSTD, BZIP2, XZ = Compression.GZIP, Compression.ZSTD, Compression.BZIP2, Compression.XZ
WRITTEN = [GZIP, ZSTD]
PACKED = [GZIP, ZSTD, BZIP2, XZ]
LEVELS = [(codec, level) for codec in WRITTEN for level in range(1, 10)]
MIB = 1024 * 1024

SMALL = b"a small layer, a small layer, and no more than that" * 3
BOMB = 64 * MIB
SKIPPABLE = b"\x5a\x2a\x4d\x18\x05\x00\x00\x00chunk"


@cache
def sample(codec: Compression) -> bytes:
    """Words, noise and zeros, the same with every Python: gzip blocks and zstd jobs, and a bit."""
    size = 2 * MIB + 77_777 if codec is GZIP else 8 * MIB + 1
    noise = hashlib.shake_128(b"oci-convert").digest(size // 8)
    words = [noise[at : at + 1 + at % 23] for at in range(256)]
    parts = [b"".join(words[byte] for byte in noise), bytes(size // 16), noise]
    whole = b"".join(part[at : at + 60_000] for at in range(0, size, 60_000) for part in parts)
    return (whole + whole)[:size]


@cache
def packed_sample(codec: Compression, level: int) -> bytes:
    return b"".join(compress([sample(codec)], codec, level))


def pack(data: bytes, codec: Compression) -> bytes:
    if codec is BZIP2:
        return bz2.compress(data)
    if codec is XZ:
        return lzma.compress(data, preset=0)
    return b"".join(compress([data], codec, None))


def unpack(data: bytes, codec: Compression, chunk: int = 256 * 1024) -> bytes:
    return b"".join(decompress(cut(data, chunk), codec, "layers[0]"))


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.fixture(params=["isal", "zlib-ng"])
def _both_gzip_readers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "zlib-ng":
        monkeypatch.setitem(sys.modules, "isal", None)  # the import fails


both_gzip_readers = pytest.mark.usefixtures("_both_gzip_readers")


# -------------------------------------------------------------------------------- writing


@pytest.mark.parametrize(("codec", "level"), LEVELS)
def test_comes_back(codec: Compression, level: int) -> None:
    assert unpack(packed_sample(codec, level), codec, 99_991) == sample(codec)


@pytest.mark.parametrize(("codec", "level"), LEVELS)
@pytest.mark.parametrize(("chunk", "workers"), [(256 * 1024, 1), (1_000_003, 2), (4999, 3)])
def test_same_bytes_for_all_chunks_and_workers(
    codec: Compression, level: int, chunk: int, workers: int
) -> None:
    packed = b"".join(compress(cut(sample(codec), chunk), codec, level, workers))
    assert packed == packed_sample(codec, level)


@pytest.mark.parametrize("codec", WRITTEN)
def test_same_bytes_as_recorded(codec: Compression, golden: Callable[[str, str], None]) -> None:
    # Each version of an engine has its own file: a new one has to be looked at, and recorded.
    engine = codec_versions(codec)["engine"]
    hashes = {
        str(level): hashlib.sha256(packed_sample(codec, level)).hexdigest()
        for level in range(1, 10)
    }
    hashes["empty"] = hashlib.sha256(pack(b"", codec)).hexdigest()
    golden(json.dumps(hashes, indent=1) + "\n", f"compression/{codec}-{engine}.json")


@pytest.mark.parametrize("codec", WRITTEN)
@given(st.lists(st.binary(max_size=50), max_size=20))
def test_any_chunks_come_back(codec: Compression, chunks: list[bytes]) -> None:
    packed = list(compress(chunks, codec, None))
    assert b"".join(packed) == pack(b"".join(chunks), codec)
    assert b"".join(decompress(packed, codec, "")) == b"".join(chunks)


@pytest.mark.parametrize("codec", WRITTEN)
@pytest.mark.parametrize(("chunk", "workers"), [(256 * 1024, 1), (1_000_003, 2), (4999, 3)])
def test_compressed_fast_it_comes_back(codec: Compression, chunk: int, workers: int) -> None:
    packed = b"".join(compress(cut(sample(codec), chunk), codec, None, workers, fast=True))
    assert unpack(packed, codec) == sample(codec)
    assert packed == b"".join(compress([sample(codec)], codec, None, fast=True))
    assert packed != packed_sample(codec, 3)


def test_gzip_compressed_fast_is_one_member() -> None:
    reader = zlib.decompressobj(31)
    packed = b"".join(compress([sample(GZIP)], GZIP, None, fast=True))
    assert reader.decompress(packed) == sample(GZIP)
    assert reader.eof
    assert reader.unused_data == b""


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_any_chunks_compressed_fast_come_back(chunks: list[bytes]) -> None:
    packed = compress(chunks, GZIP, None, fast=True)
    assert b"".join(decompress(packed, GZIP, "")) == b"".join(chunks)


def test_what_compresses_fast_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal", None)  # the import fails
    with pytest.raises(UsageError) as caught:
        compress([], GZIP, None, fast=True)
    assert caught.value.code == "cannot-compress"


@pytest.mark.parametrize("codec", WRITTEN)
def test_a_level_is_1_to_9(codec: Compression) -> None:
    for level in (-1, 0, 10):
        with pytest.raises(UsageError) as caught:
            compress([], codec, level)
        assert caught.value.code == "invalid-level"


@pytest.mark.parametrize("codec", WRITTEN)
def test_no_level_is_the_default_one(codec: Compression) -> None:
    level = int(codec_versions(codec)["level"])
    assert b"".join(compress([sample(codec)], codec, None)) == packed_sample(codec, level)


@pytest.mark.parametrize("codec", [BZIP2, XZ])
def test_bzip2_and_xz_are_not_written(codec: Compression) -> None:
    with pytest.raises(UsageError, match="layers cannot be written") as caught:
        compress([b""], codec, None)
    assert caught.value.code == "cannot-compress"
    assert codec_versions(codec) == {}


def test_none_is_no_compression() -> None:
    assert b"".join(compress([b"a", b"b"], Compression.NONE, None)) == b"ab"
    assert b"".join(decompress([b"a", b"b"], Compression.NONE, "")) == b"ab"


def test_gzip_is_one_member_without_name_and_time() -> None:
    packed = packed_sample(GZIP, 4)
    reader = zlib.decompressobj(31)
    assert reader.decompress(packed) == sample(GZIP)
    assert reader.eof
    assert reader.unused_data == b""
    assert packed.startswith(bytes.fromhex("1f8b08 00 00000000 00 ff"))


def test_gzip_of_nothing_is_a_member_of_its_own() -> None:
    assert gzip.decompress(pack(b"", GZIP)) == b""


def test_streaming_tarfile_reads_it() -> None:
    # It stops after the first member of a gzip file, which is why there must be only one.
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        info = tarfile.TarInfo("blob")
        info.size = len(sample(GZIP))
        tar.addfile(info, io.BytesIO(sample(GZIP)))
    packed = pack(file.getvalue(), GZIP)
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r|gz") as tar:
        member = tar.next()
        assert member is not None
        content = tar.extractfile(member)
        assert content is not None
        assert content.read() == sample(GZIP)


def test_zstd_is_one_frame_with_a_checksum_and_no_size() -> None:
    packed = packed_sample(ZSTD, 3)
    frame = zstandard.get_frame_parameters(packed)
    assert frame.has_checksum
    assert frame.content_size == zstandard.CONTENTSIZE_UNKNOWN
    reader = zstandard.ZstdDecompressor().decompressobj()
    assert reader.decompress(packed) == sample(ZSTD)
    assert reader.eof
    assert reader.unused_data == b""


@pytest.mark.parametrize(
    ("tool", "codec"), [("gzip", GZIP), ("pigz", GZIP), ("zstd", ZSTD), ("busybox", GZIP)]
)
def test_other_tools_read_it(tool: str, codec: Compression, peers: Callable[[str], str]) -> None:
    command = [peers(tool), *(["gzip"] if tool == "busybox" else []), "-dc"]
    done = subprocess.run(
        command, input=packed_sample(codec, 1), capture_output=True, check=True, timeout=60
    )
    assert done.stdout == sample(codec)


@pytest.mark.parametrize("codec", WRITTEN)
def test_only_a_few_blocks_are_taken_ahead(codec: Compression) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        noise = random.Random(1)
        while True:
            taken += MIB
            yield noise.randbytes(MIB)

    results = compress(endless(), codec, 1, 2)
    given_out = 0
    while given_out < 100 * MIB:
        given_out += len(next(results))
        assert taken - given_out < 72 * MIB
    results.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("compress")]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("codec", WRITTEN)
def test_the_source_is_read_by_the_reader_and_its_errors_pass(
    codec: Compression, workers: int
) -> None:
    def source() -> Iterator[bytes]:
        assert threading.current_thread() is threading.main_thread()
        yield bytes(3 * MIB)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(compress(source(), codec, None, workers))


# -------------------------------------------------------------------------------- reading


@both_gzip_readers
@pytest.mark.parametrize("codec", PACKED)
@pytest.mark.parametrize("chunk", [1, 2, 7, 10_000])
def test_many_members_in_any_chunks(codec: Compression, chunk: int) -> None:
    members = [SMALL, b"", SMALL * 50, b"x"]
    packed = b"".join(pack(member, codec) for member in members)
    assert unpack(packed, codec, chunk) == b"".join(members)


@pytest.mark.parametrize("chunk", [1, 5, 10_000])
def test_skippable_zstd_frames_are_passed_over(chunk: int) -> None:
    frame = pack(SMALL, ZSTD)
    packed = SKIPPABLE + frame + SKIPPABLE + SKIPPABLE + frame + SKIPPABLE
    assert unpack(packed, ZSTD, chunk) == SMALL * 2


@pytest.mark.parametrize("level", [-7, 1, 19])
@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize("size", [False, True])
def test_zstd_frames_of_every_form(level: int, checksum: bool, size: bool) -> None:
    writer = zstandard.ZstdCompressor(level=level, write_checksum=checksum, write_content_size=size)
    for content in (b"", b"x", SMALL, bytes(300_000), sample(GZIP)[:600_000]):
        for chunk in (1000, 10**6):
            assert unpack(writer.compress(content), ZSTD, chunk) == content


@both_gzip_readers
@pytest.mark.parametrize("codec", [GZIP, BZIP2, XZ])
@pytest.mark.parametrize("chunk", [1, 100, 10_000])
def test_zeros_behind_the_last_member_are_padding(codec: Compression, chunk: int) -> None:
    packed = pack(SMALL, codec) * 2 + bytes(10_240)
    assert unpack(packed, codec, chunk) == SMALL * 2


@both_gzip_readers
@pytest.mark.parametrize("codec", PACKED)
@pytest.mark.parametrize("tail", ["x", "\0x", "\0" * 600 + "x", "\x1f", "BZ", "(\xb5/", "PK\3\4"])
def test_other_bytes_behind_the_last_member_are_refused(codec: Compression, tail: str) -> None:
    for chunk in (1, 10_000):
        refused(pack(SMALL, codec) + tail.encode("latin-1"), codec, chunk)
    refused(pack(SMALL, codec) + bytes(9) + pack(SMALL, codec), codec)


@both_gzip_readers
@pytest.mark.parametrize("codec", PACKED)
@pytest.mark.parametrize("chunk", [1, 10_000])
def test_truncated_at_every_byte(codec: Compression, chunk: int) -> None:
    packed = pack(SMALL, codec)
    for end in range(len(packed)):
        refused(packed[:end], codec, chunk)
    for end in range(1, len(packed)):
        refused(packed + packed[:end], codec, chunk)


@both_gzip_readers
@pytest.mark.parametrize("codec", PACKED)
def test_a_changed_byte_never_changes_the_content(codec: Compression) -> None:
    packed = pack(SMALL, codec)
    for at in range(len(packed)):
        damaged = bytearray(packed)
        damaged[at] ^= 0x41
        try:
            content = unpack(bytes(damaged), codec)
        except BlobError as error:
            assert error.code in {"corrupt-layer", "window-too-large"}  # noqa: PT017
        else:
            assert content == SMALL  # a byte of the gzip header that means nothing


@both_gzip_readers
@pytest.mark.parametrize("codec", PACKED)
@given(st.binary(max_size=300), st.integers(0, 300), st.integers(1, 40))
def test_arbitrary_bytes_raise_only_our_errors(
    codec: Compression, noise: bytes, keep: int, chunk: int
) -> None:
    for data in (noise, pack(SMALL, codec)[:keep] + noise):
        try:
            unpack(data, codec, chunk)
        except OciConvertError as error:
            assert error.where == "layers[0]"  # noqa: PT017


@both_gzip_readers
@pytest.mark.parametrize("codec", PACKED)
def test_a_bomb_comes_in_small_pieces(codec: Compression) -> None:
    bomb = b"".join(pack(bytes(BOMB), codec) for _ in range(2))
    sizes = [len(chunk) for chunk in decompress([bomb], codec, "")]
    assert sum(sizes) == 2 * BOMB
    assert max(sizes) <= 256 * 1024


@both_gzip_readers
@pytest.mark.parametrize("codec", PACKED)
def test_a_full_last_piece_is_not_a_truncation(codec: Compression) -> None:
    content = bytes(256 * 1024)
    assert unpack(pack(content, codec), codec) == content


@both_gzip_readers
@pytest.mark.parametrize("codec", [Compression.NONE, *PACKED])
def test_the_source_is_read_to_its_end_and_its_errors_pass(codec: Compression) -> None:
    def source() -> Iterator[bytes]:
        yield SMALL if codec is Compression.NONE else pack(SMALL, codec)
        raise OSError("the digest is wrong")

    with pytest.raises(OSError, match="the digest is wrong"):
        list(decompress(source(), codec, ""))


def zstd_frame(window_descriptor: int) -> bytes:
    """An empty frame, but with this window."""
    return zstandard.FRAME_HEADER + bytes([0, window_descriptor, 1, 0, 0])


def test_a_zstd_window_has_a_limit() -> None:
    assert unpack(zstd_frame((27 - 10) << 3), ZSTD) == b""
    for descriptor in ((27 - 10) << 3 | 1, (28 - 10) << 3, 0xFF):
        error = refused(zstd_frame(descriptor), ZSTD, code="window-too-large")
        assert "128MiB" in error.message


def test_a_zstd_frame_in_one_segment_has_the_same_limit() -> None:
    frame = zstandard.FRAME_HEADER + struct.pack("<BQ", 0xE0, 1 << 40) + b"\1\0\0"
    refused(frame, ZSTD, code="window-too-large")


def test_an_xz_dictionary_has_a_limit() -> None:
    def xz(size: int) -> bytes:
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": size}]
        return lzma.compress(SMALL, filters=filters)

    assert unpack(xz(64 * MIB), XZ) == SMALL
    error = refused(xz(128 * MIB), XZ, code="window-too-large")
    assert "64MiB" in error.message


def refused(
    data: bytes, codec: Compression, chunk: int = 1000, code: str = "corrupt-layer"
) -> BlobError:
    with pytest.raises(BlobError) as caught:
        unpack(data, codec, chunk)
    assert caught.value.code == code
    assert caught.value.where == "layers[0]"
    assert caught.value.remedy
    return caught.value


# -------------------------------------------------------------------------------- sniffing


def tar_header(form: Literal[0, 1, 2]) -> bytes:
    return tarfile.TarInfo("etc/passwd").tobuf(form)[:512]


def v7_header() -> bytes:
    """A header as it was before ustar: no magic, the checksum alone."""
    header = bytearray(tar_header(tarfile.USTAR_FORMAT))
    header[257:] = bytes(255)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize("codec", PACKED)
def test_packed_bytes_are_recognised(codec: Compression) -> None:
    assert sniff(pack(SMALL, codec)[:4096]) is codec


@pytest.mark.parametrize("low", range(16))
def test_skippable_frames_are_zstd(low: int) -> None:
    assert sniff(bytes([0x50 | low]) + SKIPPABLE[1:]) is ZSTD


@pytest.mark.parametrize(
    "head",
    [
        tar_header(tarfile.USTAR_FORMAT),
        tar_header(tarfile.GNU_FORMAT),
        tar_header(tarfile.PAX_FORMAT)[:300],
        v7_header(),
        bytes(512),
        bytes(4096),
    ],
)
def test_tars_are_recognised(head: bytes) -> None:
    assert sniff(head) is Compression.NONE


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\x1f",
        b"BZh0",
        b"BZh",
        b"{}",
        bytes(511),
        b"\x50\x2a\x4d",
        b"\x60\x2a\x4d\x18",
        v7_header().replace(b"passwd", b"passwe"),
        v7_header()[:511],
        b"x" * 4096,
    ],
)
def test_other_bytes_are_not(head: bytes) -> None:
    assert sniff(head) is None


@given(st.binary(max_size=600))
def test_sniffing_never_fails(head: bytes) -> None:
    sniff(head)


# -------------------------------------------------------------------------------- around it


@pytest.mark.parametrize(
    ("codec", "level", "fast", "library", "told"),
    [
        (GZIP, None, False, "zlib-ng", "4"),
        (GZIP, 9, False, "zlib-ng", "9"),
        (GZIP, None, True, "isal", "fast"),
        (ZSTD, None, False, "zstandard", "3"),
        (ZSTD, None, True, "zstandard", "fast"),
    ],
)
def test_the_report_gets_names_and_versions(
    codec: Compression, level: int | None, fast: bool, library: str, told: str
) -> None:
    versions = codec_versions(codec, level, fast=fast)
    assert set(versions) == {"library", "version", "engine", "level"}
    assert (versions["library"], versions["level"]) == (library, told)
    assert versions["engine"].count(".") == 2


def test_no_codec_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, oci_convert.layers.compression\n"
        "late = {'zstandard', 'isal', 'zlib_ng'}\n"
        "sys.exit(str(late & set(sys.modules) or ''))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr.strip() == ""
