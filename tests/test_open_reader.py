"""Chunks as a file: every byte, in order; every error, for good."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert import BlobError, Digest
from oci_convert.layers.chunk_reader import ChunkReader
from oci_convert.layers.streams import verified
from support.images import tar_of

TAR = tar_of({"a": "1", "b": "2"})


def broken(*chunks: bytes) -> Iterator[bytes]:
    yield from chunks
    raise BlobError("broken", code="digest-mismatch")


class Closing:
    """Chunks out of a file that must be closed."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)

    def chunks(self) -> Iterator[bytes]:
        with self.file:
            while chunk := self.file.read(3):
                yield chunk


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(1, 30)))
def test_every_byte_comes_in_order(chunks: list[bytes], sizes: list[int]) -> None:
    file = ChunkReader(iter(chunks))
    parts = [file.read(size) for size in sizes]
    parts.append(file.read())
    assert b"".join(parts) == b"".join(chunks)
    assert file.read() == file.read(1) == b""


def test_it_is_a_file_to_read_and_nothing_else() -> None:
    file = ChunkReader(iter([b"abc"]))
    assert (file.readable(), file.writable(), file.seekable()) == (True, False, False)


READS = {
    "all": lambda file: file.read(),
    "a part": lambda file: file.read(1),
    "a line": lambda file: file.readline(),
    "a buffer": lambda file: file.readinto(bytearray(1)),
}


@pytest.mark.parametrize("read", READS)
def test_an_error_is_no_end_of_file_however_often_one_asks(read: str) -> None:
    file = ChunkReader(broken())
    for _ in range(3):
        with pytest.raises(BlobError, match="broken"):
            READS[read](file)


def test_what_tarfile_leaves_unread_is_read_when_the_block_is_left() -> None:
    def names(file: IO[bytes]) -> list[str]:
        with tarfile.open(fileobj=file, mode="r|") as tar:
            return [member.name for member in tar]

    padded = TAR + bytes(1024 * 1024)
    good, wrong = Digest.of(padded), Digest.of(TAR)
    with ChunkReader(verified(iter([padded]), good, len(padded), "here")) as file:
        assert names(file) == ["a", "b"]
    assert file.closed
    chunks = verified(iter([TAR, padded[len(TAR) :]]), wrong, None, "here")
    with pytest.raises(BlobError) as caught, ChunkReader(chunks) as file:
        assert names(file) == ["a", "b"]
    assert caught.value.code == "digest-mismatch"
    assert file.closed


def test_a_block_that_is_left_by_an_error_keeps_that_error() -> None:
    with pytest.raises(KeyError), ChunkReader(broken(b"abc")) as file:
        raise KeyError
    assert file.closed


def test_closing_reads_nothing_more_and_lets_go_of_the_chunks() -> None:
    closing = Closing(b"abcdefghi")
    with ChunkReader(closing.chunks()) as file:
        assert file.read(1) == b"a"
        file.close()
        assert closing.file.closed
    with ChunkReader(broken(b"abc")) as file:
        file.close()
    file.close()
