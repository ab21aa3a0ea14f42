"""What a source holds: its trees, as facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from oci_convert.documents.document import Role
from oci_convert.errors import OciConvertError
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression, Family, Kind, look_up, usual_families
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import called
from oci_convert.stores.base import Source
from oci_convert.stores.opening import SourceLike, opened
from oci_convert.transform.document_edits import REFERENCE_DIGEST, is_attestation
from oci_convert.tree.nodes import DocumentNode, Image, Node, OpaqueNode, platform_of
from oci_convert.tree.referrers import Referrer, read_images, subject_tag

__all__ = ["Inspected", "Inspection", "inspect"]


@dataclass(frozen=True)
class Inspected:
    """A blob of an image, and what it names."""

    kind: Kind
    where: str
    descriptor: Descriptor
    family: frozenset[Family]
    """The families that know its media type; empty if none does. Names that OCI and its 1.0.0-rc2
    share count as OCI's."""
    platform: str | None
    name: str | None
    """The name of the image or referrer in the store; only at its root."""
    notes: tuple[str, ...]
    """Remarks: ``absent``, ``foreign``, ``attestation``, …"""
    children: tuple[Inspected, ...] = ()
    """Also empty at every path of a document except its first in an image: ``as above``."""
    compression: Compression | None = None
    """How a layer is packed, by its bytes."""
    artifact_type: str | None = None
    """What a document that is no image says that it is."""
    subject: str | None = None
    """The digest that an attestation, a referrer or a signature refers to."""
    referrers: tuple[Inspected, ...] = ()
    """Its referrers and signatures in the store."""

    def to_json(self) -> dict[str, Any]:
        """The blob and everything below as plain data."""
        value: dict[str, Any] = {
            "kind": self.kind.value,
            "where": self.where,
            **self.descriptor.triple(),
            "family": sorted(family.value for family in self.family),
            "platform": self.platform,
            "compression": None if self.compression is None else self.compression.value,
            "artifactType": self.artifact_type,
            "subject": self.subject,
            "notes": list(self.notes),
        }
        if self.children:
            value["children"] = [child.to_json() for child in self.children]
        if self.referrers:
            value["referrers"] = [{"name": r.name, **r.to_json()} for r in self.referrers]
        return value

    def walk(self) -> Iterator[Inspected]:
        """The blob and everything below, in the order of the tree."""
        yield self
        for child in (*self.children, *self.referrers):
            yield from child.walk()


@dataclass(frozen=True)
class Inspection:
    """The images of a source."""

    source: str
    images: tuple[Inspected, ...]
    """Referrers of an image are below it, not among the images."""

    def to_json(self) -> dict[str, Any]:
        """The images as plain data."""
        images = [{"name": image.name, **image.to_json()} for image in self.images]
        return {"version": 1, "source": self.source, "images": images}


def inspect(source: SourceLike) -> Inspection:
    """Read the trees of a source: documents are verified, of layers only the first bytes are read.

    Raises :class:`OciConvertError` for a source that cannot be read or holds a document that cannot
    be trusted; what is missing is a note. An archive that is compressed as a whole, or comes as a
    stream, is unpacked in the system's folder for temporary files.
    """
    with opened(source) as (reference, store, roots):
        try:
            tree, referrers = read_images(store, roots)
            known = _Known.of(store, referrers)
            images = tuple(_View(known).image(image) for image in tree.images)
            return Inspection(str(reference), images)
        except OciConvertError as error:
            raise error.within(store.label) from None


@dataclass(frozen=True)
class _Known:
    """What a source says of its images."""

    referrers: Mapping[str, Sequence[Referrer]]
    """By the digest that they refer to."""
    signatures: Mapping[str, Sequence[str]]
    """The names of ``signature-N`` files, likewise."""

    @classmethod
    def of(cls, source: Source, referrers: Sequence[Referrer]) -> _Known:
        referring: dict[str, list[Referrer]] = {}
        for referrer in referrers:
            referring.setdefault(referrer.subject.digest, []).append(referrer)
        signatures: dict[str, list[str]] = {}
        for name, (digest, _) in source.signatures().items():
            signatures.setdefault(digest, []).append(name)
        return cls(referring, signatures)


