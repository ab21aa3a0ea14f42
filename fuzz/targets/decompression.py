"""Any packed bytes: the same content or the same error, however they are cut, in bounded memory.

The input is a byte for the compression, one for the chunks, and the bytes.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from base import ours
from oci_convert.errors import OciConvertError
from oci_convert.layers.compression import decompress
from oci_convert.spec.media_types import Compression
from stores import layers

_PACKED: Final = tuple(it for it in Compression if it is not Compression.NONE)
_OTHERS: Final[dict[Compression, Callable[[bytes], bytes]]] = {
    Compression.GZIP: gzip.decompress,
    Compression.BZIP2: bz2.decompress,
    Compression.XZ: lzma.decompress,
}
_LARGEST_CHUNK: Final = 512 * 1024
"""What a caller may have to hold at a time: “a few hundred KiB”."""
_COMPARED: Final = 1024 * 1024
"""Bytes of content up to which other readers are asked, who hold all of it."""


def run(data: bytes) -> None:
    """Unpack in several ways, and compare."""
    compression = _PACKED[data[0] % len(_PACKED)] if data else Compression.GZIP
    step = data[1] + 1 if len(data) > 1 else 1
    packed = data[2:]
    whole = _unpack([packed], compression)
    cut = _unpack((packed[at : at + step] for at in range(0, len(packed), step)), compression)
    assert cut == whole, f"{cut} in chunks of {step}, {whole} as a whole"
    code, size, checksum = whole
    other = _OTHERS.get(compression)
    if not code and other is not None and size <= _COMPARED:
        # The others know no padding; what they take otherwise they take for the same.
        content = other(packed.rstrip(b"\0") if _is_padded(packed, other) else packed)
        assert (len(content), hashlib.sha256(content).hexdigest()) == (size, checksum)


def _unpack(chunks: Iterable[bytes], compression: Compression) -> tuple[str, int, str]:
    """The code of the error, if there is one; else the size and the hash of the content."""
    tally, size = hashlib.sha256(), 0
    with ours():
        try:
            for chunk in decompress(chunks, compression, "layers[0]"):
                assert len(chunk) <= _LARGEST_CHUNK
                tally.update(chunk)
                size += len(chunk)
        except OciConvertError as error:
            return error.code, 0, ""
    return "", size, tally.hexdigest()


def _is_padded(packed: bytes, other: Callable[[bytes], bytes]) -> bool:
    if not packed.endswith(b"\0"):
        return False
    try:
        other(packed)
    except (OSError, EOFError, ValueError, lzma.LZMAError):
        return True
    return False


def seeds() -> Iterator[bytes]:
    """Layers in every packing, in small and in large chunks."""
    for compression, data in layers():
        if compression is not Compression.NONE:
            for step in (0, 6, 255):
                yield bytes([_PACKED.index(compression), step]) + data
