"""A side of a comparison: the images and artifacts of one store, and what speaks of them.

Layers are measured here: every blob is read once, hashed, and unpacked against the ``diff_ids`` of
the configs, so that a comparison does not depend on what documents state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from oci_convert.checks.blobs import BlobCheck, check_all
from oci_convert.comparison.difference import CompanionValue, LayerValue
from oci_convert.errors import DocumentError
from oci_convert.findings import Finding, Level
from oci_convert.layers.streams import Tally
from oci_convert.progress import Progress
from oci_convert.spec.digest import CANONICAL, Digest
from oci_convert.spec.media_types import Compression, Kind, look_up
from oci_convert.spec.models import Descriptor, Platform
from oci_convert.spec.names import called, normalised, unpinned
from oci_convert.spec.platforms import disagree
from oci_convert.stores.base import Source
from oci_convert.stores.opening import SourceLike, opened
from oci_convert.transform.document_edits import REFERENCE_DIGEST, is_attestation, is_image
from oci_convert.tree.nodes import DocumentNode, Image, Node, Tree
from oci_convert.tree.reader import Faults
from oci_convert.tree.referrers import Referrer, read_images, with_referrers
from oci_convert.tree.walk import Visit, is_index_of_images, listed, walk

__all__ = ["Layer", "Named", "NotCompared", "OpenSide", "Side", "Variant", "open_side"]


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of an image, or a blob of an artifact."""

    position: int
    visit: Visit
    diff_id: Digest | None
    """What the config says that it unpacks to; ``None`` if there is not one for each layer."""
    measured: bool
    """Whether it was unpacked, and is what the config says."""
    digest: Digest
    """What its bytes hash to, for all layers by one algorithm if they were read."""

    @property
    def node(self) -> Node:
        """The blob."""
        return self.visit.node

    @property
    def content(self) -> str:
        """What two layers that are the same have in common."""
        return self.diff_id or self.digest

    @property
    def compression(self) -> Compression | None:
        """How it is packed: by its bytes, else by its media type."""
        if self.node.compression is not None:
            return self.node.compression
        meaning = look_up(self.node.descriptor.media_type)
        return None if meaning is None else meaning.cell.compression

    def facts(self) -> dict[str, Any]:
        """What a difference says of it."""
        descriptor, packed = self.node.descriptor, self.compression
        value = LayerValue(self.position, self.diff_id, descriptor.digest, descriptor.size, packed)
        return value.to_json()


@dataclass(frozen=True, slots=True)
class Variant:
    """What one image is for one platform, or what an artifact is."""

    image: str
    """The name of the image, or its path."""
    visit: Visit
    """Its manifest; of an artifact without one, its blob."""
    platform: Platform | None
    """The platform that the entry of an index states, or the config."""
    config: bytes | None
    """The config of an image; that of an artifact is never read."""
    image_id: Digest
    """The digest of the config; for images of one algorithm, so that it can be compared."""
    layers: tuple[Layer, ...]
    artifact: str | None = None
    """The type of an artifact; ``None`` for an image."""
    built: bool = False
    """The manifest was made up: the store holds none."""

    @property
    def where(self) -> str:
        """Its place."""
        return self.visit.where

    @property
    def kind(self) -> Kind:
        """What kind of blob a difference is about that concerns it as a whole."""
        return self.visit.node.kind if self.artifact is None else Kind.ARTIFACT

    @property
    def identity(self) -> tuple[str, ...]:
        """What images that are the same have in common: image ID and layers."""
        return self.artifact or "", self.image_id, *(layer.content for layer in self.layers)

    def suits(self, other: Variant) -> bool:
        """Whether both are for the same platform, as far as both sides state one."""
        mine, yours = self.visit.entry.platform, other.visit.entry.platform
        return mine is None or yours is None or not disagree(mine, yours)

    def is_rival(self, other: Variant) -> bool:
        """Whether it is meant for the same machines, or the same use."""
        if self.artifact != other.artifact:
            return False
        if self.platform is None or other.platform is None:
            return self.platform is other.platform
        return not disagree(self.platform, other.platform)


