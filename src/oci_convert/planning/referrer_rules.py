"""What becomes of the companions of an image: carried, re-pointed, or left behind.

An unsigned referrer follows its subject: its ``subject`` gets the new digest. What is signed speaks
of the digest that it was made for, and is never re-pointed: it is carried where that digest
survives, else left behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from oci_convert.documents.document import Role, read_document
from oci_convert.errors import RefusedError
from oci_convert.findings import Finding
from oci_convert.planning.decisions import Entry, Plan, Step, kept
from oci_convert.planning.index_entries import missing_blob
from oci_convert.planning.options import Keep
from oci_convert.spec.media_types import Family
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import REF_NAME
from oci_convert.transform.document_edits import Child, edit
from oci_convert.tree.reader import Node
from oci_convert.tree.referrers import Companion, tag_of

__all__ = ["SUBJECT_ANNOTATION", "annotations_of", "follow", "kept_signatures"]

SUBJECT_ANNOTATION: Final = "io.containerd.manifest.subject"
"""By which Docker's archives say in ``index.json`` what an entry refers to."""


def follow(plan: Plan, companions: Sequence[Companion], *, room: bool) -> None:
    """Decide what becomes of ``companions``; those that are carried join the plan.

    ``room``: the target can hold more than the image itself. Raises :class:`RefusedError` where a
    policy says so (``referrer-present``, ``signature-present``).
    """
    made = {step.node.descriptor.digest: step for step in plan.steps()}
    for companion in companions:
        subject = made.get(companion.spoken.subject)
        step = _Follower(plan, companion, subject, made, room=room).step()
        if step is not None:
            plan.companions.append((companion, step))
            made |= {below.node.descriptor.digest: below for below in step.all_below()}


class _Follower:
    def __init__(
        self,
        plan: Plan,
        companion: Companion,
        subject: Step | None,
        made: Mapping[str, Step],
        *,
        room: bool,
    ):
        self._plan = plan
        self._companion = companion
        self._subject = subject
        self._made = made
        self._room = room

    @property
    def _survives(self) -> bool:
        """Whether what it speaks of keeps its digest."""
        new = self._subject.new if self._subject is not None else None
        return new is not None and new.digest == self._companion.spoken.subject

    def step(self) -> Step | None:
        """What becomes of it; ``None`` if it is left behind."""
        node, options = self._companion.node, self._plan.options
        signed = self._companion.spoken.signature
        word = "signature" if signed else "referrer"
        policy = options.signatures if signed else options.referrers
        if policy is Keep.FAIL:
            raise RefusedError(
                f"there is a {word} of {self._companion.spoken.subject}",
                code=f"{word}-present",
                where=node.where,
                remedy=f"--{word}s fail refuses this; choose keep or drop",
            )
        code = self._left_behind(policy, signed=signed)
        if code is not None:
            self._find(code, self._story(code))
            return None
        if node.absent is not None:
            raise missing_blob(node.absent)
        if signed and not self._survives:
            self._find("signature-names-old-digest", self._story("signature-names-old-digest"))
        return self._verbatim(node, repoint=not signed)

    def _left_behind(self, policy: Keep, *, signed: bool) -> str | None:
        """Under which code it is left behind, if it is."""
        if policy is Keep.DROP:
            return "signature-dropped" if signed else "referrer-dropped"
        if signed:
            stays = self._survives or policy is Keep.KEEP
            if stays and not self._room:
                return "signature-dropped"
            return None if stays else "signature-orphaned"
        towards_docker = self._plan.options.to is Family.DOCKER and not self._survives
        if self._subject is None or not self._room or (policy is Keep.AUTO and towards_docker):
            return "referrer-dropped"
        return None

    def _story(self, code: str) -> str:
        digest, old = self._companion.node.descriptor.digest, self._companion.spoken.subject
        return f"{digest} {_why(code, self._subject, old)}"

    def _find(self, code: str, message: str) -> None:
        self._plan.findings.append(Finding.of(code, self._companion.node.where, message))

    # -- carried ----------------------------------------------------------------------------

    def _verbatim(self, node: Node, *, repoint: bool) -> Step:
        """Everything as it is, except that a referrer's ``subject`` follows what it names."""
        known = self._made.get(node.descriptor.digest)
        if known is not None:
            return known
        step = kept(node)
        if node.document is None:
            step.raw = node.raw
            return step
        step.family = next(iter(sorted(node.document.families)), Family.OCI)
        step.raw = node.document.raw
        entries = []
        for slot, child in zip(node.document.slots, node.children, strict=True):
            if slot.role is Role.SUBJECT:
                target = self._made.get(slot.descriptor.digest) if repoint else None
                entries.append(Entry(slot, target))
            else:
                entries.append(Entry(slot, self._verbatim(child, repoint=repoint)))
        step.entries = tuple(entries)
        if repoint:
            step.new = step.raw = None
            self._plan.resolve(step)
            self._judge(step)
        return step

    def _judge(self, step: Step) -> None:
        """A referrer comes back as itself if what it names does, and the edit can be undone."""
        document = step.node.document
        assert document is not None
        named = [entry.step for entry in step.entries if entry.step is not None]
        sound = all(other.reversible for other in named)
        if sound and step.raw is not None and step.raw != document.raw:
            sound = _undone(step) == document.raw
        if not sound or step.raw is None:
            step.reversible = False
            code = "not-reversible" if step.raw is not None else "not-reversible-repacked"
            message = "what it speaks of does not come back as itself"
            self._plan.findings.append(Finding.of(code, step.node.where, message))


