"""Manifests of schema 1, Docker's before 2016: read strictly, upgraded, never written.

Such a manifest (distribution ``manifest-v2-1.md``) lists the blobs of its layers from the top down,
and beside each the JSON of an image version 1. It has no config, no sizes and no ``diff_ids``. Its
signatures stand inside of what they sign, and its digest is that of what they sign.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NoReturn

from pydantic import Field

from oci_convert.documents.document import of_two_kinds, read_object, refuse_case_variants
from oci_convert.documents.json_reader import Object
from oci_convert.errors import DocumentError
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import SCHEMA1, SCHEMA1_SIGNED
from oci_convert.spec.models import Model, validate
from oci_convert.transform.image_v1 import V1Image, read_v1

__all__ = ["Layer", "Schema1", "read_schema1"]

_OTHER_KINDS: Final = ("config", "layers", "manifests")
_KNOWN: Final = frozenset(
    (*_OTHER_KINDS, "schemaVersion", "mediaType", "fsLayers", "history", "signatures")
)
_AMBIGUOUS: Final = "tools would read it differently; do not use it"


class _Blob(Model, frozen=True):
    digest: str = Field(alias="blobSum")


class _History(Model, frozen=True):
    v1: str = Field(alias="v1Compatibility")


class _Manifest(Model, frozen=True):
    schema_version: int = Field(alias="schemaVersion", ge=1, le=1)
    blobs: tuple[_Blob, ...] = Field(alias="fsLayers", strict=False)
    history: tuple[_History, ...] = Field(strict=False)


class _Signature(Model, frozen=True):
    protected: str


class _Protected(Model, frozen=True):
    length: int = Field(alias="formatLength", ge=1)
    tail: str = Field(alias="formatTail")


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of schema 1: the blob, the image version 1 that it belongs to, and its place."""

    image: V1Image
    blob: Digest
    where: str


@dataclass(frozen=True, slots=True)
class Schema1:
    """A manifest of schema 1."""

    payload: bytes
    """What was signed, and what the digest of the manifest is the digest of."""
    media_type: str
    layers: tuple[Layer, ...]
    """From the base up, as in other formats; without repetitions."""

    @property
    def images(self) -> tuple[V1Image, ...]:
        """The images version 1 of all layers."""
        return tuple(layer.image for layer in self.layers)

    @property
    def kept(self) -> tuple[Layer, ...]:
        """The layers that the upgraded image has, too."""
        return tuple(layer for layer in self.layers if not layer.image.throwaway)


def read_schema1(raw: bytes, where: str = "") -> Schema1:
    """Read a manifest of schema 1, signed or not, whatever type it was served as.

    The signature is not verified: its key comes with it, so that it proves nothing. Raises
    :class:`DocumentError`: ``ambiguous-document``, ``contradictory-media-type``,
    ``invalid-document``, ``invalid-digest`` or one of those of
    :func:`~oci_convert.documents.json_reader.scan`.
    """
    _, whole = read_object(raw, where)
    _refuse_other_kinds(whole, where)
    signed = bool(whole.value.get("signatures"))
    payload = _payload(raw, whole, where) if signed else raw
    manifest = validate(_Manifest, whole.value, where)
    layers = _layers(manifest, where)
    _check_chain([layer.image for layer in layers], where)
    # Docker 1.x repeated entries: of adjacent ones with one id the lower one stays, as in Docker.
    lowest = {layer.image.identity: layer for layer in layers}
    return Schema1(payload, SCHEMA1_SIGNED if signed else SCHEMA1, tuple(reversed(lowest.values())))


def _layers(manifest: _Manifest, where: str) -> list[Layer]:
    """The layers from the top down, as they stand in the document."""
    if len(manifest.history) != len(manifest.blobs):
        counts = f"history has {len(manifest.history)} entries, fsLayers {len(manifest.blobs)}"
        _invalid(counts, where)
    return [
        Layer(
            read_v1(entry.v1.encode(), _at(where, f"history[{i}].v1Compatibility")),
            _digest(blob, _at(where, f"fsLayers[{i}].blobSum")),
            _at(where, f"fsLayers[{i}]"),
        )
        for i, (entry, blob) in enumerate(zip(manifest.history, manifest.blobs, strict=True))
    ]