@dataclass(frozen=True, slots=True)
class NotCompared:
    """A referrer, signature or artifact, which is not compared: it exists or not."""

    what: str
    """``attestation``, ``referrer``, ``signature``, or ``image``: one that is absent or has no
    config."""
    digest: str
    where: str
    present: bool = True
    subject: str | None = None
    """The digest of its subject."""

    def facts(self) -> dict[str, Any]:
        """What a difference says of it."""
        return CompanionValue(self.what, self.digest, self.present).to_json()

    def __str__(self) -> str:
        article = "an" if self.what[0] in "ai" else "a"
        return f"{article} {self.what}{'' if self.present else ' that is absent'}"


@dataclass
class Named:
    """An image of a side: what its documents are, and what it is for each platform."""

    label: str
    """Its name, or its path."""
    name: str | None
    """Its name in full."""
    indexes: list[Visit] = field(default_factory=list)
    variants: list[Variant] = field(default_factory=list)


@dataclass
class Side:
    """What is compared of one store."""

    reference: str
    label: str
    images: list[Named] = field(default_factory=list)
    not_compared: list[NotCompared] = field(default_factory=list)
    faults: list[Finding] = field(default_factory=list)
    """Layers that are not what their documents say."""

    def by_name(self) -> dict[str | None, list[Named]]:
        """The images under each name; a store may hold several of one."""
        found: dict[str | None, list[Named]] = {}
        for image in self.images:
            found.setdefault(image.name, []).append(image)
        return found


