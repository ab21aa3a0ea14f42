"""Decisions: what becomes of each node of a tree, and the plan that they make up.

All of this is frozen and can be pickled: a dry run shows a plan, and a run carries it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from oci_convert.documents.document import Document, Role, Slot
from oci_convert.findings import Finding
from oci_convert.options import Options
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression, Family
from oci_convert.spec.models import Descriptor
from oci_convert.tree.nodes import BlobNode, DocumentNode, Image, Node
from oci_convert.tree.referrers import Referrer

__all__ = [
    "Decision",
    "DescriptorPlan",
    "Drop",
    "Keep",
    "Plan",
    "PlannedImage",
    "PlannedReferrer",
    "Recompress",
    "Relabel",
    "Restore",
    "Rewrite",
    "carried",
    "documents_below",
    "in_order",
    "kept",
    "named",
    "recompresses",
    "same_bytes",
]


@dataclass(frozen=True, eq=False, slots=True)
class Keep:
    """The same bytes under the same media type."""

    node: Node
    diff_id: Digest | None = None
    """What the layer must decompress to, where nothing else vouches for it."""
    children: tuple[DescriptorPlan, ...] = ()
    """What the blob names, if it is a document or an opaque blob: it comes along."""


@dataclass(frozen=True, eq=False, slots=True)
class Relabel:
    """The same bytes under another media type."""

    node: Node
    media_type: str
    diff_id: Digest | None = None
    """As for :class:`Keep`."""


@dataclass(frozen=True, eq=False, slots=True)
class Recompress:
    """A layer whose tar stays, compressed anew."""

    node: BlobNode
    media_type: str
    to: Compression
    diff_id: Digest
    """What the layer must decompress to."""


@dataclass(frozen=True, eq=False, slots=True)
class Rewrite:
    """A document, edited in place where its family or what it names changes."""

    node: DocumentNode
    family: Family
    children: tuple[DescriptorPlan, ...]
    """Parallel to the slots of the document."""

    @property
    def is_emptied(self) -> bool:
        """Whether this is an index that had entries and has lost them all."""
        listed = [child for child in self.children if child.slot.role is Role.ENTRY]
        return bool(listed) and not any(child.carried for child in listed)


@dataclass(frozen=True, eq=False, slots=True)
class Restore:
    """A document that gives way to its original, from the record of an earlier conversion."""

    node: DocumentNode
    original: Document
    descriptor: Descriptor
    children: tuple[DescriptorPlan, ...]
    """What it names, as far as it is in the tree."""


@dataclass(frozen=True, eq=False, slots=True)
class Drop:
    """Left out of the target; the finding of this code says why."""

    node: Node
    code: str


Decision = Keep | Relabel | Recompress | Rewrite | Restore | Drop


@dataclass(frozen=True, eq=False, slots=True)
class DescriptorPlan:
    """What becomes of one descriptor in a document."""

    slot: Slot
    decision: Decision
    spliced: bool = False
    """The entries of the nested index that it names take its place."""
    platform: Mapping[str, object] | None = None
    """A platform that the entry gains."""
    keeps: frozenset[str] = frozenset()
    """Members that stay although Docker's schema does not define them."""
    stale: frozenset[str] = frozenset()
    """Annotations that describe bytes which are recompressed."""
    reference: Decision | None = None
    """The image that an attestation belongs to."""

    @property
    def removed(self) -> bool:
        """Whether the descriptor goes from the document."""
        return isinstance(self.decision, Drop)

    @property
    def carried(self) -> bool:
        """Whether what it names comes with the document."""
        return not self.removed and self.slot.role is not Role.SUBJECT


@dataclass(frozen=True, slots=True, eq=False)
class PlannedImage:
    """An image, and what becomes of it."""

    image: Image
    decision: Decision