def _at(where: str, place: str) -> str:
    return f"{where}.{place}" if where else place


def _invalid(message: str, where: str, remedy: str = "") -> NoReturn:
    raise DocumentError(message, code="invalid-document", where=where, remedy=remedy)


def _digest(blob: _Blob, where: str) -> Digest:
    try:
        return Digest(blob.digest)
    except DocumentError as error:
        raise error.at(where) from None


def _refuse_other_kinds(root: Object, where: str) -> None:
    """Refuse a document that some tools read as schema 1 and others as something else."""
    refuse_case_variants(root, _KNOWN, where)
    stated = root.value.get("mediaType")
    if stated not in (None, "", SCHEMA1, SCHEMA1_SIGNED):
        raise DocumentError(
            f"the media type is {stated}, but this is a manifest of schema 1",
            code="contradictory-media-type",
            where=where,
            remedy="one of them is wrong; fetch the image again, or ask its producer to fix it",
            expected=SCHEMA1,
            actual=stated,
        )
    for name in _OTHER_KINDS:
        if name in root.members:
            raise of_two_kinds("a manifest of schema 1", name, where)


# -- signatures ---------------------------------------------------------------------------------


def _payload(raw: bytes, whole: Object, where: str) -> bytes:
    """The bytes that a pretty signature signs (libtrust; RFC 7515 with the payload in clear).

    The signatures are inside of what they sign, so each states in its protected header how many
    bytes come before them and what comes after. All of them must state the same.
    """
    found = {
        _protected(value, _at(where, f"signatures[{i}]"))
        for i, value in enumerate(_signatures(whole, where))
    }
    if len(found) > 1:
        _invalid("the signatures disagree on what they sign", _at(where, "signatures"), _AMBIGUOUS)
    ((length, tail),) = found
    if length > len(raw):
        _invalid("the signatures sign more bytes than the document has", _at(where, "signatures"))
    payload = raw[:length] + tail
    _, signed = read_object(payload, _at(where, "signatures (the signed document)"))
    unsigned = {name: value for name, value in whole.value.items() if name != "signatures"}
    if signed.value != unsigned:
        raise DocumentError(
            "the document is ambiguous: its content is not what is signed",
            code="ambiguous-document",
            where=where,
            remedy=_AMBIGUOUS,
        )
    return payload


def _signatures(whole: Object, where: str) -> list[Any]:
    found = whole.value["signatures"]
    if not isinstance(found, list):
        _invalid("signatures: must be an array", where)
    return found


def _protected(signature: Any, where: str) -> tuple[int, bytes]:
    """How much of the document comes before the signatures, and the bytes that come after."""
    text = validate(_Signature, signature, where).protected
    place = _at(where, "protected")
    _, header = read_object(_base64url(text, place), place)
    protected = validate(_Protected, header.value, place)
    return protected.length, _base64url(protected.tail, _at(place, "formatTail"))


def _base64url(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        _invalid("the text is not base64url", where)


# -- the chain of images ------------------------------------------------------------------------


def _check_chain(images: Sequence[V1Image], where: str) -> None:
    """Each image has the next one as its parent, the last has none, and none appears twice."""
    if not images:
        _invalid("the image has no layers", where)
    if images[-1].parent is not None:
        place = _at(where, f"history[{len(images) - 1}].v1Compatibility")
        _invalid("the lowest layer has a parent", place)
    known = {images[0].identity}
    for i, (image, below) in enumerate(pairwise(images)):
        place = _at(where, f"history[{i}].v1Compatibility")
        if image.identity == below.identity:
            continue
        if below.identity in known:
            _invalid(f"the id {below.identity} appears twice", place)
        if image.parent != below.identity:
            _invalid(f"the parent is {image.parent}, but {below.identity} is next", place)
        known.add(below.identity)
