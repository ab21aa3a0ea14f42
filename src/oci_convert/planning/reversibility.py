"""The way back: every translation is translated back at once, to see whether the bytes return."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from oci_convert.documents.document import Document, Slot, read_document
from oci_convert.errors import OciConvertError
from oci_convert.findings import Finding
from oci_convert.planning.decisions import Plan, Step, documents_below
from oci_convert.planning.options import Options
from oci_convert.planning.planner import Planner
from oci_convert.spec.media_types import Family, Kind
from oci_convert.transform.translate import home_of
from oci_convert.tree.reader import Node, Tree

__all__ = ["converted_again", "judge_way_back"]


def judge_way_back(plan: Plan) -> list[Finding]:
    """Translate everything back at once, and find the documents whose bytes do not return.

    The manifest of an image that was built from a row of an archive is no original: nobody misses
    its bytes.
    """
    findings: list[Finding] = []
    backs: dict[Family, _WayBack] = {}
    for image, top in plan.tops:
        if top.node.document is None:
            continue
        home = home_of(top.node.document, plan.options.to)
        if home not in backs:
            backs[home] = _WayBack(replace(plan.options, to=home, platforms=(), flatten=False))
        for step in documents_below(top):
            code = None if not step.reversible else _verdict(step, backs[home])
            if code is None:
                continue
            step.reversible = False
            if not (image.root.built and step is top):
                findings.append(Finding.of(code, step.node.where, _WHY[code]))
    return findings


_WHY: Final = {
    "not-reversible": "the way back does not give the same bytes",
    "not-reversible-repacked": "a layer below is recompressed, so the way back gives other bytes",
}


def _verdict(step: Step, back: _WayBack) -> str | None:
    if step.recompresses:
        return "not-reversible-repacked"
    return None if back.returns(step) else "not-reversible"


def converted_again(original: Document, step: Step, options: Options) -> bytes | None:
    """What the conversion of ``original`` gives if its children are what ``step`` names.

    May raise any :class:`OciConvertError` of a conversion.
    """
    return _WayBack(options).again(original, step)


class _WayBack:
    """The conversion of what a plan makes, back into the family that it came from."""

    def __init__(self, options: Options):
        self._nodes: dict[int, Node] = {}
        self._planner = Planner(Tree(()), Plan(options), plain_layers=True)

    def returns(self, step: Step) -> bool:
        """Whether the way back gives the bytes that the document of ``step`` had."""
        assert step.node.document is not None
        try:
            back = self._planner.document(self._made(step))
        except OciConvertError:
            return False
        return back.raw == step.node.document.raw

    def again(self, original: Document, step: Step) -> bytes | None:
        """The bytes of ``original``, converted."""
        node = replace(step.node, document=original, children=())
        node.children = self._children(original, step)
        return self._planner.document(node).raw

    def _made(self, step: Step) -> Node:
        """What ``step`` makes, as if it had been read."""
        known = self._nodes.get(id(step))
        if known is not None:
            return known
        assert step.new is not None
        node = replace(step.node, descriptor=step.new, children=())
        if step.node.document is not None:
            assert step.raw is not None
            node.document = read_document(step.raw, step.media_type, step.node.where)
            node.children = self._children(node.document, step)
        self._nodes[id(step)] = node
        return node

    def _children(self, document: Document, step: Step) -> tuple[Node, ...]:
        made = {below.new.digest: below for below in _named(step) if below.new is not None}
        return tuple(
            self._child(slot, made.get(slot.descriptor.digest), step.node.where)
            for slot in document.slots
        )

    def _child(self, slot: Slot, step: Step | None, where: str) -> Node:
        if step is not None and step.node.document is not None:
            return self._made(step)
        if step is not None:
            return replace(step.node, descriptor=slot.descriptor, role=slot.role)
        return Node(
            Kind.ARTIFACT,
            slot.role,
            slot.descriptor,
            f"{where}.{slot.label}",
            present=False,
            read=False,
        )


def _named(step: Step) -> Iterator[Step]:
    """The steps of everything that the translated document, or its original, may name."""
    for entry in step.entries:
        if entry.step is None or entry.removed:
            continue
        yield entry.step
        if entry.spliced:
            yield from _named(entry.step)
