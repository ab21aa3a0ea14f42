"""Upgrading schema 1 in a store: what its manifests lack is measured on the layers themselves.

Every layer that stays is read once, side by side with the others: its digest is checked, its size
counted, and its ``diff_id`` computed from what it unpacks to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import BinaryIO, TypeVar

from oci_convert.errors import BlobError
from oci_convert.layers.compression import decompress, sniff
from oci_convert.layers.streams import Tally, read_chunks
from oci_convert.limits import inherited
from oci_convert.spec.digest import CANONICAL, Digest
from oci_convert.spec.media_types import Compression
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import HEAD, Source
from oci_convert.transform.image_v1 import MeasuredLayer, Upgrade, upgrade
from oci_convert.transform.schema1 import Layer, Schema1, read_schema1

__all__ = ["measure", "side_by_side", "upgraded"]

K = TypeVar("K")
V = TypeVar("V")


def upgraded(
    source: Source, manifest: Descriptor, where: str, measured: dict[Digest, MeasuredLayer]
) -> tuple[Schema1, Upgrade]:
    """Read the manifest of schema 1 that ``manifest`` describes, and upgrade it.

    ``measured`` are layers that are known already; it gains those that are read here. Raises
    :class:`DocumentError` for a manifest that breaks the rules, and :class:`BlobError` for a layer
    that is missing, cannot be unpacked or does not match its ``blobSum``.
    """
    raw = b"".join(source.stream(manifest))
    schema1 = read_schema1(raw, where)
    _check(manifest, raw, schema1, where)
    unknown = {layer.blob: layer for layer in schema1.kept if layer.blob not in measured}
    for layer in unknown.values():
        if source.size(layer.blob) is None:
            raise BlobError(
                f"the blob {layer.blob} is missing",
                code="blob-missing",
                where=layer.where,
                remedy="upgrading schema 1 needs all layers; fetch the image again",
                digest=layer.blob,
            )
    measured |= side_by_side(
        {blob: partial(_measure, source, layer) for blob, layer in unknown.items()}
    )
    return schema1, upgrade(schema1.images, [measured[layer.blob] for layer in schema1.kept])


def _check(manifest: Descriptor, raw: bytes, schema1: Schema1, where: str) -> None:
    """The digest of a signed manifest is that of its payload; some stores name it by its bytes."""
    if Digest.of(schema1.payload, manifest.name.algorithm) != manifest.digest:
        tally = Tally(manifest.name.algorithm)
        tally.update(raw)
        tally.check(manifest.name, manifest.size, where)


def _measure(source: Source, layer: Layer) -> MeasuredLayer:
    with source.open(layer.blob) as file:
        return measure(file, layer.where, layer.blob)


def side_by_side(tasks: Mapping[K, Callable[[], V]]) -> dict[K, V]:
    """What the tasks return, done in parallel; the first that raises stops those not yet begun."""

    def run(task: Callable[[], V]) -> V:
        return task()

    with ThreadPoolExecutor() as pool:
        return dict(zip(tasks, pool.map(inherited(run), tasks.values()), strict=True))


def measure(file: BinaryIO, where: str, expected: Digest | None = None) -> MeasuredLayer:
    """Read a layer to its end; it must have the digest that is ``expected``, if one is.

    What no magic fits counts as plain.
    """
    stored = tar = Tally(CANONICAL if expected is None else expected.algorithm)
    head = file.read(HEAD)
    packing = sniff(head) or Compression.NONE
    chunks = content = stored.through(chain((head,), read_chunks(file)))
    if packing is not Compression.NONE or stored.algorithm != CANONICAL:
        tar = Tally()
        content = tar.through(decompress(chunks, packing, where))
    try:
        deque(content, maxlen=0)
    except BlobError:
        deque(chunks, maxlen=0)  # a wrong digest explains everything else that is wrong
        if expected is not None:
            stored.check(expected, None, where)
        raise
    if expected is not None:
        stored.check(expected, None, where)
    return MeasuredLayer(stored.digest, stored.size, tar.digest, packing)
