"""Schema 1, Docker's image format before 2016: read strictly, upgraded, never written.

A manifest of schema 1 (distribution ``manifest-v2-1.md``) has no config. It lists its layers from
the top down, and beside each the JSON of an image version 1 (Docker *image/spec/v1.md*), which
archives of Docker before 1.10 hold as ``<id>/json``: one upgrade, two doors.

The upgrade is the one that Docker and containers/image make, so that the image ID is the same,
whoever upgrades: the config is the JSON of the top layer, its members sorted and spelled as Go
spells them, without what only version 1 knows, and with the history and the ``diff_ids`` that
version 1 lacks. Two things are done otherwise, both so that nothing is changed that need not be.
For images of Docker before 1.8.3 the others pass that JSON through a Go struct, which loses every
member that it does not know and adds empty ones: here all members keep their text. And times keep
their text; the others write them again.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Final, NoReturn

from pydantic import Field

from oci_convert.ground.digest import Digest
from oci_convert.ground.errors import DocumentError
from oci_convert.ground.media_types import (
    SCHEMA1,
    SCHEMA1_SIGNED,
    Cell,
    Compression,
    Family,
    Kind,
    name_of,
)
from oci_convert.papers.documents import read_object, refuse_case_variants
from oci_convert.papers.json_text import Object
from oci_convert.papers.models import Descriptor, Model, validate

__all__ = ["MeasuredLayer", "Schema1", "Upgrade", "V1Image", "read_schema1", "read_v1", "upgrade"]

_MANIFEST: Final = str(name_of(Cell(Kind.MANIFEST), Family.DOCKER))
_CONFIG: Final = str(name_of(Cell(Kind.CONFIG), Family.DOCKER))
_PLAIN: Final = str(name_of(Cell(Kind.LAYER, Compression.NONE), Family.DOCKER))

_OTHER_KINDS: Final = ("config", "layers", "manifests")
_MEMBERS: Final = frozenset(
    ("schemaVersion", "mediaType", "name", "tag", "architecture", "fsLayers", "history")
    + ("signatures", *_OTHER_KINDS)
)
_V1_MEMBERS: Final = frozenset(
    ("id", "parent", "created", "author", "comment", "throwaway", "container_config", "config")
    + ("architecture", "os", "docker_version", "rootfs", "history", "Size")
)
_V1_ONLY: Final = frozenset(("id", "parent", "parent_id", "layer_id", "throwaway", "Size"))
"""What the config of the upgraded image does not have."""

_NO_TIME: Final = "0001-01-01T00:00:00Z"
"""How Go spells a time that nobody set."""
_AMBIGUOUS: Final = "readers would disagree on what it says; do not use it"


# -- what a document says -----------------------------------------------------------------------

_Identity = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Command(Model):
    words: tuple[str, ...] | None = Field(default=None, alias="Cmd", strict=False)


class _V1(Model):
    id: _Identity
    parent: str | None = None
    created: str | None = None
    author: str | None = None
    comment: str | None = None
    throwaway: bool | None = None
    command: _Command | None = Field(default=None, alias="container_config")


class _Blob(Model):
    digest: str = Field(alias="blobSum")


class _Version(Model):
    v1: str = Field(alias="v1Compatibility")


class _Manifest(Model):
    schema_version: int = Field(alias="schemaVersion", ge=1, le=1)
    blobs: tuple[_Blob, ...] = Field(alias="fsLayers", strict=False)
    history: tuple[_Version, ...] = Field(strict=False)


class _Signature(Model):
    protected: str


class _Protected(Model):
    length: int = Field(alias="formatLength", ge=1)
    tail: str = Field(alias="formatTail")


@dataclass(frozen=True, slots=True)
class V1Image:
    """An image version 1: one layer, and the configuration as it was when the layer was made."""

    text: str
    root: Object
    view: _V1

    @property
    def identity(self) -> str:
        """The id: 64 hex digits that nobody can check."""
        return self.view.id

    @property
    def parent(self) -> str | None:
        """The id of the image below; ``None`` for the base."""
        return self.view.parent or None

    @property
    def throwaway(self) -> bool:
        """Whether the layer is empty and stands there only because schema 1 wants one for each."""
        return bool(self.view.throwaway)

    def history(self) -> dict[str, Any]:
        """The entry in the history of a config (image-spec ``config.md``), as Go orders it."""
        view = self.view
        words = view.command.words if view.command is not None else None
        entry = {
            "created": view.created or _NO_TIME,
            "author": view.author,
            "created_by": " ".join(words or ()),
            "comment": view.comment,
            "empty_layer": view.throwaway,
        }
        return {name: value for name, value in entry.items() if value}


def read_v1(raw: bytes, where: str = "") -> V1Image:
    """Read the JSON of an image version 1; raises :class:`DocumentError`."""
    text, root = read_object(raw, where)
    refuse_case_variants(root, _V1_MEMBERS, where)
    return V1Image(text, root, validate(_V1, root.value, where))


@dataclass(frozen=True, slots=True)
class Schema1:
    """A manifest of schema 1. Its layers are given from the base up, as everybody else does."""

    payload: bytes
    """What was signed, and what the digest of the manifest is the digest of."""
    media_type: str
    images: tuple[V1Image, ...]
    blobs: tuple[Digest, ...]
    """Parallel to :attr:`images`."""

    def kept(self) -> tuple[tuple[str, Digest], ...]:
        """The blobs of the upgraded image, each with its place in the document."""
        last = len(self.blobs) - 1
        return tuple(
            (f"fsLayers[{last - i}]", blob)
            for i, (image, blob) in enumerate(zip(self.images, self.blobs, strict=True))
            if not image.throwaway
        )


def read_schema1(raw: bytes, where: str = "") -> Schema1:
    """Read a manifest of schema 1, signed or not, whatever type it was served as.

    The signature is not verified: its key comes with it, so that it proves nothing. Raises
    :class:`DocumentError`: ``ambiguous-document``, ``contradictory-media-type``,
    ``invalid-document``, ``invalid-digest`` or one of those of
    :func:`~oci_convert.papers.json_text.scan`.
    """
    _, whole = read_object(raw, where)
    _refuse_other_kinds(whole, where)
    signed = bool(whole.value.get("signatures"))
    payload = _payload(raw, whole, where) if signed else raw
    manifest = validate(_Manifest, whole.value, where)
    images = [
        read_v1(entry.v1.encode(), _at(where, f"history[{i}].v1Compatibility"))
        for i, entry in enumerate(manifest.history)
    ]
    blobs = [_digest(blob, _at(where, f"fsLayers[{i}]")) for i, blob in enumerate(manifest.blobs)]
    _check_chain(images, len(blobs), where)
    layers = list(_without_repetitions(images, blobs))[::-1]
    return Schema1(
        payload,
        SCHEMA1_SIGNED if signed else SCHEMA1,
        tuple(image for image, _ in layers),
        tuple(blob for _, blob in layers),
    )


def _at(where: str, place: str) -> str:
    return f"{where}.{place}" if where else place


def _invalid(message: str, where: str, remedy: str = "") -> NoReturn:
    raise DocumentError(message, code="invalid-document", where=where, remedy=remedy)


def _digest(blob: _Blob, where: str) -> Digest:
    try:
        return Digest(blob.digest)
    except DocumentError as error:
        raise error.at(_at(where, "blobSum")) from None


def _refuse_other_kinds(root: Object, where: str) -> None:
    """A document that is schema 1 for one reader and something else for another is refused."""
    refuse_case_variants(root, _MEMBERS, where)
    stated = root.value.get("mediaType")
    if stated not in (None, "", SCHEMA1, SCHEMA1_SIGNED):
        raise DocumentError(
            f"the document calls itself {stated}, and it should be a manifest of schema 1",
            code="contradictory-media-type",
            where=where,
            remedy="one of the two lies; fetch the image again, or ask whoever made it",
        )
    for name in _OTHER_KINDS:
        if name in root.members:
            raise DocumentError(
                f"the document is ambiguous: a manifest of schema 1 with a member {name!r}",
                code="ambiguous-document",
                where=where,
                remedy="readers would disagree on what it is (CVE-2021-41190); do not use it",
            )


# -- signatures ---------------------------------------------------------------------------------


def _payload(raw: bytes, whole: Object, where: str) -> bytes:
    """The bytes that a pretty signature signs (libtrust; RFC 7515 with the payload in clear).

    The signatures stand inside of what they sign, so each says in its protected header how many
    bytes come before them and what comes after. All of them must say the same.
    """
    found = {
        _protected(value, _at(where, f"signatures[{i}]"))
        for i, value in enumerate(_signatures(whole, where))
    }
    if len(found) > 1:
        _invalid("the signatures disagree on what they sign", _at(where, "signatures"), _AMBIGUOUS)
    ((length, tail),) = found
    if length > len(raw):
        _invalid("the signatures sign more than there is", _at(where, "signatures"))
    payload = raw[:length] + tail
    _, signed = read_object(payload, _at(where, "signatures (the signed document)"))
    unsigned = {name: value for name, value in whole.value.items() if name != "signatures"}
    if signed.value != unsigned:
        raise DocumentError(
            "the document is ambiguous: what it says is not what is signed",
            code="ambiguous-document",
            where=where,
            remedy=_AMBIGUOUS,
        )
    return payload


def _signatures(whole: Object, where: str) -> list[Any]:
    found = whole.value["signatures"]
    if not isinstance(found, list):
        _invalid("signatures: input should be a valid list", where)
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


def _check_chain(images: Sequence[V1Image], blobs: int, where: str) -> None:
    """Each image stands on the next one, the last on none, and none stands in two places."""
    if len(images) != blobs:
        _invalid(f"there are {len(images)} entries in history for {blobs} in fsLayers", where)
    if not images:
        _invalid("the image has no layers", where)
    if images[-1].parent is not None:
        _invalid("the base has a parent", _at(where, f"history[{len(images) - 1}].v1Compatibility"))
    known = {images[0].identity}
    for i, (image, below) in enumerate(pairwise(images)):
        place = _at(where, f"history[{i}].v1Compatibility")
        if image.identity == below.identity:
            continue
        if below.identity in known:
            _invalid(f"the id {below.identity} stands in two places", place)
        if image.parent != below.identity:
            _invalid(f"the parent is {image.parent}, and {below.identity} comes next", place)
        known.add(below.identity)


def _without_repetitions(
    images: Sequence[V1Image], blobs: Sequence[Digest]
) -> Iterable[tuple[V1Image, Digest]]:
    """Docker 1.x repeated entries: of neighbours with one id the lowest stays, as in Docker."""
    for i, (image, blob) in enumerate(zip(images, blobs, strict=True)):
        if i + 1 == len(images) or image.identity != images[i + 1].identity:
            yield image, blob


# -- the upgrade --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MeasuredLayer:
    """What reading a layer tells, and schema 1 does not."""

    digest: Digest
    size: int
    diff_id: Digest
    packing: Compression


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The documents of an upgraded image: new ones, written compact."""

    config: bytes
    manifest: bytes

    @property
    def descriptor(self) -> Descriptor:
        """Of the manifest."""
        return _descriptor(_MANIFEST, self.manifest)

    @property
    def blobs(self) -> dict[Digest, bytes]:
        """Both documents by digest."""
        return {Digest.of(raw): raw for raw in (self.config, self.manifest)}


