"""``LayerSources``: what a row of a ``manifest.json`` says of layers, beside naming their files.

Docker writes it for layers that are fetched from elsewhere, go-containerregistry as well; later
versions of Docker and regctl write it for every layer. Keys are ``diff_ids``; those of regctl are
the digests of the layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oci_convert.errors import BlobError
from oci_convert.findings import Finding, Level
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Family, Kind, counterpart, look_up
from oci_convert.spec.models import Descriptor, Manifest

__all__ = ["agreed", "is_foreign", "source_of", "sources"]

_EXTRAS = {"urls", "annotations"}


def is_foreign(descriptor: Descriptor) -> bool:
    """Whether a layer may be absent: it is fetched from its ``urls``."""
    meaning = look_up(descriptor.media_type)
    return meaning is not None and not meaning.cell.distributable


def source_of(
    described: Mapping[str, Descriptor], diff_id: str, digest: str | None = None
) -> Descriptor | None:
    """What ``LayerSources`` says of the layer with this ``diff_id``, or with this digest."""
    return described.get(diff_id) or (described.get(digest) if digest is not None else None)


def agreed(
    layer: Descriptor, source: Descriptor, hashed: Callable[[str], Digest], where: str
) -> tuple[Descriptor, Finding | None]:
    """The descriptor of a layer whose file is there, and what is worth telling of it.

    ``layer`` is what the file shows, ``source`` what ``LayerSources`` says; ``hashed`` gives the
    digest of the file. What is said counts if it is said of these very bytes.
    """
    telling = is_foreign(source) or bool(source.urls or source.annotations)
    meaning = look_up(source.media_type)
    of_layer = meaning is not None and meaning.cell.kind is Kind.LAYER
    if not (of_layer and source.size == layer.size and _same(layer, source, hashed, telling)):
        level = Level.LOSS if telling else Level.WARNING
        message = (
            f"LayerSources describes {source.digest} ({source.media_type}, {source.size} bytes), "
            f"but the file holds {layer.digest} ({layer.size} bytes); the file is used"
            + (", without its urls" if source.urls else "")
        )
        return layer, Finding("layer-source-unused", level, where, message)
    if not telling:
        return layer, None
    return docker_named(source).model_copy(update={"size": layer.size}), None


def _same(
    layer: Descriptor,
    source: Descriptor,
    hashed: Callable[[str], Digest],
    telling: bool,  # noqa: FBT001 - private
) -> bool:
    """Whether both are the same bytes: what decides something is hashed, the rest believed."""
    if not telling and source.name.algorithm == layer.name.algorithm:
        return source.digest == layer.digest
    try:
        return hashed(source.name.algorithm) == source.digest
    except BlobError:  # an algorithm that nobody here can compute
        return False


def docker_named(source: Descriptor) -> Descriptor:
    """The descriptor of ``LayerSources`` as it stands in a Docker manifest."""
    named = source.renamed(counterpart(source.media_type, Family.DOCKER) or source.media_type)
    return Descriptor.model_validate(
        named.triple() | named.model_dump(by_alias=True, include=_EXTRAS, exclude_none=True)
    )


def sources(manifest: Manifest, diff_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``LayerSources`` of an image, for its foreign layers."""
    layers = manifest.layers or ()
    if len(layers) != len(diff_ids):
        return {}
    return {
        diff_id: layer.triple()
        | layer.model_dump(by_alias=True, include=_EXTRAS, exclude_none=True, mode="json")
        for layer, diff_id in zip(layers, diff_ids, strict=True)
        if is_foreign(layer)
    }