@dataclass
class _View:
    """One image as it is shown: every document is opened only at its first path.

    Small indexes that name each other can make a tree of billions of nodes.
    """

    known: _Known
    shown: set[int] = field(default_factory=set)

    def image(self, image: Image) -> Inspected:
        shown = self.blob(image.node, image.root.descriptor, called(image.root.annotations))
        if image.root.built:
            shown = replace(shown, notes=("the archive has no manifest", *shown.notes))
        return shown

    def blob(
        self,
        node: Node,
        entry: Descriptor,
        name: str | None = None,
        referrer: Referrer | None = None,
    ) -> Inspected:
        again = isinstance(node, DocumentNode | OpaqueNode) and id(node) in self.shown
        self.shown.add(id(node))
        old = entry if node.old is node.descriptor else node.old
        platform = platform_of(node, entry) if node.kind in (Kind.MANIFEST, Kind.INDEX) else None
        subject = _subject(node, entry) if referrer is None else referrer.subject.digest
        return Inspected(
            node.kind,
            node.where,
            old,
            usual_families(entry.media_type),
            None if platform is None else str(platform),
            name,
            tuple(self._notes(node, entry, referrer, again=again)),
            () if again else tuple(self._children(node)),
            node.compression,
            node.artifact_type if isinstance(node, DocumentNode) else None,
            subject,
            () if again else tuple(self._referrers(node, old)),
        )

    def _children(self, node: Node) -> Iterator[Inspected]:
        for slot, child in node.named:
            if slot.role is not Role.SUBJECT:
                yield self.blob(child, slot.descriptor)

    def _referrers(self, node: Node, old: Descriptor) -> Iterator[Inspected]:
        if not isinstance(node, DocumentNode):
            return
        for referrer in self.known.referrers.get(old.digest, ()):
            if id(referrer.node) not in self.shown:
                root = referrer.root
                yield self.blob(referrer.node, root.descriptor, called(root.annotations), referrer)

    def _notes(
        self, node: Node, entry: Descriptor, referrer: Referrer | None, *, again: bool
    ) -> Iterator[str]:
        """Remarks about a blob."""
        if node.old is not node.descriptor:
            yield f"schema 1, becomes {node.descriptor.name.short()}"
        if again:
            yield "as above"
        if node.is_foreign:
            yield "foreign"
        if not node.present:
            yield "absent"
        if referrer is not None:
            yield "signature" if referrer.subject.signed else "referrer"
            name = called(referrer.root.annotations)
            if name is not None and subject_tag(referrer.root) is None:
                yield f"named {name}"
        elif is_attestation(entry):
            yield "attestation"
        else:
            subject = _subject(node, entry)
            if subject is not None:
                yield f"refers to {Digest(subject).short()}"
        yield from _packing(node, entry)
        yield from _labels(node)
        if isinstance(node, DocumentNode):
            yield from self.known.signatures.get(node.old.digest, ())


def _packing(node: Node, entry: Descriptor) -> Iterator[str]:
    """What the first bytes of a layer say of its media type."""
    meaning = look_up(entry.media_type)
    if (
        node.kind is Kind.LAYER
        and node.compression
        and meaning is not None
        and meaning.cell.encrypted
    ):
        yield "encrypted"
    elif (actual := node.mislabelled) is not None:
        yield f"mislabelled: the bytes are {actual.spoken}"


def _labels(node: Node) -> Iterator[str]:
    """What is odd about the media type of a blob."""
    document = node.document_or_none
    for remark in node.remarks:
        if remark.code == "misspelled-media-type":
            yield "misspelled media type"
        elif remark.code == "mislabelled-document" and document is not None:
            yield f"mislabelled: it is {document.media_type}"
        elif remark.code == "opaque-blob":
            yield "neither a manifest nor an index"


def _subject(node: Node, entry: Descriptor) -> str | None:
    """The digest that a document refers to: its ``subject``, or its image if an attestation."""
    if is_attestation(entry):
        return (entry.annotations or {}).get(REFERENCE_DIGEST)
    document = node.document_or_none
    slots = () if document is None else document.slots
    return next((str(s.descriptor.digest) for s in slots if s.role is Role.SUBJECT), None)
