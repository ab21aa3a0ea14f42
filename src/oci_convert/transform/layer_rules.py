"""What becomes of one layer: decided from its media type, its first bytes and the options.

Pure: nothing is read and nothing written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from oci_convert.enums import Compress
from oci_convert.errors import RefusedError, UsageError
from oci_convert.findings import Finding
from oci_convert.spec.media_types import (
    IN_TOTO,
    Cell,
    Compression,
    Family,
    Kind,
    Meaning,
    Standing,
    families,
    layer_cell,
    look_up,
    name_of,
)
from oci_convert.text.wording import Wording

__all__ = [
    "Compress",
    "Layer",
    "LayerPlan",
    "check_compress",
    "packing_annotations",
    "plan_layer",
    "unofficial",
]


_FORCED: Final = {
    Compress.GZIP: Compression.GZIP,
    Compress.ZSTD: Compression.ZSTD,
    Compress.NONE: Compression.NONE,
}


class Layer(NamedTuple):
    """A layer of the source."""

    media_type: str
    actual: Compression | None
    """How its bytes are compressed; ``None`` if they are absent or not recognised."""
    where: str
    present: bool = True
    at_home: bool = False
    """Its document already is of the target family, so no change is needed."""
    from_daemon: bool = False
    """If it is uncompressed, then only because a daemon stores it so."""
    of_image: bool = True
    """Its document describes an image, not an artifact in the form of a manifest."""


class LayerPlan(NamedTuple):
    """What becomes of it."""

    media_type: str
    recompress: Compression | None = None
    """The compression to recompress it to; ``None``: the bytes stay."""
    findings: tuple[Finding, ...] = ()


def check_compress(compress: Compress, family: Family) -> None:
    """Refuse a compression that the target has no media type for: a :class:`UsageError`."""
    forced = _FORCED.get(compress)
    if forced is None:
        return
    name = name_of(Cell(Kind.LAYER, forced), family)
    meaning = look_up(name) if name is not None else None
    if meaning is None or meaning.standing is Standing.UNOFFICIAL:
        raise UsageError(
            f"{family.label} has no media type for {forced.label} layers",
            code="no-media-type",
            where=Wording("{compress}"),
            remedy="choose gzip, or convert to oci",
        )


def plan_layer(layer: Layer, family: Family, compress: Compress) -> LayerPlan:
    """Decide what becomes of ``layer`` in a document of ``family``.

    Raises :class:`RefusedError`: ``unknown-layer``, ``encrypted-layer``, ``no-docker-type`` or
    ``no-media-type``.
    """
    meaning = look_up(layer.media_type)
    if meaning is None or meaning.cell.kind is not Kind.LAYER:
        return _kept_as_is(layer, family)
    if meaning.cell.encrypted:
        return _encrypted(layer, meaning.cell, family)
    if not layer.of_image:
        return _of_artifact(layer, meaning.cell, family)
    actual, findings = _truth(layer, meaning)
    cell = layer_cell(meaning.cell, actual)
    if not cell.distributable:
        name = _foreign_name(layer, cell, family, compress)
        return LayerPlan(name, None, (*findings, *unofficial(name, layer.where)))
    wanted = _wanted(layer, cell, family, compress)
    if wanted is not actual and layer.present:
        return _recompressed(layer, cell, wanted, family, findings)
    known = name_of(cell, family)
    if known is None:
        raise _nameless(layer, cell, family, "no-media-type")
    return LayerPlan(known, None, (*findings, *unofficial(known, layer.where)))


def unofficial(name: str, where: str) -> tuple[Finding, ...]:
    """What is told of a media type that only some tools know."""
    meaning = look_up(name)
    if meaning is None or meaning.standing is not Standing.UNOFFICIAL:
        return ()
    return (Finding.of("unofficial-media-type", where, f"{name} is not an official media type"),)


def _truth(layer: Layer, meaning: Meaning) -> tuple[Compression, tuple[Finding, ...]]:
    """The actual compression of the layer: its bytes, if they contradict the media type."""
    label = meaning.cell.compression or Compression.NONE
    if layer.actual is None:
        if not layer.present:
            return label, ()
        message = "the bytes are not a tar in a known compression; treated as the media type says"
        return label, (Finding.of("unrecognised-layer", layer.where, message),)
    if layer.actual is label:
        return label, ()
    message = f"the media type is {layer.media_type}, but the bytes are {layer.actual.label}"
    return layer.actual, (Finding.of("mislabelled-layer", layer.where, message),)


def _wanted(layer: Layer, cell: Cell, family: Family, compress: Compress) -> Compression:
    """The compression that the layer should have in the target."""
    actual = cell.compression or Compression.NONE
    forced = _FORCED.get(compress)
    if forced is not None:
        return forced
    name = name_of(cell, family)
    if compress is Compress.KEEP:
        if name is None:
            raise _nameless(layer, cell, family, "no-media-type")
        return actual
    if layer.at_home and family in families(layer.media_type) and name == layer.media_type:
        return actual
    meaning = look_up(name) if name is not None else None
    if meaning is None or meaning.standing is Standing.UNOFFICIAL:
        return Compression.GZIP
    if layer.from_daemon and actual is Compression.NONE:
        return Compression.GZIP
    return actual


def _recompressed(
    layer: Layer, cell: Cell, wanted: Compression, family: Family, findings: tuple[Finding, ...]
) -> LayerPlan:
    name = name_of(layer_cell(cell, wanted), family)
    if name is None:
        raise _nameless(layer, layer_cell(cell, wanted), family, "no-media-type")
    message = f"recompressed: {(cell.compression or Compression.NONE).label} → {wanted.label}"
    return LayerPlan(name, wanted, (*findings, Finding.of("layer-repacked", layer.where, message)))


def _kept_as_is(layer: Layer, family: Family) -> LayerPlan:
    """A blob that is not a layer: bytes and media type stay unchanged."""
    meaning = look_up(layer.media_type)
    known = meaning is not None and (layer.media_type == IN_TOTO or family in meaning.families)
    if family is Family.DOCKER and not layer.at_home and not known:
        name = layer.media_type or "(none)"
        raise RefusedError(
            f"unknown layer type {name}, for which Docker has no media type",
            code="unknown-layer",
            where=layer.where,
            remedy="convert to oci, which keeps it unchanged",
        )
    return LayerPlan(layer.media_type)


def _of_artifact(layer: Layer, cell: Cell, family: Family) -> LayerPlan:
    """A layer of an artifact: its media type is trusted, its bytes are not changed."""
    if layer.at_home:
        return LayerPlan(layer.media_type)
    name = name_of(cell, family)
    if name is None:
        raise _nameless(layer, cell, family, "no-media-type")
    return LayerPlan(name)


def _encrypted(layer: Layer, cell: Cell, family: Family) -> LayerPlan:
    name = name_of(cell, family)
    if name is not None:
        return LayerPlan(name)
    if layer.at_home:
        return LayerPlan(layer.media_type)
    raise RefusedError(
        f"{family.label} has no encrypted layers",
        code="encrypted-layer",
        where=layer.where,
        remedy="decrypt the image first, or convert to oci",
    )


def _foreign_name(layer: Layer, cell: Cell, family: Family, compress: Compress) -> str:
    """The media type of a layer that is never recompressed, as its ``urls`` serve these bytes."""
    name = name_of(cell, family)
    homes = families(layer.media_type)
    if name is None and layer.at_home and (family in homes or Family.DOCKER not in homes):
        return layer.media_type
    meaning = look_up(name) if name is not None else None
    at_home = layer.at_home and name == layer.media_type
    if name is None or meaning is None:
        raise _nameless(layer, cell, family, "no-docker-type")
    if meaning.standing is Standing.UNOFFICIAL and compress is not Compress.KEEP and not at_home:
        raise _nameless(layer, cell, family, "no-docker-type")
    return name


def _nameless(layer: Layer, cell: Cell, family: Family, code: str) -> RefusedError:
    official = name_of(cell, family) is None
    remedy: str = Wording('{compress="auto"} recompresses it as gzip')
    if not cell.distributable:
        remedy = "convert to oci"
    return RefusedError(
        f"{family.label} has no {'' if official else 'official '}media type for a {cell}",
        code=code,
        where=layer.where,
        remedy=remedy if official else Wording('{compress="keep"} uses the unofficial one'),
    )


_PACKING: Final = (
    "containerd.io/snapshot/stargz/",
    "io.containers.estargz.",
    "io.github.containers.zstd-chunked.",
    "io.github.containers.compression.",
    "com.amazon.soci.",
)
"""Prefixes of annotations that describe the compressed bytes of a layer."""


def packing_annotations(annotations: Iterable[str]) -> frozenset[str]:
    """The names among ``annotations`` that are no longer true once a layer is recompressed."""
    return frozenset(name for name in annotations if name.startswith(_PACKING))
