"""A side of a comparison: the images of one store, for each platform, and what speaks of them.

Layers are measured here: every blob is read once, hashed, and unpacked against the ``diff_ids`` of
the configs, so that a comparison need not believe what documents say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from oci_convert.checks.blobs import BlobCheck
from oci_convert.checks.documents import DocumentCheck, disagree
from oci_convert.comparison.difference import About
from oci_convert.documents.document import Role
from oci_convert.errors import DocumentError
from oci_convert.findings import Finding, Level
from oci_convert.progress import Progress
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression, Kind, look_up
from oci_convert.spec.models import Descriptor, Platform
from oci_convert.spec.names import called, normalised
from oci_convert.stores.base import Source
from oci_convert.stores.opening import SourceLike, opened
from oci_convert.transform.document_edits import REFERENCE_DIGEST, is_attestation, is_image
from oci_convert.tree.nodes import DocumentNode, Image, Node, Tree, platform_of
from oci_convert.tree.reader import read_tree
from oci_convert.tree.referrers import SortedRoots, sort_roots

__all__ = ["Companion", "Layer", "Named", "Placed", "Side", "Variant", "read_side"]


@dataclass(frozen=True, slots=True)
class Placed:
    """A document at one of its places."""

    node: Node
    where: str
    entry: dict[str, Any] | None = None
    """What the index that lists it says of it; ``None`` for what only the store lists."""
    built: bool = False
    """The document was made up: the store holds none."""

    @property
    def raw(self) -> bytes | None:
        """The bytes in the store: of schema 1 not those of its upgrade."""
        return self.node.stored


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of an image."""

    position: int
    node: Node
    where: str
    stated: dict[str, Any]
    """Its descriptor as it stands in the manifest."""
    diff_id: str | None
    """What the config says that it unpacks to; ``None`` if there is not one for each layer."""
    measured: bool
    """Whether it was unpacked, and is what the config says."""

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
        return {
            "position": self.position,
            "diff_id": self.diff_id,
            "digest": descriptor.digest,
            "size": descriptor.size,
            "compression": None if packed is None else packed.value,
        }


@dataclass(frozen=True, slots=True)
class Variant:
    """What one image is for one platform."""

    image: str
    """What people call the image, or its place."""
    top: Placed
    """Its manifest."""
    stated: Platform | None
    """The platform that the entry of an index states."""
    platform: Platform | None
    """The same, or what the config states."""
    config: bytes
    image_id: Digest
    """The digest of the config; of one algorithm, so that it can be compared."""
    layers: tuple[Layer, ...]

    @property
    def about(self) -> About:
        """What a difference says that it is about."""
        platform = None if self.platform is None else str(self.platform)
        return About(self.image, platform)

    @property
    def identity(self) -> tuple[str, ...]:
        """What images that are the same have in common: image ID and layers.

        A layer of which no ``diff_id`` speaks is known by its digest alone.
        """
        return self.image_id, *(
            layer.diff_id or layer.node.descriptor.digest for layer in self.layers
        )

    def suits(self, other: Variant) -> bool:
        """Whether both are for the same platform, as far as both sides state one."""
        if self.stated is None or other.stated is None:
            return True
        return not disagree(self.stated, other.stated)

    def is_rival(self, other: Variant) -> bool:
        """Whether it is meant for the same machines."""
        if self.platform is None or other.platform is None:
            return self.platform is other.platform
        return not disagree(self.platform, other.platform)


@dataclass(frozen=True, slots=True)
class Companion:
    """What stands beside the images and is not compared: it is there, or not."""

    what: str
    """``attestation``, ``artifact``, ``referrer``, ``signature``, or ``image``: one that is absent
    or has no config."""
    digest: str
    where: str
    present: bool
    subject: str | None = None
    """The digest that it speaks of."""

    def facts(self) -> dict[str, Any]:
        """What a difference says of it."""
        return {"what": self.what, "digest": self.digest, "present": self.present}

    def __str__(self) -> str:
        article = "an" if self.what[0] in "ai" else "a"
        return f"{article} {self.what}{'' if self.present else ' that is absent'}"


@dataclass
class Named:
    """An image of a side: what its documents are, and what it is for each platform."""

    label: str
    """What people call it, or its place."""
    name: str | None
    """Its name in full."""
    indexes: list[Placed] = field(default_factory=list)
    variants: list[Variant] = field(default_factory=list)


@dataclass
class Side:
    """What is compared of one store."""

    reference: str
    label: str
    images: list[Named] = field(default_factory=list)
    companions: list[Companion] = field(default_factory=list)
    faults: list[Finding] = field(default_factory=list)
    """Layers that are not what their documents say."""

    def by_name(self) -> dict[str | None, list[Named]]:
        """The images under each name; a store may hold several of one."""
        found: dict[str | None, list[Named]] = {}
        for image in self.images:
            found.setdefault(image.name, []).append(image)
        return found


