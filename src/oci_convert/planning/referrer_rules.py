"""What becomes of the referrers of an image: included, re-pointed, or left behind.

An unsigned referrer follows its subject: its ``subject`` gets the new digest. What is signed names
the digest that it was made for, and is never re-pointed: it is included where that digest survives,
else left behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from oci_convert.documents.document import Role
from oci_convert.errors import OciConvertError, RefusedError
from oci_convert.findings import Finding
from oci_convert.options import Keep as Policy
from oci_convert.options import Options
from oci_convert.planning.context import missing_blob
from oci_convert.planning.decisions import (
    Decision,
    DescriptorPlan,
    Keep,
    Plan,
    PlannedImage,
    PlannedReferrer,
    Rewrite,
    in_order,
    included,
    kept,
)
from oci_convert.planning.rendering import Rendered
from oci_convert.spec.media_types import Family
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import CONTAINERD_NAME, REF_NAME
from oci_convert.text.wording import Wording
from oci_convert.transform.document_edits import Child, edit
from oci_convert.tree.nodes import DocumentNode, Node
from oci_convert.tree.referrers import Referrer, own_name, subject_tag

__all__ = ["SUBJECT_ANNOTATION", "ReferrerRules", "annotations_of", "kept_signatures"]

SUBJECT_ANNOTATION: Final = "io.containerd.manifest.subject"
"""By which Docker's archives say in ``index.json`` what an entry refers to."""


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
        self._roots = [planned.decision for planned in images]
        self._made: dict[str, Decision] = {}
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
            there = in_order(self._roots)
            self._made = {below.node.descriptor.digest: below for below in there}
        alone = {id(orphan) for orphan in orphans}
        for referrer in (*referrers, *orphans):
            decision = self._decide(referrer, orphan=id(referrer) in alone)
            if decision is not None:
                planned.append(PlannedReferrer(referrer, decision))
                for below in included((decision,)):
                    self._made[below.node.descriptor.digest] = below
        return tuple(planned)

    def _decide(self, referrer: Referrer, *, orphan: bool) -> Decision | None:
        """What becomes of it; ``None`` if it is left behind."""
        subject = self._made.get(referrer.subject.digest or "")
        node, signed = referrer.node, referrer.subject.signed
        word = "signature" if signed else "referrer"
        policy = self._options.signatures if signed else self._options.referrers
        if policy is Policy.FAIL:
            raise RefusedError(
                f"there is a {word} of {_told(referrer.subject.digest)}",
                code=f"{word}-present",
                where=node.where,
                remedy=Wording(f'{{{word}s="fail"}} refuses this; choose keep or drop'),
            )
        # Nobody knows what becomes of what an orphan is for; towards Docker it has no place.
        survives = self._survives(referrer, subject) or (
            orphan and self._family is not Family.DOCKER
        )
        code = self._left_behind(policy, subject, signed=signed, survives=survives)
        if code is None and signed and not survives:
            self._tell("signature-names-old-digest", referrer, subject)
        if code is not None:
            self._tell(code, referrer, subject)
            return None
        if node.absent is not None:
            raise missing_blob(node.absent)
        if not signed:
            return self._repointed(node)
        return self._made.get(node.descriptor.digest) or kept(node)

    def _survives(self, referrer: Referrer, subject: Decision | None) -> bool:
        """Whether what it refers to keeps its digest."""
        new = None if subject is None else self._rendered.find(subject)
        return new is not None and new.digest == referrer.subject.digest

    def _left_behind(
        self, policy: Policy, subject: Decision | None, *, signed: bool, survives: bool
    ) -> str | None:
        """Under which code it is left behind, if it is."""
        if policy is Policy.DROP:
            return "signature-dropped" if signed else "referrer-dropped"
        if signed:
            stays = survives or policy is Policy.KEEP
            if stays and not self._holds_referrers:
                return "signature-dropped"
            return None if stays else "signature-orphaned"
        towards_docker = self._family is Family.DOCKER and not survives
        if (
            subject is None
            or not self._holds_referrers
            or (policy is Policy.AUTO and towards_docker)
        ):
            return "referrer-dropped"
        return None

    def _tell(self, code: str, referrer: Referrer, subject: Decision | None) -> None:
        node = referrer.node
        why = _why(code, self._rendered, subject, referrer.subject.digest)
        name, digest = own_name(referrer.root), node.descriptor.digest
        told = digest if name is None else f"{name} ({digest})"
        self.findings.append(Finding.of(code, node.where, f"{told} {why}"))

    # -- included ----------------------------------------------------------------------------

    def _repointed(self, node: Node) -> Decision:
        """Everything as it is, except that a ``subject`` follows what it names."""
        known = self._made.get(node.descriptor.digest)
        if known is not None:
            return known
        if not isinstance(node, DocumentNode):
            return kept(node)
        family = next(iter(sorted(node.document.families)), Family.OCI)
        children = []
        for slot, child in node.named:
            if slot.role is Role.SUBJECT:
                target = self._made.get(slot.descriptor.digest) or Keep(child)
            else:
                target = self._repointed(child)
            children.append(DescriptorPlan(slot, target))
        decision = Rewrite(node, family, tuple(children))
        self._judge(decision)
        return decision

    def _judge(self, decision: Rewrite) -> None:
        """A referrer comes back as itself if what it names does, and the edit can be undone."""
        settled = self._rendered.find(decision) is not None
        sound = settled and not any(
            id(child.decision) in self._irreversible for child in decision.children
        )
        if sound and self._rendered.document(decision).raw != decision.node.document.raw:
            sound = self._undone(decision) == decision.node.document.raw
        if not sound:
            self._irreversible.add(id(decision))
            self.irreversible.append(decision)
            code = "not-reversible" if settled else "not-reversible-repacked"
            message = "converting back gives other bytes: its subject changes"
            self.findings.append(Finding.of(code, decision.node.where, message))

    def _undone(self, decision: Rewrite) -> bytes | None:
        """The edited document with every name put back."""
        edited = self._rendered.reread(decision)
        olds = [Child(child.slot.descriptor) for child in decision.children]
        try:
            return edit(edited, decision.family, olds, where=decision.node.where).raw
        except OciConvertError:
            return None


