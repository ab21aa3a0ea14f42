"""Comparing the format of two images: what their documents say beside what the images are.

Nothing here makes an image another one. A document that has other bytes is always told, by its
digest; then in what it differs, unless that is its spelling alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final

from oci_convert.comparison.difference import Difference, DifferenceKind
from oci_convert.comparison.store_view import Layer, Variant
from oci_convert.documents.json_diff import ABSENT, differing
from oci_convert.spec.media_types import Kind
from oci_convert.tree.walk import Visit

__all__ = ["images_apart", "indexes_apart", "layers_apart"]

_TOLD: Final = frozenset({"mediaType", "digest", "size"})
"""Members of a descriptor that are compared as what they mean."""
_SLOTS: Final = frozenset({"mediaType", "config", "layers", "manifests"})
"""Members of a document that are compared as what they mean, or one by one."""


def indexes_apart(left: Sequence[Visit], right: Sequence[Visit]) -> Iterator[Difference]:
    """In what the indexes that lead to the images differ, the outer ones first."""
    for mine, yours in zip_longest(left, right):
        if mine is not None and yours is not None:
            yield from _documents(mine, yours, (mine.node.old.digest, yours.node.old.digest))
            continue
        one = mine if mine is not None else yours
        digest = one.node.old.digest
        sides = (ABSENT, digest) if mine is None else (digest, ABSENT)
        yield Difference(DifferenceKind.INDEX, Kind.INDEX, one.where, *sides)


def images_apart(left: Variant, right: Variant) -> Iterator[Difference]:
    """In what two manifests, their entries, and the descriptors of their configs differ."""
    if left.visit.stated is not None and right.visit.stated is not None:
        stated = left.visit.stated, right.visit.stated
        yield from _members(left.visit.node.kind, left.where, *stated)
    digests = (ABSENT if it.built else it.visit.node.old.digest for it in (left, right))
    yield from _documents(left.visit, right.visit, digests)
    where = f"{left.where}.config"
    mine, yours = (_body(side.visit).get("config", {}) for side in (left, right))
    yield from _types(Kind.CONFIG, where, mine.get("mediaType"), yours.get("mediaType"))
    told = _TOLD - {"digest", "size"} if left.image_id == right.image_id else _TOLD
    yield from _members(Kind.CONFIG, where, mine, yours, told=told)


def layers_apart(left: Layer, right: Layer) -> Iterator[Difference]:
    """In what two layers with the same content differ."""
    where = left.visit.where
    yield from _types(Kind.LAYER, where, *(it.node.descriptor.media_type for it in (left, right)))
    yield from _members(Kind.LAYER, where, left.visit.stated or {}, right.visit.stated or {})
    mine, yours = left.facts(), right.facts()
    if (mine["digest"], mine["size"]) != (yours["digest"], yours["size"]):
        yield Difference(DifferenceKind.PACKING, Kind.LAYER, where, mine, yours)
    if left.node.mislabelled is not right.node.mislabelled:
        actual = (layer.node.mislabelled for layer in (left, right))
        wrong = (ABSENT if packed is None else packed.value for packed in actual)
        yield Difference(DifferenceKind.MISLABELLED, Kind.LAYER, where, *wrong)


def _documents(left: Visit, right: Visit, digests: Iterable[Any]) -> Iterator[Difference]:
    kind, where = left.node.kind, left.where
    if left.node.stored != right.node.stored:
        yield Difference(DifferenceKind.DIGEST, kind, where, *digests)
    types = left.old.media_type, right.old.media_type
    yield from _types(kind, where, *types)
    mine, yours = _body(left), _body(right)
    if types[0] == types[1]:
        stated = ({"mediaType": body.get("mediaType")} for body in (mine, yours))
        yield from _members(kind, where, *stated, told=frozenset())
    yield from _members(kind, where, mine, yours, told=_SLOTS)


def _types(kind: Kind, where: str, left: str, right: str) -> Iterator[Difference]:
    if left != right:
        yield Difference(DifferenceKind.MEDIA_TYPE, kind, where, left, right)


def _members(
    kind: Kind,
    where: str,
    left: dict[str, Any],
    right: dict[str, Any],
    *,
    told: frozenset[str] = _TOLD,
) -> Iterator[Difference]:
    """The members of two objects but those that are ``told`` in other words."""
    mine, yours = (
        {name: value for name, value in side.items() if name not in told} for side in (left, right)
    )
    # One by one, also where the other side has none at all.
    notes = mine.pop("annotations", None) or {}, yours.pop("annotations", None) or {}
    for path, *sides in differing(*notes, "annotations"):
        yield Difference(DifferenceKind.ANNOTATION, kind, where, *sides, member=path)
    for path, *sides in differing(mine, yours):
        yield Difference(DifferenceKind.MEMBER, kind, where, *sides, member=path)


def _body(visit: Visit) -> dict[str, Any]:
    document = visit.node.document_or_none
    body: dict[str, Any] = {} if document is None else document.root.value
    return body
