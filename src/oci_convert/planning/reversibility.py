"""Reversibility: everything is converted back at once, to see whether the bytes return.

Once for each form of a document (:mod:`~oci_convert.planning.forms`): which ones return is
remembered here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from oci_convert.documents.document import Document, Slot
from oci_convert.errors import OciConvertError
from oci_convert.findings import Finding
from oci_convert.limits import limits
from oci_convert.options import Options
from oci_convert.planning.context import Context
from oci_convert.planning.decisions import (
    Decision,
    PlannedImage,
    Restore,
    Rewrite,
    documents_below,
    recompresses,
)
from oci_convert.planning.forms import Forms
from oci_convert.planning.planner import Planner
from oci_convert.planning.rendering import Rendered
from oci_convert.spec.media_types import Family, Kind
from oci_convert.stores.known import Known
from oci_convert.transform.document_edits import home_of
from oci_convert.tree.nodes import DocumentNode, Node, Tree, UnreadNode

__all__ = ["WHY_IRREVERSIBLE", "convert_again", "judge"]

WHY_IRREVERSIBLE: Final = {
    "not-reversible": "converting back gives other bytes",
    "not-reversible-repacked": "converting back gives other bytes: a layer is recompressed",
}
_returning: Final = Known(10_000)
"""The forms of documents that were found to return, each with what was asked for."""


def judge(
    images: tuple[PlannedImage, ...], family: Family, options: Options, rendered: Rendered
) -> tuple[tuple[Decision, ...], list[Finding]]:
    """The documents whose bytes do not return, and what is to be said of them.

    The manifest of an image that was built from a row of an archive is no original: nobody misses
    its bytes.
    """
    irreversible: dict[int, Decision] = {}
    findings: list[Finding] = []
    backs: dict[Family, _ConvertedBack] = {}
    for planned in images:
        root, store = planned.decision, planned.image.root
        if not isinstance(root, Rewrite):
            continue
        home = home_of(root.node.document, family)
        if home not in backs:
            chooses = options.platforms or options.flatten
            back = replace(options, platforms=(), flatten=False) if chooses else options
            backs[home] = _ConvertedBack(home, back, rendered)
        for decision in documents_below(root):
            if id(decision) in irreversible or not isinstance(decision, Rewrite):
                continue
            upgraded = decision.node.upgraded_from is not None
            upgraded = upgraded or (store.upgraded and decision is root)
            code = None if upgraded else backs[home].verdict(decision)
            if code is not None and not (store.built and decision is root):
                place = decision.node.where
                findings.append(Finding.of(code, place, WHY_IRREVERSIBLE[code]))
            if upgraded or code is not None:
                irreversible[id(decision)] = decision
    return tuple(irreversible.values()), findings


def convert_again(
    original: Document, decision: Rewrite, family: Family, options: Options, rendered: Rendered
) -> bytes | None:
    """What the conversion of ``original`` gives if its children are what ``decision`` names.

    May raise any :class:`OciConvertError` of a conversion.
    """
    return _ConvertedBack(family, options, rendered).again(original, decision)


class _ConvertedBack:
    """The conversion of what a plan makes, back into the family that it came from."""

    def __init__(self, family: Family, options: Options, rendered: Rendered) -> None:
        self._there = rendered
        self._forms = Forms(rendered)
        self._asked = family, options, limits()
        self._nodes: dict[int, DocumentNode] = {}
        self._context = Context(family, options)
        self._planner = Planner(Tree(()), self._context, plain_layers=True)

    def verdict(self, decision: Rewrite) -> str | None:
        """Why converting back gives other bytes; ``None`` if it gives the same."""
        if self._there.find(decision) is None:
            repacked = recompresses(decision)
            return "not-reversible-repacked" if repacked else "not-reversible"
        form = self._forms.find(decision)
        if form is not None and (self._asked, form) in _returning:
            return None
        if not self._returns(decision):
            return "not-reversible"
        if form is not None:
            _returning.add((self._asked, form))
        return None

    def _returns(self, decision: Rewrite) -> bool:
        made = self._made(decision)
        try:
            return self._back(made) == decision.node.document.raw
        except OciConvertError:
            return False

    def again(self, original: Document, decision: Rewrite) -> bytes | None:
        """The bytes of ``original``, converted."""
        children = self._children(original, decision)
        return self._back(replace(decision.node, document=original, children=children))

    def _back(self, node: DocumentNode) -> bytes | None:
        return self._context.rendered.raw(self._planner.document(node))

    def _made(self, decision: Rewrite | Restore) -> DocumentNode:
        """What a decision makes, as if it had been read."""
        known = self._nodes.get(id(decision))
        if known is None:
            new, document = self._there.descriptor(decision), self._there.reread(decision)
            known = self._nodes[id(decision)] = replace(
                decision.node,
                descriptor=new,
                document=document,
                children=self._children(document, decision),
            )
        return known

    def _children(self, document: Document, decision: Rewrite | Restore) -> tuple[Node, ...]:
        made: dict[str, Decision] = {}
        for below in _named(decision):
            new = self._there.find(below)
            if new is not None:
                made[new.digest] = below
        where = decision.node.where
        return tuple(
            self._child(slot, made.get(slot.descriptor.digest), where) for slot in document.slots
        )

    def _child(self, slot: Slot, decision: Decision | None, where: str) -> Node:
        if isinstance(decision, Rewrite | Restore):
            return self._made(decision)
        if decision is not None:
            # The size that an original states may be wrong, if it was repaired.
            size, named = decision.node.descriptor.size, slot.descriptor
            named = named if named.size == size else named.but(size=size)
            return decision.node.named_by(named, slot.role)
        return UnreadNode(
            kind=Kind.ARTIFACT,
            role=slot.role,
            descriptor=slot.descriptor,
            where=f"{where}.{slot.label}",
        )


def _named(decision: Decision) -> Iterator[Decision]:
    """The decisions on everything that the document, or its original, may name."""
    for planned in decision.children:
        if planned.removed:
            continue
        yield planned.decision
        if planned.spliced:
            yield from _named(planned.decision)