def _told(subject: str | None) -> str:
    return subject or "something that is not here"


def _why(code: str, rendered: Rendered, subject: Decision | None, old: str | None) -> str:
    kept = "kept" if code == "signature-names-old-digest" else "dropped"
    if old is None or code in ("signature-dropped", "referrer-dropped"):
        return f"{kept}: it is for {_told(old)}"
    new = None if subject is None else rendered.find(subject)
    if subject is None:
        became = "is not in the target"
    elif new is None:
        became = "has recompressed layers"
    else:
        became = f"is now {new.digest}"
    return f"{kept}: it is for {old}, which {became}"


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
    if subject_tag(referrer.root) == (old, ""):
        tag, new_tag = (digest.replace(":", "-", 1) for digest in (old, new.digest))
        for name in (REF_NAME, CONTAINERD_NAME):
            if annotations.get(name, "").endswith(tag):
                annotations[name] = annotations[name].removesuffix(tag) + new_tag
    if annotations.get(SUBJECT_ANNOTATION) == old:
        annotations[SUBJECT_ANNOTATION] = str(new.digest)
    return annotations


def kept_signatures(
    plan: Plan,
    rendered: Rendered,
    signatures: Mapping[str, tuple[str, bytes]],
    *,
    holds_signatures: bool,
) -> tuple[dict[str, bytes], list[Finding]]:
    """The ``signature-N`` files that go with the images of a plan, and what is told of the others.

    ``signatures`` are those of the source: by name, the digest spoken of and the bytes.
    ``holds_signatures``: the target has such files, too.

    Raises :class:`RefusedError` (``signature-present``).
    """
    policy = plan.options.signatures
    if not signatures:
        return {}, []
    made = {below.node.descriptor.digest: below for below in plan.decisions()}
    found: dict[str, bytes] = {}
    findings: list[Finding] = []
    for name, (digest, data) in signatures.items():
        if policy is Policy.FAIL:
            raise RefusedError(
                f"there is a signature of {digest}",
                code="signature-present",
                where=name,
                remedy=Wording('{signatures="fail"} refuses this; choose keep or drop'),
            )
        decision = made.get(digest)
        new = None if decision is None else rendered.find(decision)
        survives = new is not None and new.digest == digest
        wanted = policy is not Policy.DROP and (survives or policy is Policy.KEEP)
        stays = wanted and holds_signatures
        if stays:
            found[name] = data
        if not (stays and survives):
            dropped = wanted or policy is Policy.DROP
            gone = "signature-dropped" if dropped else "signature-orphaned"
            code = "signature-names-old-digest" if stays else gone
            message = f"signature {_why(code, rendered, decision, digest)}"
            findings.append(Finding.of(code, name, message))
    return found, findings