def upgrade(images: Sequence[V1Image], layers: Sequence[MeasuredLayer]) -> Upgrade:
    """The Docker manifest and config of what ``images`` were, from the base up.

    ``layers`` are those of the images that are not :attr:`V1Image.throwaway`, in the same order.
    """
    config = _config(images, [layer.diff_id for layer in layers])
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _descriptor(_CONFIG, config).triple(),
        "layers": [_layer(layer).triple() for layer in layers],
    }
    return Upgrade(config, _spelled(manifest).encode())


def _descriptor(media_type: str, raw: bytes) -> Descriptor:
    return Descriptor(mediaType=media_type, digest=Digest.of(raw), size=len(raw))


def _layer(layer: MeasuredLayer) -> Descriptor:
    media_type = name_of(Cell(Kind.LAYER, layer.packing), Family.DOCKER) or _PLAIN
    return Descriptor(mediaType=media_type, digest=layer.digest, size=layer.size)


def _config(images: Sequence[V1Image], diff_ids: Sequence[Digest]) -> bytes:
    top = images[-1]
    members = {
        name: _compact(top.text[member.value.start : member.value.end])
        for name, member in top.root.members.items()
        if name not in _V1_ONLY
    }
    members["rootfs"] = _spelled({"type": "layers", "diff_ids": diff_ids})
    members["history"] = _spelled([image.history() for image in images])
    pairs = (f"{_spelled(name)}:{members[name]}" for name in sorted(members))
    return _escaped("{" + ",".join(pairs) + "}").encode()


def _spelled(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


_STRING_OR_SPACE: Final = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")|[ \t\n\r]+')
_ESCAPES: Final = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def _compact(text: str) -> str:
    """JSON without the white space between its parts."""
    return _STRING_OR_SPACE.sub(r"\1", text)


def _escaped(text: str) -> str:
    """JSON with the characters escaped that Go escapes: they stand in strings only."""
    return text.translate(_ESCAPES)
