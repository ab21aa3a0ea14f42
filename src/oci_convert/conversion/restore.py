"""Restoring originals: documents that converting back cannot make, from an earlier run's record.

A record is not trusted. An original takes the place of a document only if it has its digest, if
converting it again gives the very document that it replaces, and if every blob it names is there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from oci_convert.documents.document import Document, Role, read_document
from oci_convert.errors import (
    DocumentError,
    OciConvertError,
    RefusedError,
    overlook,
    refuse,
)
from oci_convert.planning.decisions import (
    Decision,
    DescriptorPlan,
    Plan,
    Recompress,
    Restore,
    Rewrite,
    included,
)
from oci_convert.planning.record import Record
from oci_convert.planning.rendering import render
from oci_convert.planning.reversibility import convert_again
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import SCHEMA1, SCHEMA1_SIGNED
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Sink
from oci_convert.text.wording import Wording
from oci_convert.transform.document_edits import Child, edit, home_of

__all__ = ["restore_originals"]

_Again = Callable[[Document, Rewrite], bytes | None]
_SCHEMA1: Final = (SCHEMA1, SCHEMA1_SIGNED)
_OTHER_RECORD: Final = "give the record of the conversion that made the image"


def restore_originals(plan: Plan, record: Record, sink: Sink) -> Plan:
    """The plan that puts the originals of ``record`` in the place of what it would give.

    Raises :class:`RefusedError`: ``restore-missing-blob``, ``restore-mismatch`` or
    ``restore-schema-1``.
    """
    return _Restoration(plan, record, sink).plan()


class _Restoration:
    def __init__(self, plan: Plan, record: Record, sink: Sink) -> None:
        self._plan = plan
        self._record = record
        self._sink = sink
        self._rendered = render(plan)
        self._made: dict[int, Decision] = {}

    def plan(self) -> Plan:
        images = []
        for planned in self._plan.images:
            restored = self._restored(planned.decision, self._converted)
            self._check_family(restored)
            images.append(planned._replace(decision=restored))
        referrers = tuple(
            planned._replace(decision=self._restored(planned.decision, self._renamed))
            for planned in self._plan.referrers
        )
        irreversible = (self._made.get(id(it), it) for it in self._plan.irreversible)
        return replace(
            self._plan,
            images=tuple(images),
            referrers=referrers,
            irreversible=tuple(one for one in irreversible if not isinstance(one, Restore)),
        )

    def _check_family(self, root: Decision) -> None:
        family = self._plan.family
        if isinstance(root, Restore) and family not in root.original.families:
            why = f"its original is {root.original.media_type}, and {{to}} is {family}"
            raise _mismatch(root.node.where, why, "convert to the format of the original")

    def _restored(self, decision: Decision, again: _Again) -> Decision:
        """What takes the place of a decision: an original, or the same over restored children.

        ``again`` converts an original.
        """
        if not isinstance(decision, Rewrite):
            return decision
        known = self._made.get(id(decision))
        if known is None:
            children = tuple(self._child(child, again) for child in decision.children)
            pairs = zip(children, decision.children, strict=True)
            same = all(new is old for new, old in pairs)
            made = decision if same else replace(decision, children=children)
            old = self._record.olds.get(decision.node.descriptor.digest)
            known = made if old is None else self._original(made, old, again)
            self._made[id(decision)] = known
        return known

    def _child(self, planned: DescriptorPlan, again: _Again) -> DescriptorPlan:
        decision, reference = self._restored(planned.decision, again), planned.reference
        reference = None if reference is None else self._restored(reference, again)
        if decision is planned.decision and reference is planned.reference:
            return planned
        return replace(planned, decision=decision, reference=reference)

    def _original(self, decision: Rewrite, old: Descriptor, again: _Again) -> Restore:
        where = decision.node.where
        layers = (one for one in included((decision,)) if isinstance(one, Recompress))
        for layer in layers:
            raise _needs_layer(layer, where)
        if old.media_type in _SCHEMA1:
            raise _never_written(where)
        raw = self._record.originals[old.digest]
        if Digest.of(raw, old.name.algorithm) != old.digest:
            raise _mismatch(where, f"its original does not have the digest {old.digest}")
        settle = overlook if self._record.planned().repair else refuse
        try:
            original = read_document(raw, old.media_type, where, settle=settle)
        except DocumentError as error:
            raise _mismatch(where, error.message) from None
        self._refuse_missing(original, decision)
        try:
            made = again(original, decision)
        except OciConvertError as error:
            raise _mismatch(where, error.message) from None
        if made != decision.node.document.raw:
            raise _mismatch(where, "converting its original again does not give this document")
        new = decision.node.descriptor.model_copy(
            update={"media_type": original.media_type, "digest": old.name, "size": len(raw)}
        )
        # The original names its nested indexes.
        children = tuple(replace(child, spliced=False) for child in decision.children)
        return Restore(decision.node, original, new, children)

    def _converted(self, original: Document, decision: Rewrite) -> bytes | None:
        """What the conversion of an image, or of something in it, gives."""
        home = home_of(decision.node.document, self._plan.family)
        return convert_again(original, decision, home, self._record.planned(), self._rendered)

    def _renamed(self, original: Document, decision: Rewrite) -> bytes:
        """What the conversion of a referrer gives: only documents have other names in it."""
        names: dict[str, Child] = {}
        for child in decision.children:
            node, new = child.decision.node, self._rendered.find(child.decision)
            if new is not None:
                names[new.digest] = Child(node.descriptor, content=node.stored)
        children = [names.get(it.descriptor.digest, Child(it.descriptor)) for it in original.slots]
        return edit(original, decision.family, children, where=decision.node.where).raw

    def _refuse_missing(self, original: Document, decision: Rewrite) -> None:
        """What an original names must come along, or be in the target already."""
        made = {
            new.digest
            for child in decision.children
            if child.included and (new := self._rendered.find(child.decision)) is not None
        }
        for slot in original.slots:
            descriptor = slot.descriptor
            if slot.role is Role.SUBJECT or descriptor.digest in made:
                continue
            if not self._sink.has(descriptor, document=slot.role is Role.ENTRY):
                raise RefusedError(
                    f"the original refers to the blob {descriptor.digest}, which is missing",
                    code="restore-missing-blob",
                    where=f"{decision.node.where}.{slot.label}",
                    remedy=_how_to_find(descriptor.name, made),
                )


def _how_to_find(missing: Digest, made: Collection[str]) -> str:
    """What to do about a blob that an original names and ``made`` are not."""
    if made and all(Digest(digest).algorithm != missing.algorithm for digest in made):
        return Wording(
            f'the digests were computed anew: {{digest="{missing.algorithm}"}} without {{restore}} '
            "computes the old ones"
        )
    return "a record restores documents, not recompressed layers or lost entries"


def _needs_layer(layer: Recompress, where: str) -> RefusedError:
    return RefusedError(
        f"the original cannot be restored: the layer {layer.node.descriptor.digest} was "
        "recompressed",
        code="restore-missing-blob",
        where=where,
        remedy=Wording("a record restores documents, not recompressed layers; leave out {restore}"),
    )


def _never_written(where: str) -> RefusedError:
    return RefusedError(
        "the original is a manifest of schema 1, which is never written",
        code="restore-schema-1",
        where=where,
        remedy=Wording(
            "convert without {restore}; the record itself holds the bytes of the original"
        ),
    )


def _mismatch(where: str, why: str, remedy: str = _OTHER_RECORD) -> RefusedError:
    return RefusedError(
        Wording(f"the record does not belong to this image: {why}"),
        code="restore-mismatch",
        where=where,
        remedy=remedy,
    )
