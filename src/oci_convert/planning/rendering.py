"""Rendering: the one place where documents get their bytes, from the decisions about them.

Pure. The dry run, the run, the check that a conversion is reversible, ``restore`` and ``prove`` all
render the same decisions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from oci_convert.documents.document import Document, read_document
from oci_convert.documents.json_reader import Array
from oci_convert.errors import DocumentError
from oci_convert.findings import Finding
from oci_convert.limits import limits
from oci_convert.planning.decisions import (
    Decision,
    DescriptorPlan,
    Drop,
    Keep,
    Outcome,
    Plan,
    Recompress,
    Rehash,
    Relabel,
    Restore,
    Rewrite,
    Settled,
)
from oci_convert.report import Change
from oci_convert.spec.digest import Digest
from oci_convert.spec.models import Descriptor
from oci_convert.text.wording import Wording
from oci_convert.transform.document_edits import REFERENCE_DIGEST, Child, edit, embedded
from oci_convert.tree.nodes import ConfigNode, DocumentNode

__all__ = ["Rendered", "RenderedDocument", "render"]


class RenderedDocument(NamedTuple):
    """A document as it stands in the target."""

    raw: bytes
    media_type: str
    descriptor: Descriptor | None
    """``None`` as long as the digest of something that it names is not known: :attr:`raw` then
    names the old one."""
    findings: tuple[Finding, ...]
    """What was removed from it."""


def render(plan: Plan, made: Mapping[Outcome, Descriptor] | None = None) -> Rendered:
    """Every document of ``plan``, bottom up.

    ``made`` has the new digest and size of each blob that is compressed or named anew; documents
    above blobs that it lacks are not settled yet.
    """
    return Rendered(
        keep_extensions=plan.options.keep_extensions,
        digest=plan.options.digest,
        made=made,
        settled=plan.settled,
    )


class Rendered:
    """The documents of a plan. Each is rendered when it is first asked for."""

    def __init__(
        self,
        *,
        keep_extensions: bool,
        digest: str | None = None,
        made: Mapping[Outcome, Descriptor] | None = None,
        settled: Settled | None = None,
    ) -> None:
        self.lasting: Settled = Settled() if settled is None else settled
        self._keep_extensions = keep_extensions
        self._algorithm = digest
        self._made = made or {}
        self._memo = Settled()

    def find(self, decision: Decision) -> Descriptor | None:
        """What a blob has become; ``None`` where it is dropped, or not known yet."""
        # By type and not by match: asked for every blob of every image, several times.
        if isinstance(decision, Relabel):
            return self._renamed(decision)
        if isinstance(decision, Keep):
            return decision.node.descriptor
        if isinstance(decision, Rewrite):
            return self.document(decision).descriptor
        if isinstance(decision, Recompress | Rehash):
            old = decision.node.descriptor
            made = self._made.get(decision.outcome)
            return made and old.but(
                media_type=decision.media_type, digest=made.digest, size=made.size
            )
        return decision.descriptor if isinstance(decision, Restore) else None

    def _renamed(self, decision: Relabel) -> Descriptor:
        known = self.lasting.get(id(decision))
        if known is None:
            renamed = decision.node.descriptor.renamed(decision.media_type)
            known = self.lasting[id(decision)] = (decision, renamed)
        descriptor: Descriptor = known[1]
        return descriptor

    def descriptor(self, decision: Decision) -> Descriptor:
        """What a blob has become; raises :class:`LookupError` where :meth:`find` finds nothing."""
        found = self.find(decision)
        if found is None:
            raise LookupError(f"{decision.node.where} has no descriptor yet")
        return found

    def raw(self, decision: Decision) -> bytes | None:
        """The bytes of a document or a config; ``None`` for other blobs, and if not settled."""
        if isinstance(decision, Restore):
            return decision.original.raw
        if isinstance(decision, Rewrite):
            document = self.document(decision)
            return None if document.descriptor is None else document.raw
        node = decision.node
        if isinstance(node, DocumentNode):
            return node.document.raw
        return node.stored if isinstance(node, ConfigNode) else None

    def settled(self, decision: Decision) -> tuple[Descriptor, bytes]:
        """A document or a config for the target; raises :class:`LookupError` as above."""
        raw = self.raw(decision)
        if raw is None:
            raise LookupError(f"{decision.node.where} has no bytes yet")
        return self.descriptor(decision), raw

    def change(self, decision: Decision, new: Descriptor | None) -> Change:
        """What kind of change a decision comes to, which :meth:`find` says has become ``new``."""
        if isinstance(decision, Drop):
            return Change.DROPPED
        if isinstance(decision, Recompress):
            return Change.REPACKED
        if isinstance(decision, Rehash):
            return Change.REHASHED
        old = decision.node.old
        if new is None or new.digest != old.digest:
            return Change.EDITED
        return Change.KEPT if new.media_type == old.media_type else Change.RELABELLED

    def reread(self, decision: Rewrite | Restore) -> Document:
        """The document that a decision gives, as a reader of the target would read it."""
        if isinstance(decision, Restore):
            return decision.original
        made = self.document(decision)
        return read_document(made.raw, made.media_type, decision.node.where)

    def document(self, decision: Rewrite) -> RenderedDocument:
        """The document that a decision gives; raises :class:`DocumentError` if it grows too large.

        A few small indexes inside each other can name billions of entries.
        """
        known = self.lasting.get(id(decision)) or self._memo.get(id(decision))
        if known is None:
            made = self._rendered(decision)
            lasting = made.descriptor is not None and not self._made
            known = (decision, made)
            (self.lasting if lasting else self._memo)[id(decision)] = known
        document: RenderedDocument = known[1]
        return document

    def _rendered(self, decision: Rewrite) -> RenderedDocument:
        node, old = decision.node, decision.node.descriptor
        edited = edit(
            node.document,
            decision.family,
            self._children(decision),
            where=node.where,
            keep_extensions=self._keep_extensions,
        )
        descriptor = None
        if all(child.removed or self.find(child.decision) for child in decision.children):
            algorithm = self._algorithm or old.name.algorithm
            same = edited.raw is node.document.raw and algorithm == old.name.algorithm
            digest = old.name if same else Digest.of(edited.raw, algorithm)
            descriptor = old.but(media_type=edited.media_type, digest=digest, size=len(edited.raw))
        return RenderedDocument(edited.raw, edited.media_type, descriptor, edited.findings)

    def _children(self, decision: Rewrite) -> list[Child]:
        """What an edit must know of everything that a document names."""
        children: list[Child] = []
        spliced = 0
        for planned in decision.children:
            children.append(self._child(planned))
            spliced += sum(len(text) for text in children[-1].spliced or ())
            if spliced > limits().document_size:
                raise DocumentError(
                    f"flattened, the index is larger than the limit of {limits().document_size} "
                    "bytes",
                    code="document-too-large",
                    where=decision.node.where,
                    remedy=Wording("choose what to convert with {platforms=…}"),
                )
        return children

    def _child(self, planned: DescriptorPlan) -> Child:
        decision = planned.decision
        if isinstance(decision, Drop):
            return Child(None)
        if planned.spliced:
            return Child(None, spliced=self._entries(decision))
        reference = None if planned.reference is None else self.find(planned.reference)
        return Child(
            self.find(decision) or planned.slot.descriptor.renamed(self._media_type(decision)),
            content=self._embedded(planned),
            repacked=isinstance(decision, Recompress),
            platform=planned.platform,
            annotations=None if reference is None else {REFERENCE_DIGEST: str(reference.digest)},
            keeps=planned.keeps,
            without=planned.stale,
        )

    def _embedded(self, planned: DescriptorPlan) -> bytes | None:
        """The bytes for a copy of a blob in its descriptor, where it has one and they are known."""
        descriptor = planned.slot.descriptor
        if descriptor.data is None:
            return None
        if isinstance(planned.decision, Rehash):
            return embedded(descriptor, planned.decision.node.where)
        return self.raw(planned.decision)

    def _media_type(self, decision: Decision) -> str:
        """The media type in the target, also of what is not settled yet."""
        match decision:
            case Rewrite():
                return self.document(decision).media_type
            case Recompress(media_type=media_type) | Rehash(media_type=media_type):
                return media_type
            case _:
                return decision.node.descriptor.media_type

    def _entries(self, decision: Decision) -> tuple[str, ...]:
        """The JSON texts of the entries of a nested index, as it would stand in the target."""
        if not isinstance(decision, Rewrite):
            return ()
        document = self.reread(decision)
        manifests = document.root.get("manifests")
        items = manifests.items if isinstance(manifests, Array) else []
        return tuple(document.text[item.start : item.end] for item in items)