def _undone(step: Step) -> bytes:
    """The edited document of ``step`` with every name put back."""
    assert step.raw is not None
    assert step.family is not None
    edited = read_document(step.raw, step.media_type, step.node.where)
    olds = [entry.slot.descriptor for entry in step.entries if not entry.removed]
    children = [Child(old) for old in olds]
    return edit(edited, step.family, children, where=step.node.where).raw


def _why(code: str, subject: Step | None, old: str) -> str:
    new = "nothing in the target" if subject is None else _new_digest(subject)
    if code in ("signature-dropped", "referrer-dropped"):
        return f"speaks of {old} and was left out"
    return f"speaks of {old}, which became {new}"


def _new_digest(step: Step) -> str:
    return "an image whose layers are recompressed" if step.new is None else str(step.new.digest)


def annotations_of(companion: Companion, made: Mapping[str, Descriptor]) -> dict[str, str]:
    """The annotations of a carried companion's entry in the target's ``index.json``.

    ``made`` maps old digests to new descriptors. The referrers tag and containerd's annotation
    follow the subject; a signature keeps the names it has.
    """
    annotations = dict(companion.root.annotations)
    new = made.get(companion.spoken.subject)
    if companion.spoken.signature or new is None:
        return annotations
    tag = tag_of(companion.root)
    if tag == (companion.spoken.subject, ""):
        annotations[REF_NAME] = new.digest.replace(":", "-", 1)
    if annotations.get(SUBJECT_ANNOTATION) == companion.spoken.subject:
        annotations[SUBJECT_ANNOTATION] = str(new.digest)
    return annotations


def kept_signatures(
    plan: Plan, signatures: Mapping[str, tuple[str, bytes]], *, room: bool
) -> dict[str, bytes]:
    """The ``signature-N`` files that go with the images of a plan; the others become findings.

    ``signatures`` are those of the source: by name, the digest spoken of and the bytes. ``room``:
    the target has such files, too. Raises :class:`RefusedError` (``signature-present``).
    """
    policy = plan.options.signatures
    made = {step.node.descriptor.digest: step for step in plan.steps()}
    carried: dict[str, bytes] = {}
    for name, (digest, data) in signatures.items():
        if policy is Keep.FAIL:
            raise RefusedError(
                f"there is a signature of {digest}",
                code="signature-present",
                where=name,
                remedy="--signatures fail refuses this; choose keep or drop",
            )
        step = made.get(digest)
        new = None if step is None else step.new
        survives = new is not None and new.digest == digest
        wanted = policy is not Keep.DROP and (survives or policy is Keep.KEEP)
        stays = wanted and room
        if stays:
            carried[name] = data
        if not (stays and survives):
            dropped = wanted or policy is Keep.DROP
            gone = "signature-dropped" if dropped else "signature-orphaned"
            code = "signature-names-old-digest" if stays else gone
            message = f"the signature {_why(code, step, digest)}"
            plan.findings.append(Finding.of(code, name, message))
    return carried