@dataclass(frozen=True, slots=True, eq=False)
class PlannedReferrer:
    """A referrer or a signature that comes with its subject, and what becomes of it."""

    referrer: Referrer
    decision: Decision


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The decisions for a whole tree."""

    family: Family
    """The family of the target."""
    options: Options
    images: tuple[PlannedImage, ...] = ()
    referrers: tuple[PlannedReferrer, ...] = ()
    findings: tuple[Finding, ...] = ()
    irreversible: tuple[Decision, ...] = ()
    """The documents that converting back gives other bytes for."""

    @property
    def roots(self) -> tuple[Decision, ...]:
        """What becomes of each image and each referrer."""
        images = (planned.decision for planned in self.images)
        return (*images, *(planned.decision for planned in self.referrers))

    def irreversible_in(self, planned: PlannedImage) -> tuple[Node, ...]:
        """What of an image converting back gives other bytes for."""
        irreversible = {id(decision) for decision in self.irreversible}
        replaced = planned.decision.node is not planned.image.node
        return (
            *((planned.image.node,) if replaced else ()),
            *(
                below.node
                for below in documents_below(planned.decision)
                if id(below) in irreversible
            ),
        )

    def decisions(self) -> Iterator[Decision]:
        """Everything that ends in the target, children before parents, each once."""
        return in_order(self.roots)


def kept(node: Node, diff_id: Digest | None = None) -> Keep:
    """The decision that leaves a blob, and everything that it names, as it is."""
    below = (pair for pair in node.named if pair[0].role is not Role.SUBJECT)
    return Keep(node, diff_id, tuple(DescriptorPlan(slot, kept(child)) for slot, child in below))


def same_bytes(node: Node, media_type: str, diff_id: Digest | None = None) -> Keep | Relabel:
    """The decision that leaves the bytes alone, and perhaps changes what they are called."""
    if media_type == node.descriptor.media_type:
        return kept(node, diff_id)
    return Relabel(node, media_type, diff_id)


def named(decision: Decision) -> tuple[DescriptorPlan, ...]:
    """What becomes of the descriptors of a document, or of an opaque blob."""
    return decision.children if isinstance(decision, Rewrite | Restore | Keep) else ()


def carried(roots: Iterable[Decision]) -> Iterator[Decision]:
    """What ends in the target of some roots, parents first, each once."""
    given: set[int] = set()
    followed: set[int] = set()

    def below(decision: Decision, *, spliced: bool = False) -> Iterator[Decision]:
        # A nested index may be spliced here, and an image of its own elsewhere.
        if not spliced and id(decision) not in given:
            given.add(id(decision))
            yield decision
        if id(decision) not in followed:
            followed.add(id(decision))
            for child in named(decision):
                if child.carried:
                    yield from below(child.decision, spliced=child.spliced)

    for root in roots:
        yield from below(root)


def in_order(roots: Iterable[Decision]) -> Iterator[Decision]:
    """What ends in the target of some roots, each once, behind all that it names.

    So a subject stands before what refers to it.
    """
    roots = tuple(roots)
    wanted = {id(decision) for decision in carried(roots)}
    seen: set[int] = set()

    def below(decision: Decision) -> Iterator[Decision]:
        if id(decision) in seen:
            return
        seen.add(id(decision))
        for child in named(decision):
            if not child.removed:
                yield from below(child.decision)
        if id(decision) in wanted:
            yield decision

    for root in roots:
        yield from below(root)


def documents_below(
    decision: Decision, seen: set[int] | None = None
) -> Iterator[Rewrite | Restore]:
    """The documents at and below a decision, children first, each once; also spliced ones."""
    seen = set() if seen is None else seen
    if id(decision) in seen or not isinstance(decision, Rewrite | Restore):
        return
    seen.add(id(decision))
    for child in decision.children:
        if child.carried:
            yield from documents_below(child.decision, seen)
    yield decision


def recompresses(decision: Decision) -> bool:
    """Whether a layer at or below a decision is recompressed."""
    return any(isinstance(below, Recompress) for below in carried((decision,)))