def read_side(
    store: SourceLike,
    *,
    jobs: int | None = None,
    documents_only: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Side:
    """Read and measure what is compared of one store; ``documents_only`` reads no layer.

    Raises :class:`OciConvertError` if it cannot be read, holds a document that cannot be trusted,
    or holds no image.
    """
    with opened(store) as (reference, source, roots):
        everything = source.roots()
        rest = roots if len(roots) == len(everything) else [r for r in everything if r not in roots]
        found = sort_roots(source, rest)
        tree = read_tree(source, roots, known=found.known)
        side = Side(str(reference), source.label)
        check = None
        if not documents_only:
            check = _measured(tree, source, jobs, on_progress)
            side.faults += _faults(check, source.label)
        speaking = _speaking(tree, found)
        for image in tree.images:
            if id(image.root) not in speaking:
                _Reader(side, image, check).run()
        side.companions += speaking.values()
        side.companions += _signatures(source)
        if not side.images:
            raise source.empty()
        return side


# -- measuring ----------------------------------------------------------------------------------


def _measured(
    tree: Tree, source: Source, jobs: int | None, on_progress: Callable[[Progress], None] | None
) -> BlobCheck:
    documents = DocumentCheck(tree, source)
    documents.run()
    check = BlobCheck(tree, source, documents.claims, jobs, on_progress)
    check.run()
    return check


def _faults(check: BlobCheck, label: str) -> Iterator[Finding]:
    """What is wrong with bytes. A wrong label is a difference in format, and shows as one."""
    for fault in check.findings:
        if fault.level is Level.ERROR and fault.code != "mislabelled-layer":
            yield replace(fault, where=f"{label}: {fault.where}")


# -- what speaks of images ----------------------------------------------------------------------


def _speaking(tree: Tree, found: SortedRoots) -> dict[int, Companion]:
    """The roots that speak of an image of the tree, also in a chain, by their identity.

    What speaks of nothing here is an image of its own, or an artifact.
    """
    places = {id(image.root): image.node.where for image in tree.images}
    others = {id(root) for root, _ in found.referrers}
    images = [image for image in tree.images if id(image.root) not in others]
    known = {node.descriptor.digest for image in images for node in image.node.nodes()}
    speaking: dict[int, Companion] = {}
    left = found.referrers
    while near := [(root, subject) for root, subject in left if subject.digest in known]:
        left = [(root, subject) for root, subject in left if subject.digest not in known]
        for root, subject in near:
            what = "signature" if subject.signed else "referrer"
            where = places.get(id(root), f"{what}s[{len(speaking)}]")
            digest = root.descriptor.digest
            speaking[id(root)] = Companion(
                what, digest, where, present=True, subject=subject.digest
            )
            known.add(digest)
    return speaking


def _signatures(source: Source) -> Iterator[Companion]:
    """The ``signature-N`` files of a ``dir:``."""
    for name, (subject, data) in source.signatures().items():
        yield Companion("signature", Digest.of(data), name, present=True, subject=subject)


# -- images -------------------------------------------------------------------------------------


@dataclass
class _Reader:
    """Reads one image of a side."""

    side: Side
    image: Image
    check: BlobCheck | None
    _seen: set[int] = field(default_factory=set)
    """The indexes that were read."""

    def run(self) -> None:
        root, node = self.image.root, self.image.node
        name = called(root.annotations)
        self.named = Named(name or node.where, None if name is None else normalised(name))
        self._read(Placed(node, node.where, built=root.built), root.descriptor)
        if self.named.variants:
            self.side.images.append(self.named)

    def _read(self, top: Placed, entry: Descriptor) -> None:
        """The images at or below ``top``, which ``entry`` names.

        Nested indexes are recursed, each once: they may list each other again and again.
        """
        node = top.node
        if is_attestation(entry):
            self._beside("attestation", top, (entry.annotations or {}).get(REFERENCE_DIGEST))
        elif not isinstance(node, DocumentNode) or node.absent is node:
            self._beside("artifact" if node.present else "image", top)
        elif node.kind is Kind.INDEX:
            if id(node) in self._seen:
                return
            self._seen.add(id(node))
            self.named.indexes.append(top)
            for slot, child in node.named:
                if slot.role is Role.ENTRY:
                    below = Placed(child, f"{top.where}.{slot.label}", slot.object.value)
                    self._read(below, slot.descriptor)
        elif not is_image(node.document) or any(c.kind is Kind.ARTIFACT for c in node.layers()):
            self._beside("artifact", top)
        else:
            self._variant(top, node, entry)

    def _variant(self, top: Placed, node: DocumentNode, entry: Descriptor) -> None:
        config = node.config
        if config is None:
            self._beside("image", top, present=False)
            return
        try:
            found = config.view
        except DocumentError as error:
            raise error.within(self.side.label) from None
        diff_ids = found[0].rootfs.diff_ids if found[0].rootfs is not None else ()
        self.named.variants.append(
            Variant(
                image=self.named.label,
                top=top,
                stated=entry.platform,
                platform=platform_of(node, entry),
                config=config.raw,
                image_id=Digest.of(config.raw),
                layers=tuple(self._layers(top, node, diff_ids)),
            )
        )

    def _layers(self, top: Placed, node: DocumentNode, diff_ids: Sequence[str]) -> Iterator[Layer]:
        layers = [(slot, child) for slot, child in node.named if slot.role is Role.LAYER]
        known = len(diff_ids) == len(layers)
        for i, (slot, child) in enumerate(layers):
            digest = child.descriptor.digest
            yield Layer(
                position=i,
                node=child,
                where=f"{top.where}.{slot.label}",
                stated=slot.object.value,
                diff_id=diff_ids[i] if known else None,
                measured=self.check is not None and bool(self.check.unpacked.get(digest)),
            )

    def _beside(
        self, what: str, top: Placed, subject: str | None = None, *, present: bool | None = None
    ) -> None:
        here = top.node.present if present is None else present
        digest = top.node.descriptor.digest
        self.side.companions.append(Companion(what, digest, top.where, here, subject))
