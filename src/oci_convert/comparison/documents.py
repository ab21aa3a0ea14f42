"""Comparing the format of two images: what their documents say beside what the images are.

Nothing here makes an image another one. A document that has other bytes is always told, by its
digest; then in what it differs, unless that is its spelling alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from oci_convert.comparison.difference import About, Difference, DifferenceKind
from oci_convert.comparison.store_view import Layer, Placed, Variant
from oci_convert.documents.json_diff import ABSENT, differing
from oci_convert.spec.media_types import Kind

__all__ = ["DocumentComparison"]

_TOLD: Final = frozenset({"mediaType", "digest", "size"})
"""Members of a descriptor that are compared as what they mean."""
_SLOTS: Final = frozenset({"mediaType", "config", "layers", "manifests"})
"""Members of a document that are compared as what they mean, or one by one."""


@dataclass(frozen=True, slots=True)
class DocumentComparison:
    """Compares the documents of one image."""

    about: About

    def indexes(self, left: Sequence[Placed], right: Sequence[Placed]) -> Iterator[Difference]:
        """The indexes that lead to the images, the outer ones first."""
        for mine, yours in zip_longest(left, right):
            if mine is not None and yours is not None:
                yield from self._documents(mine, yours)
                continue
            one = mine if mine is not None else yours
            digest = one.node.old.digest
            sides = (ABSENT, digest) if mine is None else (digest, ABSENT)
            yield self.about.differs(DifferenceKind.INDEX, Kind.INDEX, one.where, *sides)

    def images(self, left: Variant, right: Variant) -> Iterator[Difference]:
        """Two manifests, the entries that list them, and the descriptors of their configs."""
        if left.top.entry is not None and right.top.entry is not None:
            kind, where = left.top.node.kind, left.top.where
            yield from self._members(kind, where, left.top.entry, right.top.entry)
        yield from self._documents(left.top, right.top)
        yield from self._configs(left, right)

    def layers(self, left: Layer, right: Layer) -> Iterator[Difference]:
        """Two layers with the same content."""
        types = left.node.descriptor.media_type, right.node.descriptor.media_type
        yield from self._types(Kind.LAYER, left.where, *types)
        yield from self._members(Kind.LAYER, left.where, left.stated, right.stated)
        mine, yours = left.facts(), right.facts()
        if (mine["digest"], mine["size"]) != (yours["digest"], yours["size"]):
            yield self.about.differs(DifferenceKind.PACKING, Kind.LAYER, left.where, mine, yours)
        if left.node.mislabelled is not right.node.mislabelled:
            wrong = (
                ABSENT if layer.node.mislabelled is None else layer.node.mislabelled.value
                for layer in (left, right)
            )
            yield self.about.differs(DifferenceKind.MISLABELLED, Kind.LAYER, left.where, *wrong)

    def _documents(self, left: Placed, right: Placed) -> Iterator[Difference]:
        kind, where = left.node.kind, left.where
        if left.raw != right.raw:
            digests = (ABSENT if side.built else side.node.old.digest for side in (left, right))
            yield self.about.differs(DifferenceKind.DIGEST, kind, where, *digests)
        types = left.node.old.media_type, right.node.old.media_type
        yield from self._types(kind, where, *types)
        mine, yours = _body(left), _body(right)
        if types[0] == types[1]:
            stated = ({"mediaType": body.get("mediaType")} for body in (mine, yours))
            yield from self._members(kind, where, *stated, told=frozenset())
        yield from self._members(kind, where, mine, yours, told=_SLOTS)

    def _configs(self, left: Variant, right: Variant) -> Iterator[Difference]:
        where = f"{left.top.where}.config"
        mine, yours = (_body(side.top).get("config", {}) for side in (left, right))
        yield from self._types(Kind.CONFIG, where, mine.get("mediaType"), yours.get("mediaType"))
        told = _TOLD - {"digest", "size"} if left.image_id == right.image_id else _TOLD
        yield from self._members(Kind.CONFIG, where, mine, yours, told=told)

    def _types(self, kind: Kind, where: str, left: str, right: str) -> Iterator[Difference]:
        if left != right:
            yield self.about.differs(DifferenceKind.MEDIA_TYPE, kind, where, left, right)

    def _members(
        self,
        kind: Kind,
        where: str,
        left: dict[str, Any],
        right: dict[str, Any],
        *,
        told: frozenset[str] = _TOLD,
    ) -> Iterator[Difference]:
        """The members of two objects but those that are ``told`` in other words."""
        mine, yours = (
            {name: value for name, value in side.items() if name not in told}
            for side in (left, right)
        )
        # One by one, also where the other side has none at all.
        notes = mine.pop("annotations", None) or {}, yours.pop("annotations", None) or {}
        for path, *sides in differing(*notes, "annotations"):
            yield self.about.differs(DifferenceKind.ANNOTATION, kind, where, *sides, member=path)
        for path, *sides in differing(mine, yours):
            yield self.about.differs(DifferenceKind.MEMBER, kind, where, *sides, member=path)


def _body(side: Placed) -> dict[str, Any]:
    document = side.node.document_or_none
    body: dict[str, Any] = {} if document is None else document.root.value
    return body
