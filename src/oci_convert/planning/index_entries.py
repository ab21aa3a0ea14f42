"""Planning the entries of an index: what stays, what goes, and what each is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

from oci_convert.documents.document import Role, Slot
from oci_convert.errors import BlobError, RefusedError
from oci_convert.options import Keep as Policy
from oci_convert.planning.context import Context
from oci_convert.planning.decisions import (
    Decision,
    DescriptorPlan,
    Drop,
    Keep,
    Rewrite,
    kept,
    listed,
    recompresses,
)
from oci_convert.planning.signature_rules import fate_of_signature, signature_of
from oci_convert.planning.statements import (
    lost_annotations,
    lost_with,
    said_beside,
    said_by_index,
)
from oci_convert.planning.zstd_twins import ZstdTwins
from oci_convert.report import Change
from oci_convert.spec.media_types import Family, Kind
from oci_convert.spec.models import Descriptor
from oci_convert.text.wording import Wording
from oci_convert.transform.document_edits import (
    REFERENCE_DIGEST,
    changes_family,
    fits,
    is_attestation,
    not_an_image,
)
from oci_convert.transform.layer_rules import packing_annotations
from oci_convert.tree.nodes import (
    DocumentNode,
    MissingNode,
    Node,
    UnreadNode,
    platform_of,
    platform_or_none,
)
from oci_convert.tree.signed import Signed

__all__ = ["plan_entries"]

PlanDocument = Callable[[DocumentNode], Rewrite]
PlanSubject = Callable[[DocumentNode, Slot, Node], DescriptorPlan]
FindTarget = Callable[[str], Decision | None]
_TWIN: Final = "zstd-twin-dropped"
_SPLICED: Final = "nested-index-flattened"


def plan_entries(
    context: Context,
    node: DocumentNode,
    document: PlanDocument,
    *,
    subject: PlanSubject,
    target: FindTarget,
    twins: ZstdTwins | None = None,
) -> list[DescriptorPlan]:
    """Decide what becomes of each entry of an index.

    ``document`` plans what an entry names, ``subject`` the subject of the index; ``target`` says
    what becomes of what the subject of an entry names. ``twins`` are entries that give way.
    """
    entries = _Entries(context, node, document, target, twins)
    plans = [
        subject(node, slot, child) if slot.role is Role.SUBJECT else entries.entry(slot, child)
        for slot, child in node.named
    ]
    subject_stays = not context.strips(node.document)
    return entries.with_references(entries.with_absent(plans), subject_stays=subject_stays)


class _Entries:
    def __init__(
        self,
        context: Context,
        node: DocumentNode,
        document: PlanDocument,
        target: FindTarget,
        twins: ZstdTwins | None = None,
    ):
        self._context = context
        self._node = node
        self._plan_document = document
        self._target = target
        self._options = context.options
        self._find = context.find
        self._moves = changes_family(node.document, context.family)
        self._to_docker = self._moves and context.family is Family.DOCKER
        self._absent: set[int] = set()
        """The plans of entries that are wanted and not here."""
        self._twins = twins or ZstdTwins({})

    def _where(self, slot: Slot) -> str:
        return f"{self._node.where}.{slot.label}"

    def _dropped(self, slot: Slot, child: Node, code: str, message: str) -> DescriptorPlan:
        self._find(code, self._where(slot), message)
        return DescriptorPlan(slot, Drop(child, code))

    def entry(self, slot: Slot, child: Node) -> DescriptorPlan:
        """What becomes of one entry; an absent one is left for :meth:`with_absent`."""
        if self._is_missed(slot, child):
            return self._missed(slot, child)
        signed = signature_of(child)
        if signed is not None:
            return self._signature(slot, child, signed)
        if is_attestation(slot.descriptor):
            return self._attestation(slot, child)
        code, message = self._reason_to_drop(slot, child)
        if code:
            return self._dropped(slot, child, code, message)
        decision = self._planned(child) if isinstance(child, DocumentNode) else kept(child)
        if isinstance(decision, RefusedError):
            return self._dropped(slot, child, "entry-dropped", decision.message)
        return self._included(slot, decision)

    def _included(self, slot: Slot, decision: Rewrite | Keep) -> DescriptorPlan:
        """What becomes of an entry of which nothing is in the way."""
        node = decision.node
        if isinstance(decision, Keep) or not isinstance(node, DocumentNode):
            return DescriptorPlan(slot, decision)
        if node.kind is Kind.INDEX:
            return self._nested(slot, decision)
        added = self._added_platform(slot, node) if self._to_docker else None
        return DescriptorPlan(slot, decision, platform=added, stale=self._stale(slot, decision))

    def _reason_to_drop(self, slot: Slot, child: Node) -> tuple[str, str]:
        """The code and the message of why an entry goes, or two empty texts."""
        if unselected := self._unselected(slot, child):
            return "platform-not-selected", unselected
        twin = self._twins.of(slot)
        if twin is not None:
            return _TWIN, f"{twin} has the same layers as gzip, and took its place"
        obstacle = self._obstacle(slot, child)
        return ("", "") if obstacle is None else ("entry-dropped", obstacle)

    def _unselected(self, slot: Slot, child: Node) -> str:
        """Why ``platforms`` leaves an entry out, if it does."""
        stated = slot.descriptor.platform is not None
        if self._options.platforms and (stated or child.kind is Kind.MANIFEST):
            platform = platform_of(child, slot.descriptor)
            platforms = self._context.platforms
            # What an index has for a platform is for its own entries to say.
            asked = platforms.asks_for if child.kind is Kind.INDEX else platforms.select
            if not asked(platform):
                told = platform or "an unknown platform"
                return f"{told} was not asked for"
        return ""

    def _planned(self, child: DocumentNode) -> Rewrite | RefusedError:
        """What becomes of what an entry names, or why the target cannot hold it."""
        try:
            return self._plan_document(child)
        except RefusedError as refusal:
            if refusal.code != "unknown-layer":
                raise
            self._context.refusals.append(refusal)
            return refusal

    def _obstacle(self, slot: Slot, child: Node) -> str | None:
        """Why the target cannot hold what an entry names, if it cannot."""
        family = self._context.family
        if not isinstance(child, DocumentNode):
            media_type = slot.descriptor.media_type or "a blob without a media type"
            return (
                f"a Docker manifest list cannot contain {media_type}" if self._to_docker else None
            )
        if changes_family(child.document, family) and not fits(child.document, family):
            return not_an_image(child.document, "").message
        return None

    def _nested(self, slot: Slot, decision: Rewrite) -> DescriptorPlan:
        if self._to_docker and decision.node.document.model.subject is not None:
            # Its entries come without it, so that none of them is any longer beside its subject.
            nested = _Entries(self._context, decision.node, self._plan_document, self._target)
            children = nested.with_references(decision.children, subject_stays=False)
            decision = replace(decision, children=tuple(children))
        if decision.is_emptied and not _gave_way(decision):
            asked = bool(self._options.platforms)
            code = "platform-not-selected" if asked else "entry-dropped"
            message = "none of its entries was selected" if asked else "none of its entries is left"
            return self._dropped(slot, decision.node, code, message)
        if self._to_docker:
            lost = list(self._lost_with_index(slot.descriptor, decision))
            message = lost_with("nested index replaced by its entries", lost)
            self._find(_SPLICED, self._where(slot), message)
            if decision.is_emptied:
                return DescriptorPlan(slot, Drop(decision.node, _SPLICED))
        return DescriptorPlan(slot, decision, spliced=self._to_docker)

    def _lost_with_index(self, entry: Descriptor, decision: Rewrite) -> Iterator[str]:
        """What a nested index says of itself, and what is said of it, that no entry of it says."""
        stripped = self._context.strips(decision.node.document)
        yield from said_by_index(decision.node, stripped=stripped)
        platforms = (it.slot.descriptor.platform for it in decision.children if it.included)
        if entry.platform is not None and any(it != entry.platform for it in platforms):
            yield f"the platform of the index, {entry.platform}"
        yield from lost_annotations("its entry", entry.annotations or {})
        yield from said_beside("its entry", entry)

    # -- signatures and attestations --------------------------------------------------------

    def _signature(self, slot: Slot, child: Node, signed: Signed) -> DescriptorPlan:
        """It stays as it is, or goes. One of something that is not here has no place in Docker."""
        annotations = slot.descriptor.annotations or {}
        digest = signed.digest or annotations.get(REFERENCE_DIGEST)
        fits_in = not self._becomes_docker(child)
        fate = fate_of_signature(
            self._options.signatures,
            digest,
            None if digest is None else self._target(digest),
            self._context.rendered,
            carried=fits_in,
            holds=fits_in,
            where=self._where(slot),
        )
        if unselected := self._unselected(slot, child):
            return self._dropped(slot, child, "platform-not-selected", unselected)
        if fate.code is not None:
            message = f"{child.descriptor.digest} {fate.message}"
            if not fate.stays:
                return self._dropped(slot, child, fate.code, message)
            self._find(fate.code, self._where(slot), message)
        return DescriptorPlan(slot, kept(child))

    def _becomes_docker(self, child: Node) -> bool:
        """Whether an entry becomes one of Docker's, by its list or by itself."""
        family = self._context.family
        return family is Family.DOCKER and (
            self._moves
            or (isinstance(child, DocumentNode) and changes_family(child.document, family))
        )

    def _attestation(self, slot: Slot, child: Node) -> DescriptorPlan:
        policy, digest = self._options.attestations, slot.descriptor.digest
        if policy is Policy.FAIL:
            raise RefusedError(
                "the index has an attestation",
                code="attestation-present",
                where=self._where(slot),
                remedy=Wording('{attestations="fail"} refuses this; choose keep or drop'),
            )
        if policy is Policy.DROP or (policy is Policy.AUTO and self._becomes_docker(child)):
            message = f"attestation {digest} dropped"
            return self._dropped(slot, child, "attestation-dropped", message)
        obstacle = self._obstacle(slot, child)
        if obstacle is not None:
            return self._dropped(slot, child, "entry-dropped", obstacle)
        decision = self._planned(child) if isinstance(child, DocumentNode) else kept(child)
        if isinstance(decision, RefusedError):
            return self._dropped(slot, child, "entry-dropped", decision.message)
        # Its annotations are the link to its image: BuildKit writes them into Docker lists, too.
        return DescriptorPlan(slot, decision, keeps=frozenset({"annotations"}))

    def with_references(
        self, plans: Sequence[DescriptorPlan], *, subject_stays: bool
    ) -> list[DescriptorPlan]:
        """The same plans, where attestations name what their images become, or go with them."""
        made = list(plans)
        speaking: dict[str, list[int]] = {}
        for i, planned in enumerate(made):
            named = (planned.slot.descriptor.annotations or {}).get(REFERENCE_DIGEST)
            stays = not planned.removed and signature_of(planned.decision.node) is None
            if named is not None and stays:
                speaking.setdefault(named, []).append(i)
        if not speaking:
            return made
        here = Counter(it.slot.descriptor.digest for it in listed(made, subject=subject_stays))
        # Of what stays in a nested index, nothing is gone.
        nodes = self._node.nodes() if self._to_docker else (child for _, child in self._node.named)
        known = {node.descriptor.digest for node in nodes}
        gone = [named for named in speaking if named in known and not here[named]]
        while gone:
            for i in speaking.pop(named := gone.pop(), ()):
                made[i] = self._orphaned(made[i], named)
                digest = made[i].slot.descriptor.digest
                here[digest] -= 1
                if not here[digest]:  # another attestation may be for this one
                    gone.append(digest)
        images: dict[str, DescriptorPlan] = {}
        for planned in listed(made, subject=subject_stays):
            images.setdefault(planned.slot.descriptor.digest, planned)
        for named, positions in speaking.items():
            for i in positions if named in images else ():
                made[i] = self._following(made[i], images[named], named)
        return made

    def _orphaned(self, planned: DescriptorPlan, named: str) -> DescriptorPlan:
        """What becomes of an attestation of what the index does not list in the target."""
        message = (
            f"attestation {planned.slot.descriptor.digest} dropped with {named}, which it is for"
        )
        return self._dropped(planned.slot, planned.decision.node, "attestation-dropped", message)

    def _following(
        self, planned: DescriptorPlan, image: DescriptorPlan, named: str
    ) -> DescriptorPlan:
        """What becomes of an attestation of what the index lists in the target."""
        if self._change(image.decision) is Change.EDITED:
            message = f"its statement names {named}, the digest before the conversion"
            self._find("attestation-names-old-digest", self._where(planned.slot), message)
        return replace(planned, reference=image.decision)

    def _change(self, decision: Decision) -> Change:
        rendered = self._context.rendered
        return rendered.change(decision, rendered.find(decision))

    # -- what is absent ---------------------------------------------------------------------

    def _is_missed(self, slot: Slot, child: Node) -> bool:
        """Whether an entry is wanted and not there.

        An index is judged by its own entries. A manifest that is there must be whole, unless the
        source is one of parts.
        """
        if isinstance(child, UnreadNode) or child.absent is None:
            return False
        if child.present and (child.kind is Kind.INDEX or not self._context.partial):
            return False
        return not self._unwanted(slot, child)

    def _missed(self, slot: Slot, child: Node) -> DescriptorPlan:
        self._context.platforms.miss(slot.descriptor.platform, child)
        if self._options.sparse is Policy.FAIL:
            raise BlobError(
                f"the index lists image {child.descriptor.digest}, which is absent",
                code="blob-missing",
                where=self._where(slot),
                remedy=Wording(
                    '{sparse="fail"} refuses this; fetch the image, or choose auto, keep or drop'
                ),
                digest=child.descriptor.digest,
            )
        planned = DescriptorPlan(slot, Keep(_missing(child)))
        self._absent.add(id(planned))
        return planned

    def _unwanted(self, slot: Slot, child: Node) -> bool:
        """Whether an entry is left out whether its image is there or not, so nobody misses that."""
        policy = self._options.attestations
        if is_attestation(slot.descriptor):
            dropped = policy is Policy.DROP or (policy is Policy.AUTO and self._to_docker)
            return dropped or self._speaks_of_unselected(slot)
        if not self._options.platforms:
            return False
        platform = platform_or_none(child, slot.descriptor)
        if platform is None and child.kind is not Kind.MANIFEST:
            return False  # nothing says that it is for a platform
        return not self._context.platforms.asks_for(platform)

    def _speaks_of_unselected(self, slot: Slot) -> bool:
        """Whether an attestation belongs to an image that ``platforms`` leaves out."""
        named = (slot.descriptor.annotations or {}).get(REFERENCE_DIGEST)
        unwanted = [self._unwanted(*image) for image in self._images.get(named or "", ())]
        return bool(unwanted) and all(unwanted)

    @cached_property
    def _images(self) -> Mapping[str, list[tuple[Slot, Node]]]:
        """The entries that are no attestations, by their digests: each attestation asks."""
        found: dict[str, list[tuple[Slot, Node]]] = {}
        for slot, child in self._node.named:
            if slot.role is Role.ENTRY and not is_attestation(slot.descriptor):
                found.setdefault(slot.descriptor.digest, []).append((slot, child))
        return found

    def with_absent(self, plans: list[DescriptorPlan]) -> list[DescriptorPlan]:
        """The same plans, where absent entries stay or go, as is asked: by default they go from an
        index that changes all the same.
        """
        absent, policy = self._absent, self._options.sparse
        if not absent:
            return plans
        gone = policy is Policy.DROP or (
            policy is Policy.AUTO and (self._options.flatten or self._changes(plans))
        )
        return [
            self._settled(planned, gone=gone) if id(planned) in absent else planned
            for planned in plans
        ]

    def _changes(self, plans: list[DescriptorPlan]) -> bool:
        """Whether the index changes, whatever becomes of its absent entries."""
        return self._moves or any(
            planned.removed or self._change(planned.decision) is not Change.KEPT
            for planned in plans
            if id(planned) not in self._absent
        )

    def _settled(self, planned: DescriptorPlan, *, gone: bool) -> DescriptorPlan:
        slot, node = planned.slot, planned.decision.node
        if gone:
            message = f"image {node.descriptor.digest} is absent; its entry was dropped"
            return self._dropped(slot, node, "missing-child", message)
        message = f"image {node.descriptor.digest} is absent; its entry was not changed"
        self._find("sparse-index", self._where(slot), message)
        return planned

    # -- what an entry says -----------------------------------------------------------------

    def _added_platform(self, slot: Slot, child: Node) -> Mapping[str, object] | None:
        """The platform that a Docker list requires, where the entry states none."""
        if slot.descriptor.platform is not None:
            return None
        platform = platform_of(child)
        if platform is None:
            message = "neither the entry nor its config states a platform"
            self._find("platform-unknown", self._where(slot), message)
            return None
        self._find("platform-added", self._where(slot), f"{platform} was taken from the config")
        return platform.model_dump(by_alias=True, exclude_unset=True, mode="json")

    def _stale(self, slot: Slot, decision: Decision) -> frozenset[str]:
        """The annotations of an entry that described layers which are recompressed."""
        stale = packing_annotations(slot.descriptor.annotations or {})
        if not stale or not recompresses(decision):
            return frozenset()
        for name in sorted(stale):
            message = f"{name} dropped: it describes layers before they were recompressed"
            self._find("packing-annotations-removed", self._where(slot), message)
        return stale


def _gave_way(index: Rewrite) -> bool:
    """Whether an index lost an image that the target has all the same."""
    dropped = (planned.decision for planned in index.children)
    return any(isinstance(it, Drop) and it.code in (_TWIN, _SPLICED) for it in dropped)


def _missing(child: Node) -> MissingNode:
    """An image that is not, or not wholly, there: nothing of it is included."""
    if isinstance(child, MissingNode):
        return child
    return MissingNode(
        kind=child.kind, role=child.role, descriptor=child.descriptor, where=child.where
    )
