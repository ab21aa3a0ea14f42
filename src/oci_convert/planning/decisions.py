"""Decisions: what becomes of each node of a tree, and the plan that they make up.

All of this is frozen and can be pickled: a dry run shows a plan, and a run carries it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from oci_convert.documents.document import Document, Role, Slot
from oci_convert.errors import OciConvertError
from oci_convert.findings import Finding
from oci_convert.options import Options
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression, Family
from oci_convert.spec.models import Descriptor
from oci_convert.text.brief import Brief
from oci_convert.tree.nodes import BlobNode, ConfigNode, DocumentNode, Image, Node
from oci_convert.tree.referrers import Referrer

__all__ = [
    "Decision",
    "DescriptorPlan",
    "Drop",
    "Keep",
    "LeftOut",
    "Outcome",
    "Plan",
    "PlannedImage",
    "PlannedReferrer",
    "Recompress",
    "Rehash",
    "Relabel",
    "Restore",
    "Rewrite",
    "Settled",
    "documents_below",
    "in_order",
    "included",
    "kept",
    "recompresses",
    "same_bytes",
]


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Keep(Brief):
    """The same bytes under the same media type."""

    node: Node
    diff_id: Digest | None = None
    """What the layer must decompress to, where nothing else vouches for it."""
    children: tuple[DescriptorPlan, ...] = ()
    """What the blob names, if it is a document or an opaque blob: it comes along."""


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Relabel(Brief):
    """The same bytes under another media type."""

    node: Node
    media_type: str
    diff_id: Digest | None = None
    """As for :class:`Keep`."""
    children: ClassVar[tuple[DescriptorPlan, ...]] = ()


Outcome = tuple[str, Compression | None]
"""The digest of a blob, and how it is compressed anew if it is: one may end as several."""


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Recompress(Brief):
    """A layer whose tar stays, compressed anew."""

    node: BlobNode
    media_type: str
    to: Compression
    diff_id: Digest
    """What the layer must decompress to."""
    children: ClassVar[tuple[DescriptorPlan, ...]] = ()

    @property
    def outcome(self) -> Outcome:
        return self.node.descriptor.digest, self.to


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Rehash(Brief):
    """The same bytes under a digest of another algorithm."""

    node: BlobNode | ConfigNode
    media_type: str
    algorithm: str
    diff_id: Digest | None = None
    """As for :class:`Keep`."""
    children: ClassVar[tuple[DescriptorPlan, ...]] = ()

    @property
    def outcome(self) -> Outcome:
        return self.node.descriptor.digest, None


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Rewrite(Brief):
    """A document, edited in place where its family or what it names changes."""

    node: DocumentNode
    family: Family
    children: tuple[DescriptorPlan, ...]
    """Parallel to the slots of the document."""

    @property
    def is_emptied(self) -> bool:
        """Whether this is an index that had entries and has lost them all."""
        listed = [child for child in self.children if child.slot.role is Role.ENTRY]
        return bool(listed) and not any(child.included for child in listed)


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Restore(Brief):
    """A document that gives way to its original, from the record of an earlier conversion."""

    node: DocumentNode
    original: Document
    descriptor: Descriptor
    children: tuple[DescriptorPlan, ...]
    """What it names, as far as it is in the tree."""


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Drop(Brief):
    """Left out of the target; the finding of this code says why."""

    node: Node
    code: str
    children: ClassVar[tuple[DescriptorPlan, ...]] = ()


Decision = Keep | Relabel | Recompress | Rehash | Rewrite | Restore | Drop


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class DescriptorPlan(Brief):
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
    def included(self) -> bool:
        """Whether what it names comes with the document."""
        return not isinstance(self.decision, Drop) and self.slot.role is not Role.SUBJECT


class PlannedImage(NamedTuple):
    """An image, and what becomes of it."""

    image: Image
    decision: Decision


class PlannedReferrer(NamedTuple):
    """A referrer or a signature that comes with its subject, and what becomes of it."""

    referrer: Referrer
    decision: Decision


class Settled(dict[int, tuple[object, Any]]):
    """The documents that were rendered and depend on no recompressed layer, and the new descriptors
    of what was relabelled, by their decisions.

    They need not be made again. A pickle leaves them out: they follow from the decisions.
    """

    def __reduce__(self) -> tuple[type[Settled], tuple[()]]:
        return Settled, ()


class LeftOut(NamedTuple):
    """An entry of a store that the target cannot hold, or that nobody asked for."""

    image: Image
    why: OciConvertError


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Plan(Brief):
    """The decisions for a whole tree."""

    family: Family
    """The family of the target."""
    options: Options
    images: tuple[PlannedImage, ...] = ()
    referrers: tuple[PlannedReferrer, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    findings: tuple[Finding, ...] = ()
    irreversible: tuple[Decision, ...] = ()
    """The documents that converting back gives other bytes for."""
    settled: Settled = field(default_factory=Settled, repr=False)

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

    def decisions(self) -> list[Decision]:
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


def included(roots: Iterable[Decision]) -> list[Decision]:
    """What ends in the target of some roots, parents first, each once."""
    found: dict[int, Decision] = {}
    followed: set[int] = set()
    for root in roots:
        _include(root, found, followed)
    return list(found.values())


# A function that is defined inside another one and calls itself would be a circle of references,
# and whole trees would wait for the collector of garbage.
def _include(
    decision: Decision, found: dict[int, Decision], followed: set[int], *, spliced: bool = False
) -> None:
    # A nested index may be spliced here, and an image of its own elsewhere.
    if not spliced:
        found.setdefault(id(decision), decision)
    if id(decision) not in followed:
        followed.add(id(decision))
        for child in decision.children:
            if child.included:
                _include(child.decision, found, followed, spliced=child.spliced)


def in_order(roots: Iterable[Decision]) -> list[Decision]:
    """What ends in the target of some roots, each once, behind all that it names.

    So a subject stands before what refers to it.
    """
    roots = tuple(roots)
    found: list[Decision] = []
    seen: set[int] = set()
    passed = False
    for root in roots:
        if id(root) not in seen:
            passed |= _put_in_order(root, found, seen)
    if not passed:  # most are like that
        return found
    wanted = {id(decision) for decision in included(roots)}
    return [decision for decision in found if id(decision) in wanted]


def _put_in_order(decision: Decision, found: list[Decision], seen: set[int]) -> bool:
    """Whether something was met on the way that need not end in the target."""
    seen.add(id(decision))
    passed = False
    for child in decision.children:
        passed = passed or child.spliced or child.slot.role is Role.SUBJECT
        if id(child.decision) not in seen and not child.removed:
            passed |= _put_in_order(child.decision, found, seen)
    found.append(decision)
    return passed


def listed(plans: Sequence[DescriptorPlan], *, subject: bool = False) -> Iterator[DescriptorPlan]:
    """What an index names in the target, also in the place of nested indexes.

    ``subject``: its own subject is there, too.
    """
    left, followed = list(reversed(plans)), set[int]()
    while left:
        planned = left.pop()
        if not planned.spliced:
            if planned.included:
                yield planned
        elif id(planned.decision) not in followed:
            followed.add(id(planned.decision))
            left += reversed(planned.decision.children)
    if subject:
        yield from (planned for planned in plans if planned.slot.role is Role.SUBJECT)


def documents_below(
    decision: Decision, seen: set[int] | None = None
) -> Iterator[Rewrite | Restore]:
    """The documents at and below a decision, children first, each once; also spliced ones."""
    seen = set() if seen is None else seen
    if id(decision) in seen or not isinstance(decision, Rewrite | Restore):
        return
    seen.add(id(decision))
    for child in decision.children:
        if child.included:
            yield from documents_below(child.decision, seen)
    yield decision


def recompresses(decision: Decision) -> bool:
    """Whether a layer at or below a decision is recompressed."""
    return any(isinstance(below, Recompress) for below in included((decision,)))
