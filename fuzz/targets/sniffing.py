"""Any first bytes of a layer: a compression, a tar, or nothing known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from oci_convert.layers.compression import SNIFF_BYTES, sniff
from oci_convert.spec.media_types import Compression
from stores import archive_of_testdata, layers

_HEAD: Final = 600


def run(data: bytes) -> None:
    """Ask what the bytes are; nothing behind the first few may matter."""
    found = sniff(data)
    assert found is None or found in Compression
    assert sniff(data[:SNIFF_BYTES]) is found
    assert sniff(data[:SNIFF_BYTES] + bytes(SNIFF_BYTES)) is found or len(data) < SNIFF_BYTES


def seeds() -> Iterator[bytes]:
    """The heads of layers and archives."""
    for _, data in layers():
        yield data[:_HEAD]
    yield archive_of_testdata()[:_HEAD]
    yield bytes(_HEAD)