@dataclass(frozen=True)
class OpenSide:
    """A store that is compared, and the documents of its images."""

    reference: str
    source: Source
    tree: Tree
    referrers: Sequence[Referrer]

    def measured(
        self,
        other: OpenSide,
        *,
        jobs: int | None = None,
        documents_only: bool = False,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> Side:
        """Measure what is compared; ``documents_only`` reads no layer.

        Over a network, a layer is not read of which the ``other`` side says the same, as their
        digests are equal. Raises :class:`OciConvertError` if a document cannot be trusted, or there
        is neither image nor artifact.
        """
        source, check = self.source, None
        side = Side(self.reference, source.label)
        with _within(source):
            said = self._said_by(other)
            if not documents_only:
                but = said if source.remote else ()
                _, check = check_all(self._whole(), source, jobs, on_progress, but=but)
                side.faults += _faults(check, source.label)
            blobs = _Blobs(source, check, said)
            for image in self.tree.images:
                _read_image(side, image, blobs)
        side.not_compared += _speaking(self.referrers, source)
        if not side.images:
            raise source.empty()
        return side

    def _whole(self) -> Tree:
        """The images, and what refers to them."""
        return with_referrers(self.tree, self.referrers)

    def _said_by(self, other: OpenSide) -> frozenset[str]:
        """The digests of which both sides say that they have the same content."""
        mine, yours = self._statements(), other._statements()
        return frozenset(digest for digest in mine if mine[digest] == yours.get(digest))

    def _statements(self) -> dict[str, set[Digest | None]]:
        """What the blobs of documents are said to unpack to."""
        said: dict[str, set[Digest | None]] = {}
        for node in self._whole().documents():
            for _, child, diff_id in node.contents():
                said.setdefault(child.descriptor.digest, set()).add(diff_id)
        return said


@contextmanager
def open_side(store: SourceLike, *, follow_links: bool = False) -> Iterator[OpenSide]:
    """Open a store that is compared, and read its documents.

    Raises :class:`OciConvertError` if it cannot be read, or holds one that cannot be trusted.
    """
    with opened(store, follow_links=follow_links) as (reference, source, roots):
        with _within(source):
            tree, referrers = read_images(source, roots, Faults.REPAIR)
        yield OpenSide(str(reference), source, tree, referrers)


@contextmanager
def _within(source: Source) -> Iterator[None]:
    try:
        yield
    except DocumentError as error:
        raise error.within(source.label) from None


def _faults(check: BlobCheck, label: str) -> Iterator[Finding]:
    """What is wrong with bytes. A wrong label is a difference in format, and shows as one."""
    for fault in check.findings:
        if fault.level is Level.ERROR and fault.code != "mislabelled-layer":
            yield replace(fault, where=f"{label}: {fault.where}")


def _speaking(referrers: Sequence[Referrer], source: Source) -> Iterator[NotCompared]:
    """Referrers and signatures, and the ``signature-N`` files of a ``dir:``."""
    for referrer in referrers:
        what = "signature" if referrer.subject.signed else "referrer"
        digest, subject = referrer.root.descriptor.digest, referrer.subject.digest
        yield NotCompared(what, digest, referrer.node.where, subject=subject)
    for name, (subject, data) in source.signatures().items():
        yield NotCompared("signature", Digest.of(data), name, subject=subject)


@dataclass(frozen=True, slots=True)
class _Blobs:
    """The blobs of a side, and what is known of their bytes."""

    source: Source
    check: BlobCheck | None
    """``None`` if documents are trusted."""
    said: frozenset[str]
    """The digests of which the other side says the same."""

    def digest(self, blob: Descriptor, *, present: bool) -> Digest:
        """The digest of a blob by the algorithm of all; its own if that says enough, or nobody
        reads it.
        """
        name = blob.name
        if name.algorithm == CANONICAL or name in self.said or self.check is None or not present:
            return name
        tally = Tally()
        deque(tally.through(self.source.stream(blob)), maxlen=0)
        return tally.digest

    def is_measured(self, blob: Descriptor) -> bool:
        """Whether a layer was unpacked, and is what the config says."""
        return self.check is not None and bool(self.check.unpacked.get(blob.digest))


def _read_image(side: Side, image: Image, blobs: _Blobs) -> None:
    root, node = image.root, image.node
    name = called(root.annotations)
    # A digest in a name goes when it is no longer true, and makes it no other name.
    named = Named(name or node.where, None if name is None else normalised(unpinned(name)[0]))
    named.indexes += filter(is_index_of_images, walk(node, root.descriptor))
    for visit in listed(node, root.descriptor):
        other = _not_compared(visit)
        if other is None:
            named.variants.append(_variant(named.label, visit, blobs, built=root.built))
        else:
            side.not_compared.append(other)
    if named.variants:
        side.images.append(named)


def _not_compared(visit: Visit) -> NotCompared | None:
    """What is listed beside the images, or is no image that could be compared."""
    node, entry = visit.node, visit.entry
    if is_attestation(entry):
        subject = (entry.annotations or {}).get(REFERENCE_DIGEST)
        return NotCompared(
            "attestation", node.descriptor.digest, visit.where, node.present, subject
        )
    headless = isinstance(node, DocumentNode) and is_image(node.document) and node.config is None
    if headless or not node.present:
        return NotCompared("image", node.descriptor.digest, visit.where, present=False)
    return None


def _variant(label: str, visit: Visit, blobs: _Blobs, *, built: bool) -> Variant:
    node, blob = visit.node, visit.node.descriptor
    if not isinstance(node, DocumentNode):
        named = blobs.digest(blob, present=node.present)
        return Variant(label, visit, None, None, named, (), blob.media_type)
    layers, config = tuple(_layers(visit, node, blobs)), node.config
    if config is None:
        first = node.children[0]
        named = blobs.digest(first.descriptor, present=first.present)
        return Variant(label, visit, None, None, named, layers, node.artifact_type)
    image_id = Digest.of(config.raw)
    return Variant(label, visit, visit.platform, config.raw, image_id, layers, built=built)


def _layers(visit: Visit, node: DocumentNode, blobs: _Blobs) -> Iterator[Layer]:
    for i, (slot, child, diff_id) in enumerate(node.contents()):
        blob = child.descriptor
        # What is no layer is not unpacked, whatever a config says of it.
        content = diff_id if child.kind is Kind.LAYER else None
        yield Layer(
            position=i,
            visit=Visit(child, slot.descriptor, slot, visit),
            diff_id=content,
            measured=blobs.is_measured(blob),
            digest=blob.name if content else blobs.digest(blob, present=child.present),
        )
