"""Editing one document from family to family: its new bytes, and what was removed.

Pure: bytes in, bytes out. What becomes of the blobs that a document names is decided elsewhere and
passed in, one :class:`Child` for each of its descriptors.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from oci_convert.documents.document import Document, Role, Slot
from oci_convert.documents.json_editor import Editor
from oci_convert.documents.json_reader import Array, Object, compact
from oci_convert.errors import DocumentError, RefusedError
from oci_convert.findings import Finding
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import (
    OCTET_STREAM,
    Cell,
    Family,
    Kind,
    counterpart,
    look_up,
    name_of,
)
from oci_convert.spec.models import Descriptor

__all__ = [
    "REFERENCE_DIGEST",
    "REFERENCE_TYPE",
    "Child",
    "Edit",
    "changes_family",
    "config_type",
    "edit",
    "embedded",
    "fits",
    "home_of",
    "is_attestation",
    "is_image",
    "is_loadable",
    "not_an_image",
    "strips",
    "target_type",
]

REFERENCE_TYPE: Final = "vnd.docker.reference.type"
REFERENCE_DIGEST: Final = "vnd.docker.reference.digest"
"""Annotations by which BuildKit links an attestation to its image."""

_DOCUMENT_EXTENSIONS: Final = ("annotations", "subject", "artifactType")
_SLOT_EXTENSIONS: Final[Mapping[Role, tuple[str, ...]]] = {
    Role.CONFIG: ("annotations", "artifactType", "data", "platform", "urls"),
    Role.LAYER: ("annotations", "artifactType", "data", "platform"),
    Role.ENTRY: ("annotations", "artifactType", "data", "urls"),
    Role.SUBJECT: (),
    Role.BLOB: (),
}
"""Fields that the Docker schema does not define, by the role of a descriptor."""


class Child(NamedTuple):
    """What becomes of the blob that a descriptor names."""

    new: Descriptor | None
    """Its new media type, digest and size; ``None`` removes the entry."""
    content: bytes | None = None
    """Its new bytes, where they are known: an embedded ``data`` is renewed with them."""
    repacked: bool = False
    """Whether it gets other bytes, also where it is not known yet which."""
    platform: Mapping[str, object] | None = None
    """A platform for an entry that states none."""
    spliced: tuple[str, ...] | None = None
    """The JSON texts of the entries that replace this one: a nested index, flattened."""
    annotations: Mapping[str, str] | None = None
    """Annotations of the entry that get new values."""
    keeps: frozenset[str] = frozenset()
    """Fields of the entry that stay although the Docker schema does not define them."""
    without: frozenset[str] = frozenset()
    """Annotations of the entry that are no longer true."""


class Edit(NamedTuple):
    """A document after its edit."""

    raw: bytes
    media_type: str
    findings: tuple[Finding, ...]


def target_type(document: Document, family: Family) -> str:
    """The media type of ``document`` in ``family``."""
    name = counterpart(document.media_type, family)
    assert name is not None  # every family has a name for manifests and indexes
    return name


def changes_family(document: Document, family: Family) -> bool:
    """Whether ``document`` is of another family, so that more than media types may change."""
    return target_type(document, family) != document.media_type


def strips(document: Document, family: Family, *, keep_extensions: bool) -> bool:
    """Whether an edit removes what the Docker schema does not define, such as a ``subject``."""
    return family is Family.DOCKER and not keep_extensions and changes_family(document, family)


def home_of(document: Document, family: Family) -> Family:
    """The family to convert back to after a conversion to ``family``."""
    homes = document.families
    if family in homes:
        return family
    return next((home for home in Family if home in homes), Family.OCI)


def config_type(document: Document, media_type: str, family: Family) -> str:
    """The media type of a config in ``family``; that of an artifact stays unchanged."""
    if media_type == OCTET_STREAM and document.families == {Family.DOCKER}:
        if not changes_family(document, family):
            return media_type
        media_type = str(name_of(Cell(Kind.CONFIG), Family.DOCKER))
    return counterpart(media_type, family) or media_type


def is_image(document: Document) -> bool:
    """Whether a manifest describes an image, not an artifact."""
    for slot in document.slots:
        if slot.role is Role.CONFIG:
            media_type = slot.descriptor.media_type
            meaning = look_up(media_type)
            octets = media_type == OCTET_STREAM and document.families == {Family.DOCKER}
            return octets or (meaning is not None and meaning.cell.kind is Kind.CONFIG)
    return False


def is_loadable(document: Document) -> bool:
    """Whether a document is an image whose layers are layers, so that Docker can load it.

    Signatures and attestations have the form of images, but their layers are something else.
    """
    layers = (slot.descriptor for slot in document.slots if slot.role is Role.LAYER)
    meanings = [look_up(layer.media_type) for layer in layers]
    return is_image(document) and all(
        meaning is not None and meaning.cell.kind is Kind.LAYER for meaning in meanings
    )


def edit(
    document: Document,
    family: Family,
    children: Sequence[Child],
    *,
    where: str = "",
    keep_extensions: bool = False,
) -> Edit:
    """Edit ``document`` so that it is of ``family`` and names the new descriptors of its blobs.

    ``children`` are parallel to ``document.slots``. A document in which nothing has to change
    comes back as the same bytes.
    """
    return _Edit(document, family, where, keep_extensions).run(children)


class _Edit:
    def __init__(self, document: Document, family: Family, where: str, keep_extensions: bool):  # noqa: FBT001 - private
        self._document = document
        self._media_type = target_type(document, family)
        self._moves = changes_family(document, family)
        self._strips = strips(document, family, keep_extensions=keep_extensions)
        self._where = where
        self._editor = Editor(document.text, document.root.get("mediaType"))
        self._findings: list[Finding] = []

    def run(self, children: Sequence[Child]) -> Edit:
        if self._moves:
            self._name_document()
        elif self._document.is_misnamed:
            self._name()
        gone: set[str] = set()
        if self._strips:
            gone = self._strip(self._document.root, _DOCUMENT_EXTENSIONS, self._where)
        removed: set[int] = set()
        for slot, child in zip(self._document.slots, children, strict=True):
            if slot.role is Role.SUBJECT and "subject" in gone:
                continue
            if child.spliced:
                self._editor.replace(slot.object, ",".join(child.spliced))
            elif child.new is None:
                removed.add(slot.index)
            else:
                self._rename(slot, child.new, child)
        manifests = self._document.root.get("manifests")
        if removed and isinstance(manifests, Array):
            self._editor.remove_items(manifests, removed)
        raw = self._editor.apply() if self._editor else self._document.raw
        return Edit(raw, self._media_type, tuple(self._findings))

    def _name_document(self) -> None:
        """Write the new media type, and lists that the Docker schema requires."""
        self._name()
        root = self._document.root
        name = "layers" if self._document.kind is Kind.MANIFEST else "manifests"
        listed = root.get(name)
        if listed is None:
            anchor = "config" if name == "layers" else "schemaVersion"
            self._editor.insert(root, name, "[]", after=anchor)
        elif listed.value is None:
            self._editor.replace(listed, "[]")

    def _name(self) -> None:
        root = self._document.root
        stated = root.get("mediaType")
        if stated is None:
            self._editor.insert(
                root, "mediaType", json.dumps(self._media_type), after="schemaVersion"
            )
        else:
            self._editor.replace_string(stated, self._media_type)

    def _rename(self, slot: Slot, new: Descriptor, child: Child) -> None:
        """Write the new descriptor of a blob."""
        old, target = slot.object.value, slot.object
        gone: set[str] = set()
        if self._strips and not old.keys().isdisjoint(_SLOT_EXTENSIONS[slot.role]):
            extensions = [name for name in _SLOT_EXTENSIONS[slot.role] if name not in child.keeps]
            where = f"{self._where}.{slot.label}".lstrip(".")
            gone = self._strip(target, extensions, where)
        if "mediaType" not in old:
            self._editor.insert(target, "mediaType", json.dumps(new.media_type))
        elif old["mediaType"] is None:
            self._editor.replace(target.at("mediaType"), json.dumps(new.media_type))
        elif old["mediaType"] != new.media_type:
            self._editor.replace_string(target.at("mediaType"), new.media_type)
        if old["digest"] != new.digest:
            self._editor.replace_string(target.at("digest"), new.digest)
        if old["size"] != new.size:
            self._editor.replace_number(target.at("size"), new.size)
        if "data" in old and "data" not in gone:
            self._renew_data(slot, new, child)
        if "annotations" in old and "annotations" not in gone:
            self._amend_annotations(slot, child)
        if child.platform is not None:
            self._add_platform(slot.object, compact(child.platform))

    def _add_platform(self, target: Object, platform: str) -> None:
        """State a platform where none is stated, or an empty one."""
        stated = target.get("platform")
        if stated is None:
            self._editor.insert(target, "platform", platform, after="size")
        elif not stated.value:
            self._editor.replace(stated, platform)

    def _renew_data(self, slot: Slot, new: Descriptor, child: Child) -> None:
        data = slot.object.get("data")
        if data is None or not isinstance(data.value, str):
            return
        if new.digest == slot.descriptor.digest and not child.repacked:
            return
        if child.content is not None:
            self._editor.replace_string(data, base64.b64encode(child.content).decode("ascii"))
            return
        self._editor.remove_members(slot.object, {"data"})
        if data.value:  # an empty one says nothing
            where = f"{self._where}.{slot.label}".lstrip(".")
            message = "the embedded copy was dropped: it has the bytes before"
            self._findings.append(Finding.of("outdated-data-removed", where, message))

    def _amend_annotations(self, slot: Slot, child: Child) -> None:
        annotations = slot.object.get("annotations")
        if not isinstance(annotations, Object):
            return
        for name, value in (child.annotations or {}).items():
            stated = annotations.get(name)
            if stated is not None:
                self._editor.replace_string(stated, value)
        stale = child.without & annotations.members.keys()
        if stale and stale == annotations.members.keys():
            self._editor.remove_members(slot.object, {"annotations"})
        elif stale:
            self._editor.remove_members(annotations, set(stale))

    def _strip(self, target: Object, names: Sequence[str], where: str) -> set[str]:
        """Remove fields that the Docker schema does not define; one finding for each."""
        gone = {name for name in names if name in target.value}
        for name in sorted(gone):
            if target.value[name]:  # an empty one says nothing
                self._findings.append(Finding.of(f"{name}-removed", where, _told(name, target)))
        if gone:
            self._editor.remove_members(target, gone)
        return gone


def _told(name: str, target: Object) -> str:
    """The value that is lost with a field, for the finding."""
    member = target.get(name)
    value = None if member is None else member.value
    if name == "annotations" and isinstance(value, dict):
        listed = ", ".join(f"{key}={text}" for key, text in value.items())
        return f"Docker has no annotations: {listed}"
    if name == "subject" and isinstance(value, dict):
        return f"Docker has no subject: {value.get('digest')}"
    if name == "data":
        return "Docker has no embedded data; the blob itself is kept"
    if name == "platform" and isinstance(value, dict):
        stated = ", ".join(f"{key}={text}" for key, text in value.items())
        return f"Docker has no platform here: {stated}"
    told = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"Docker has no {name} here: {told}"


def embedded(descriptor: Descriptor, where: str, size: int | None = None) -> bytes | None:
    """The verified content of a descriptor's ``data`` (image-spec ``descriptor.md``).

    ``size`` is that of the blob, where it is known to be another one than is described.

    Raises :class:`DocumentError` (``wrong-data``) if it is not base64 or not what is described.
    """
    if not descriptor.data:  # an empty text says no more than none
        return None
    try:
        content = base64.b64decode(descriptor.data, validate=True)
    except (binascii.Error, ValueError):
        raise _wrong_data("base64", where) from None
    right_size = len(content) == (descriptor.size if size is None else size)
    if not right_size or Digest.of(content, descriptor.name.algorithm) != descriptor.digest:
        raise _wrong_data("what its descriptor says", where)
    return content


def _wrong_data(what: str, where: str) -> DocumentError:
    return DocumentError(
        f"the embedded data is not {what}",
        code="wrong-data",
        where=where,
        remedy="tools would read it differently; do not use it",
    )


def is_attestation(entry: Descriptor) -> bool:
    """Whether an entry of an index is a BuildKit attestation, in its classic or artifact form."""
    annotations = entry.annotations or {}
    if annotations.get(REFERENCE_TYPE) == "attestation-manifest":
        return True
    platform = entry.platform
    if platform is not None and (platform.os, platform.architecture) == ("unknown", "unknown"):
        return True
    return entry.artifact_type == "application/vnd.docker.attestation.manifest.v1+json"


def fits(document: Document, family: Family) -> bool:
    """Whether ``family`` can hold what ``document`` describes: Docker has images and plugins."""
    return (
        family is not Family.DOCKER
        or document.kind is Kind.INDEX
        or is_image(document)
        or _is_plugin(document)
    )


def _is_plugin(document: Document) -> bool:
    """Whether a manifest describes something that only Docker has, and that is no image."""
    for slot in document.slots:
        if slot.role is Role.CONFIG:
            meaning = look_up(slot.descriptor.media_type)
            return (
                meaning is not None
                and meaning.cell.kind is Kind.ARTIFACT
                and meaning.families == {Family.DOCKER}
            )
    return False


def not_an_image(document: Document, where: str) -> RefusedError:
    """The error for an artifact that is converted to Docker."""
    config = next((slot for slot in document.slots if slot.role is Role.CONFIG), None)
    described = ""
    if config is not None:
        media_type = config.descriptor.media_type
        described = f" (its config {f'is {media_type}' if media_type else 'has no media type'})"
    return RefusedError(
        f"this is an artifact{described}, and Docker has only images",
        code="not-an-image",
        where=where,
        remedy="convert to oci, or copy it unchanged",
    )
