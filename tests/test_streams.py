"""Streams: chunks that are counted, hashed and checked while they flow."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert.errors import BlobError
from oci_convert.layers.streams import CHUNK, Tally, read_chunks, verified
from oci_convert.spec.digest import Digest
from oci_convert.stores.files.file import write_all

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

DATA = b"0123456789" * 100_000


@given(st.lists(st.binary(max_size=20)), st.sampled_from(["sha256", "sha512"]))
def test_the_chunks_do_not_matter(chunks: list[bytes], algorithm: str) -> None:
    whole = b"".join(chunks)
    tally = Tally(algorithm)
    assert list(tally.through(chunks)) == chunks
    assert (tally.digest, tally.size) == (Digest.of(whole, algorithm), len(whole))
    assert b"".join(verified(chunks, tally.digest, len(whole), "")) == whole
    assert b"".join(verified(chunks, tally.digest, None, "")) == whole


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1])
def test_a_file_is_read_in_chunks_from_where_it_stands(size: int) -> None:
    data = bytes(size)
    file = io.BytesIO(b"skipped" + data)
    file.seek(7)
    chunks = list(read_chunks(file))
    assert b"".join(chunks) == data
    assert all(0 < len(chunk) <= CHUNK for chunk in chunks)


def test_what_is_too_long_is_refused_at_the_first_chunk_too_many() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield DATA

    stream = verified(endless(), Digest.of(DATA), len(DATA), "layers[0]")
    assert next(stream) == DATA
    with pytest.raises(BlobError) as refused:
        next(stream)
    assert refused.value.code == "wrong-size"
    assert refused.value.where == "layers[0]"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (DATA[:-1], "sha256:.* has 999999 bytes, but its descriptor says 1000000"),
        (DATA + b"!", "sha256:.* is longer than the 1000000 bytes of its descriptor"),
        (DATA[:-1] + b"!", "digest mismatch: expected sha256:.*, found sha256:"),
    ],
)
def test_the_error_says_what_is_wrong(data: bytes, message: str) -> None:
    with pytest.raises(BlobError, match=message):
        list(verified([data], Digest.of(DATA), len(DATA), "here"))


@pytest.mark.parametrize("most", [1, 1000, CHUNK])
def test_a_file_that_takes_a_part_is_given_the_rest(most: int) -> None:
    sizes: list[int] = []

    class Narrow(io.BytesIO):
        def write(self, data: ReadableBuffer, /) -> int:
            sizes.append(len(memoryview(data)))
            return super().write(memoryview(data)[:most])

    file = Narrow()
    write_all(file, DATA[: 200 * most])
    assert file.getvalue() == DATA[: 200 * most]
    assert max(sizes) <= (64 if len(file.getvalue()) > 256 * 1024 else 256) * 1024
