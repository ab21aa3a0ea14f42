"""Recompressing a layer: decompress, check the ``diff_id``, compress.

The tar inside is never rewritten.

A chain of generators in constant memory; what comes out depends on what goes in, the compression
and the level only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oci_convert.errors import BlobError
from oci_convert.layers.compression import compress, decompress
from oci_convert.layers.streams import Tally
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression

__all__ = ["recompressed", "unpacked"]


def unpacked(
    chunks: Iterable[bytes],
    packed: Compression,
    diff_id: Digest,
    where: str,
    size: int | None = None,
) -> Iterator[bytes]:
    """The tar of a layer that has ``size`` bytes.

    Raises :class:`BlobError` (``wrong-diff-id``) at its end if it is not the one that the image's
    config names (image-spec ``config.md``, *Layer DiffID*).
    """
    tally = Tally(diff_id.algorithm)
    yield from tally.through(decompress(chunks, packed, where, size))
    if tally.digest != diff_id:
        raise wrong_diff_id(tally.digest, diff_id, where)


def wrong_diff_id(found: Digest, diff_id: Digest, where: str) -> BlobError:
    """The error of a layer that is not the one that the config names."""
    return BlobError(
        f"the unpacked layer has {found.short()}, but its diff_id is {diff_id.short()}",
        code="wrong-diff-id",
        where=where,
        remedy="the image is broken; fetch it again, or rebuild it",
        expected=diff_id,
        actual=found,
    )


def recompressed(
    chunks: Iterable[bytes],
    packed: Compression,
    diff_id: Digest | None,
    wanted: Compression,
    where: str,
    size: int | None = None,
    *,
    level: int | None = None,
    workers: int = 1,
    fast: bool = False,
) -> Iterator[bytes]:
    """The chunks of a layer in another compression, its ``diff_id`` checked on the way.

    ``None`` as ``diff_id`` says that ``chunks`` are checked already: those of a plain layer whose
    digest is its ``diff_id`` need not be hashed twice.
    """
    tar = chunks if diff_id is None else unpacked(chunks, packed, diff_id, where, size)
    return compress(tar, wanted, level, workers, fast=fast)
