"""What becomes of the referrers of an image: included, re-pointed, or left behind.

An unsigned referrer follows its subject: its ``subject`` gets the new digest. What is signed,
also below an unsigned one, goes by :mod:`~oci_convert.planning.signature_rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from oci_convert.documents.document import Role
from oci_convert.errors import OciConvertError
from oci_convert.findings import Finding
from oci_convert.options import Keep as Policy
from oci_convert.options import Options
from oci_convert.planning.context import missing_blob
from oci_convert.planning.decisions import (
    Decision,
    DescriptorPlan,
    Drop,
    Keep,
    PlannedImage,
    PlannedReferrer,
    Rewrite,
    in_order,
    included,
    kept,
    recompresses,
)
from oci_convert.planning.rendering import Rendered
from oci_convert.planning.signature_rules import (
    fate_of_signature,
    refuse_present,
    signature_of,
    told,
)
from oci_convert.spec.media_types import Family, Kind
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import CONTAINERD_NAME, REF_NAME, referrers_tag
from oci_convert.transform.document_edits import Child, edit, home_of
from oci_convert.tree.nodes import DocumentNode, Node
from oci_convert.tree.referrers import Referrer, own_name

__all__ = ["SUBJECT_ANNOTATION", "ReferrerRules", "annotations_of"]

SUBJECT_ANNOTATION: Final = "io.containerd.manifest.subject"
"""By which Docker's archives say in ``index.json`` what an entry refers to."""
_EMPTIED: Final = "dropped: none of its entries is left"


