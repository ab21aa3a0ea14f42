"""Comparing the content of images: which ones are the same, and how the others differ.

What counts is what a conversion keeps: for each platform the image ID (the digest of the config's
bytes) and the layers by their ``diff_ids``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from oci_convert.comparison.difference import Difference, DifferenceKind
from oci_convert.comparison.store_view import Layer, Variant
from oci_convert.documents.alignment import aligned
from oci_convert.documents.document import read_object
from oci_convert.documents.json_diff import ABSENT, MemberPair, differing
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Kind
from oci_convert.tree.walk import Visit

__all__ = ["LayerPairs", "Match", "apart", "layer_pairs", "match"]


@dataclass
class Match:
    """Which images of two sides belong together."""

    same: list[tuple[Variant, Variant]] = field(default_factory=list)
    rivals: list[tuple[Variant, Variant]] = field(default_factory=list)
    """Not the same, but for the same platform."""
    left: list[Variant] = field(default_factory=list)
    """For a platform that the other side has no image for."""
    right: list[Variant] = field(default_factory=list)
    left_repeated: list[Variant] = field(default_factory=list)
    """The same as an image that already has a partner."""
    right_repeated: list[Variant] = field(default_factory=list)


def match(left: Sequence[Variant], right: Sequence[Variant]) -> Match:
    """Find the partner of each image: the same one, else one for the same platform."""
    found = Match()
    free = {id(variant) for variant in right}
    by_identity: dict[tuple[str, ...], list[Variant]] = {}
    for variant in right:
        by_identity.setdefault(variant.identity, []).append(variant)
    wanted: set[int] = set()
    for mine in left:
        twins = [it for it in by_identity.get(mine.identity, ()) if mine.suits(it)]
        wanted.update(map(id, twins))
        partner = max(
            (twin for twin in twins if id(twin) in free),
            key=lambda twin: _likeness(mine.visit, twin.visit),
            default=None,
        )
        if partner is not None:
            free.remove(id(partner))
            found.same.append((mine, partner))
        else:
            (found.left_repeated if twins else found.left).append(mine)
    for yours in right:
        if id(yours) in free:
            (found.right_repeated if id(yours) in wanted else found.right).append(yours)
    _match_rivals(found)
    return found


def _likeness(left: Visit, right: Visit) -> int:
    return (left.node.stored == right.node.stored) + (left.stated == right.stated)


def _match_rivals(found: Match) -> None:
    lonely = []
    for mine in found.left:
        rival = next(filter(mine.is_rival, found.right), None)
        if rival is None:
            lonely.append(mine)
        else:
            found.right.remove(rival)
            found.rivals.append((mine, rival))
    found.left = lonely


def apart(left: Variant, right: Variant, layers: LayerPairs) -> Iterator[Difference]:
    """The differences between two images for one platform."""
    if left.image_id != right.image_id:
        where, ids = f"{left.where}.config", (left.image_id, right.image_id)
        yield Difference(DifferenceKind.IMAGE_ID, Kind.CONFIG, where, *ids)
        for path, *sides in _config_members(left, right, where):
            if not (path.startswith("rootfs.diff_ids[") and layers.tell_diff_ids):
                yield Difference(DifferenceKind.CONFIG, Kind.CONFIG, where, *sides, member=path)
    for one, other in layers.apart:
        where = next(side.visit.where for side in (one, other) if side is not None)
        facts = (ABSENT if side is None else side.facts() for side in (one, other))
        yield Difference(DifferenceKind.LAYER, Kind.LAYER, where, *facts)


def _config_members(left: Variant, right: Variant, where: str) -> Iterator[MemberPair]:
    if left.config is not None and right.config is not None:
        sides = (read_object(config, where)[1].value for config in (left.config, right.config))
        yield from differing(*sides)


@dataclass(frozen=True, slots=True)
class LayerPairs:
    """Which layers of two images belong together."""

    same: tuple[tuple[Layer, Layer], ...]
    """The same content at the same position, apart from layers added or removed before it."""
    apart: tuple[tuple[Layer | None, Layer | None], ...]
    """Anything else: another layer at the same position, one that moved, one without a partner."""

    @property
    def tell_diff_ids(self) -> bool:
        """Whether a ``diff_id`` that differs shows in the layers."""
        return all(layer.diff_id for pair in self.apart for layer in pair if layer is not None)


def layer_pairs(left: Variant, right: Variant) -> LayerPairs:
    """Align the layers of two images by their ``diff_ids``.

    The digest of a layer helps where only one of the configs names as many as there are layers.
    """
    known: dict[str, Digest] = {
        layer.digest: layer.diff_id
        for layer in (*left.layers, *right.layers)
        if layer.diff_id is not None
    }
    mine, yours = (
        [known.get(layer.content, layer.content) for layer in it]
        for it in (left.layers, right.layers)
    )
    same, others = [], []
    for i, j in aligned(mine, yours):
        if i is not None and j is not None and mine[i] == yours[j]:
            same.append((left.layers[i], right.layers[j]))
        else:
            others.append((i, j))
    return LayerPairs(tuple(same), tuple(_apart(left, right, mine, yours, others)))


def _apart(
    left: Variant,
    right: Variant,
    mine: Sequence[str],
    yours: Sequence[str],
    others: Sequence[tuple[int | None, int | None]],
) -> Iterator[tuple[Layer | None, Layer | None]]:
    """The layers that are not at the same position; a moved layer is one difference."""
    places: dict[str, list[int]] = {}
    for _, j in others:
        if j is not None:
            places.setdefault(yours[j], []).append(j)
    moved = {i: places[mine[i]].pop(0) for i, _ in others if i is not None and places.get(mine[i])}
    gone = set(moved.values())
    for i, j in others:
        one = None if i is None else left.layers[i]
        other = None if j is None or j in gone else right.layers[j]
        if i in moved:
            yield one, right.layers[moved[i]]
            one = None
        if one is not None or other is not None:
            yield one, other