class ReferrerRules:
    """Decides what becomes of the referrers of planned images.

    ``holds_referrers``: the target can hold more than the image itself.
    """

    def __init__(
        self,
        images: Sequence[PlannedImage],
        irreversible: Sequence[Decision],
        family: Family,
        options: Options,
        rendered: Rendered,
        *,
        holds_referrers: bool,
    ) -> None:
        self._family = family
        self._options = options
        self._rendered = rendered
        self._holds_referrers = holds_referrers
        self._images = images
        self._made: dict[str, Decision] = {}
        self._known: set[str] = set()
        """The digests of all that the source has."""
        self._from_docker: set[str] = set()
        """Those of documents that converting back makes Docker's, and of what refers to them."""
        self._irreversible = {id(decision) for decision in irreversible}
        self.findings: list[Finding] = []
        self.irreversible: list[Decision] = []
        """Those of the referrers that converting back gives other bytes for."""

    def plan(
        self, referrers: Sequence[Referrer], orphans: Sequence[Referrer] = ()
    ) -> tuple[PlannedReferrer, ...]:
        """Those that are included. Raises :class:`RefusedError` where a policy says so
        (``referrer-present``, ``signature-present``).

        ``orphans`` are signatures of what is not in the source.
        """
        planned: list[PlannedReferrer] = []
        if referrers or orphans:
            self._note(in_order(planned.decision for planned in self._images))
            roots = [planned.image.node for planned in self._images]
            roots += [referrer.node for referrer in (*referrers, *orphans)]
            self._known = {node.descriptor.digest for root in roots for node in root.nodes()}
            for planned_image in self._images:
                self._note_home(planned_image.decision.node)
        alone = {id(orphan) for orphan in orphans}
        for referrer in (*orphans, *referrers):
            if referrer.subject.signed:
                decision = self._signature(referrer, orphan=id(referrer) in alone)
            else:
                decision = self._referrer(referrer)
            if decision is not None:
                planned.append(PlannedReferrer(referrer, decision))
                self._note(included((decision,)))
        return tuple(planned)

    def _note(self, there: Iterable[Decision]) -> None:
        """Remember what has become of documents. A blob may be something else where it is named."""
        for decision in there:
            if decision.node.kind in (Kind.INDEX, Kind.MANIFEST):
                self._made.setdefault(decision.node.descriptor.digest, decision)

    def _signature(self, referrer: Referrer, *, orphan: bool) -> Decision | None:
        """What becomes of what is signed; ``None`` if it is left behind."""
        node, digest = referrer.node, referrer.subject.digest
        # Nobody knows what becomes of what an orphan is for; towards Docker it has no place.
        carried = orphan and self._family is not Family.DOCKER
        if not self._stays(digest, node.where, called=_called(referrer), carried=carried):
            return None
        if node.absent is not None:
            raise missing_blob(node.absent)
        return kept(node)

    def _referrer(self, referrer: Referrer) -> Decision | None:
        """What becomes of what is not signed; ``None`` if it is left behind.

        An index is a list, where signatures obey their own policy.
        """
        node, digest = referrer.node, referrer.subject.digest
        refuse_present(self._options.referrers, "referrer", digest, node.where)
        gone = self._reason_to_leave(digest)
        lists = node.kind is Kind.INDEX and any(map(signature_of, node.nodes()))
        if gone is None or lists:
            if node.absent is not None:
                raise missing_blob(node.absent)
            before = len(self.findings)
            decision = self._repointed(node, digest, gone)
            if not (isinstance(decision, Rewrite) and decision.is_emptied):
                self._judge_way_back(decision, digest)
                return decision
            signatures = [it for it in self.findings[before:] if it.code != "referrer-dropped"]
            self.findings[before:] = signatures
        message = f"{_called(referrer)} {gone or _EMPTIED}"
        self.findings.append(Finding.of("referrer-dropped", node.where, message))
        return None

    def _reason_to_leave(self, digest: str | None) -> str | None:
        """Why what is not signed is left behind, if it is."""
        policy = self._options.referrers
        towards_docker = self._family is Family.DOCKER and not self._survives(digest)
        stays = (
            policy is not Policy.DROP
            and digest in self._made
            and self._holds_referrers
            and not (policy is Policy.AUTO and towards_docker)
        )
        return None if stays else f"dropped: it is for {told(digest)}"

    def _survives(self, digest: str | None) -> bool:
        """Whether a document keeps its digest."""
        subject = self._made.get(digest or "")
        new = None if subject is None else self._rendered.find(subject)
        return new is not None and new.digest == digest

    def _stays(self, digest: str | None, where: str, *, called: str, carried: bool) -> bool:
        """Whether a signature stays; what is to be told of it, is."""
        fate = fate_of_signature(
            self._options.signatures,
            digest,
            self._made.get(digest or ""),
            self._rendered,
            carried=carried,
            holds=self._holds_referrers,
            where=where,
        )
        if fate.code is not None:
            self.findings.append(Finding.of(fate.code, where, f"{called} {fate.message}"))
        return fate.stays

    # -- included ----------------------------------------------------------------------------

    def _repointed(self, node: Node, about: str | None, gone: str | None) -> Decision:
        """Everything as it is, except that a ``subject`` follows what it names.

        ``about`` is what a list of referrers is for. ``gone``: why all goes but signatures.
        """
        if not isinstance(node, DocumentNode) or node.signed is not None:
            return kept(node)
        known = self._made.get(node.descriptor.digest)
        if known is not None:
            return known
        family = next(iter(sorted(node.document.families)), Family.OCI)
        children = []
        # A signature may be of what stands behind it.
        named = sorted(enumerate(node.named), key=lambda pair: signature_of(pair[1][1]) is not None)
        for at, (slot, child) in named:
            if slot.role is Role.SUBJECT:
                target = self._made.get(slot.descriptor.digest) or Keep(child)
            elif slot.role is Role.ENTRY:
                target = self._entry(child, about, gone, f"{node.where}.{slot.label}")
            else:
                target = self._repointed(child, about, None)
            children.append((at, DescriptorPlan(slot, target)))
        ordered = (planned for _, planned in sorted(children, key=lambda pair: pair[0]))
        decision = Rewrite(node, family, tuple(ordered))
        if not decision.is_emptied:
            self._judge(decision)
            self._note((decision,))
        return decision

    def _entry(self, node: Node, about: str | None, gone: str | None, where: str) -> Decision:
        """What becomes of an entry of an index that refers to something, or lists what does."""
        digest = node.descriptor.digest
        signed = signature_of(node)
        if signed is not None:
            of = signed.digest or about
            carried = self._family is not Family.DOCKER and of not in self._known
            if self._stays(of, where, called=digest, carried=carried):
                return kept(node)
            return Drop(node, self.findings[-1].code)
        if gone is not None and node.kind is not Kind.INDEX:
            self.findings.append(Finding.of("referrer-dropped", where, f"{digest} {gone}"))
            return Drop(node, "referrer-dropped")
        decision = self._repointed(node, about, gone)
        if isinstance(decision, Rewrite) and decision.is_emptied:
            return Drop(node, self.findings[-1].code)
        return decision

    def _judge(self, decision: Rewrite) -> None:
        """A referrer comes back as itself if what it names does, and the edit can be undone."""
        settled = self._rendered.find(decision) is not None
        dropped = any(child.removed for child in decision.children)
        sound = settled and not dropped
        sound = sound and not any(
            id(child.decision) in self._irreversible or self._is_corrected(child)
            for child in decision.children
        )
        if sound and self._rendered.document(decision).raw != decision.node.document.raw:
            sound = self._undone(decision) == decision.node.document.raw
        if not sound:
            repacked = any(recompresses(child.decision) for child in decision.children)
            code = "not-reversible-repacked" if repacked else "not-reversible"
            why = "an entry of it was dropped" if dropped else "its subject changes"
            self._tell_irreversible(code, decision, f"converting back gives other bytes: {why}")

    def _is_corrected(self, child: DescriptorPlan) -> bool:
        """Whether the type of a subject was wrong: the way back does not make it so again."""
        old, new = child.slot.descriptor, self._rendered.find(child.decision)
        if child.slot.role is not Role.SUBJECT or new is None or new.media_type == old.media_type:
            return False
        document = child.decision.node.document_or_none
        misnamed = document is not None and document.media_type != old.media_type
        return misnamed or new.digest == old.digest

    def _note_home(self, node: Node) -> None:
        """Remember what converting back makes Docker's."""
        document = node.document_or_none
        if document is not None and home_of(document, self._family) is Family.DOCKER:
            self._from_docker |= {below.descriptor.digest for below in node.nodes()}

    def _judge_way_back(self, decision: Decision, digest: str | None) -> None:
        """A referrer does not come back where the same options leave it behind."""
        auto = self._options.referrers is Policy.AUTO
        if not (auto and digest in self._from_docker) or self._survives(digest):
            return
        self._from_docker |= {below.descriptor.digest for below in decision.node.nodes()}
        if id(decision) not in self._irreversible:
            message = "converting back with the same options drops it"
            self._tell_irreversible("not-reversible", decision, message)

    def _tell_irreversible(self, code: str, decision: Decision, message: str) -> None:
        self._irreversible.add(id(decision))
        self.irreversible.append(decision)
        self.findings.append(Finding.of(code, decision.node.where, message))

    def _undone(self, decision: Rewrite) -> bytes | None:
        """The edited document with every name put back."""
        edited = self._rendered.reread(decision)
        olds = [
            Child(child.slot.descriptor, content=child.decision.node.stored)
            for child in decision.children
        ]
        try:
            return edit(edited, decision.family, olds, where=decision.node.where).raw
        except OciConvertError:
            return None


def _called(referrer: Referrer) -> str:
    name, digest = own_name(referrer.root), referrer.node.descriptor.digest
    return digest if name is None else f"{name} ({digest})"


def annotations_of(referrer: Referrer, made: Mapping[str, Descriptor]) -> dict[str, str]:
    """The annotations of an included referrer's entry in the target's ``index.json``.

    ``made`` maps old digests to new descriptors. The referrers tag and containerd's annotation
    follow the subject; a signature keeps the names it has.
    """
    annotations = dict(referrer.root.annotations)
    old = referrer.subject.digest
    new = None if old is None else made.get(old)
    if referrer.subject.signed or old is None or new is None:
        return annotations
    for name in (REF_NAME, CONTAINERD_NAME):
        for tag in (referrers_tag(old), old.replace(":", "-", 1)):
            if annotations.get(name, "").rpartition(":")[2] == tag:
                annotations[name] = annotations[name].removesuffix(tag) + referrers_tag(new.digest)
    if annotations.get(SUBJECT_ANNOTATION) == old:
        annotations[SUBJECT_ANNOTATION] = str(new.digest)
    return annotations
