"""Comparing two images: whether they are equal, equal except for the format, or different.

That layers are what the documents say is verified, too: two images that state the same and hold
different bytes are not the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter
from typing import TypeAlias

from oci_convert.comparison.content import LayerPairs, apart, layer_pairs, match
from oci_convert.comparison.difference import Compared, Diff, Difference, DifferenceKind
from oci_convert.comparison.documents import images_apart, indexes_apart, layers_apart
from oci_convert.comparison.store_view import (
    Layer,
    Named,
    NotCompared,
    OpenSide,
    Side,
    Variant,
    open_side,
)
from oci_convert.documents.json_diff import ABSENT
from oci_convert.findings import Finding
from oci_convert.progress import Progress
from oci_convert.spec.media_types import Kind, look_up
from oci_convert.stores.opening import SourceLike
from oci_convert.tree.walk import Visit

__all__ = ["diff", "same_as"]

_Images: TypeAlias = Sequence[Named]


def diff(
    left: SourceLike,
    right: SourceLike,
    *,
    jobs: int | None = None,
    documents_only: bool = False,
    follow_links: bool = False,
    on_progress: Callable[[Progress], object] | None = None,
) -> Diff:
    """Compare the images and the artifacts of two stores.

    With a REF on a side, only that image. One image on each side is compared whatever the names;
    several are compared by name where a name is on both sides, else one by one in order where their
    number is equal, else all together. Of each image, what is for one platform is compared with
    what is for the same one. What a store calls its images is no difference. Artifacts are compared
    as images are, by the digests of their config and their layers.

    The layers of both sides are read and unpacked (``follow_links``, ``jobs`` and ``on_progress``
    are those of :func:`verify`): one that does not hold what the documents say makes the sides
    different. Of a registry, only those are read of which the other side says something else.
    ``documents_only`` trusts the documents, and reads no layer. Of attestations, referrers and
    signatures only their digests are compared. What was not compared, or had to be believed, is in
    :attr:`Diff.findings`.

    Raises :class:`OciConvertError` if a side cannot be read, holds a document that cannot be
    trusted, or holds neither image nor artifact.
    """
    measured = partial(
        OpenSide.measured, jobs=jobs, documents_only=documents_only, on_progress=on_progress
    )
    with (
        open_side(left, follow_links=follow_links) as mine,
        open_side(right, follow_links=follow_links) as yours,
    ):
        run = _Run(measured(mine, yours), measured(yours, mine), measured=not documents_only)
        run.compare()
        return run.result()


def same_as(
    left: SourceLike,
    right: SourceLike,
    *,
    jobs: int | None = None,
    documents_only: bool = False,
    follow_links: bool = False,
    on_progress: Callable[[Progress], object] | None = None,
) -> bool:
    """Whether two stores hold the same images, whatever their formats: :attr:`Diff.same`."""
    found = diff(
        left,
        right,
        jobs=jobs,
        documents_only=documents_only,
        follow_links=follow_links,
        on_progress=on_progress,
    )
    return found.same


@dataclass
class _Run:
    """One comparison of two sides."""

    left: Side
    right: Side
    measured: bool
    images: list[Compared] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    partners: dict[str, str] = field(default_factory=dict)
    """The documents on the right, and those on the left that they stand for, by their digests."""

    def compare(self) -> None:
        for mine, yours in self._paired():
            self.images.append(Compared(_labels(mine), _labels(yours)))
            self._compare(mine, yours)
        self._compare_others()

    def result(self) -> Diff:
        findings = (*self.left.faults, *self.right.faults, *self.notes)
        names = self.left.reference, self.right.reference
        return Diff(*names, tuple(self.images), tuple(self.differences), findings)

    # -- pairing --------------------------------------------------------------------------------

    def _paired(self) -> list[tuple[_Images, _Images]]:
        """Which images are held against which; one without a partner is a difference."""
        left, right = self.left.images, self.right.images
        if len(left) == len(right) == 1:
            return [(left, right)]
        mine, yours = self.left.by_name(), self.right.by_name()
        common = [name for name in mine if name in yours]
        if any(common):  # what has no name is then held against what has none
            self.differences += _unmatched(left, common, left=True)
            self.differences += _unmatched(right, common, left=False)
            return [(mine[name], yours[name]) for name in common]
        if len(left) == len(right):
            return [([a], [b]) for a, b in zip(left, right, strict=True)]
        return [(left, right)]

    # -- images ---------------------------------------------------------------------------------

    def _compare(self, mine: _Images, yours: _Images) -> None:
        variants = _variants(mine), _variants(yours)
        found = match(*variants)
        places = {id(variant): i for i, variant in enumerate(variants[0])}
        pairs = sorted((*found.same, *found.rivals), key=lambda pair: places[id(pair[0])])
        layers = [layer_pairs(*pair) for pair in pairs]
        for pair, aligned in zip(pairs, layers, strict=True):
            self._differ(apart(*pair, aligned), pair[0])
        self._alone(DifferenceKind.PLATFORM, found.left, left=True)
        self._alone(DifferenceKind.PLATFORM, found.right, left=False)
        self._compare_indexes(mine, yours, pairs, variants[1])
        self._alone(DifferenceKind.REPEATED, _in_indexes(found.left_repeated), left=True)
        self._alone(DifferenceKind.REPEATED, _in_indexes(found.right_repeated), left=False)
        for pair, aligned in zip(pairs, layers, strict=True):
            self._differ(images_apart(*pair), pair[0])
            for both in aligned.same:
                self._differ(layers_apart(*both), pair[0])
            self._note_believed(aligned)
            self._are_partners(pair[0].visit, pair[1].visit)

    def _differ(self, differences: Iterable[Difference], variant: Variant) -> None:
        """Note differences of an image."""
        platform = None if variant.platform is None else str(variant.platform)
        self.differences += (
            replace(found, image=variant.image, platform=platform) for found in differences
        )

    def _alone(self, kind: DifferenceKind, variants: Iterable[Variant], *, left: bool) -> None:
        """Note images that only one side has, or lists once more than the other one."""
        for variant in variants:
            digests = variant.image_id, variant.visit.node.old.digest
            identity = digests[0] if variant.artifact is None else digests[1]
            sides = (identity, ABSENT) if left else (ABSENT, identity)
            self._differ([Difference(kind, variant.kind, variant.where, *sides)], variant)

    def _compare_indexes(
        self,
        mine: _Images,
        yours: _Images,
        pairs: Sequence[tuple[Variant, Variant]],
        right: Sequence[Variant],
    ) -> None:
        indexes = [[top for image in images for top in image.indexes] for images in (mine, yours)]
        found = list(indexes_apart(*indexes))
        if all(indexes):
            found += _reordered(indexes[0][0].where, pairs, right)
        self.differences += (replace(difference, image=mine[0].label) for difference in found)
        for tops in zip(*indexes, strict=False):
            self._are_partners(*tops)

    def _are_partners(self, left: Visit, right: Visit) -> None:
        self.partners[right.node.old.digest] = left.node.old.digest

    def _note_believed(self, layers: LayerPairs) -> None:
        """Layers that count as the same although their content was not read."""
        for left, right in layers.same if self.measured else ():
            alike = left.digest == right.digest
            for side, layer in ((self.left, left), (self.right, right)):
                if not layer.measured and not (alike and layer.node.present):
                    message = f"{layer.node.descriptor.digest} {_unseen(layer)}"
                    place = f"{side.label}: {layer.visit.where}"
                    self.notes.append(Finding.of("layer-believed", place, message))

    # -- what is no image -------------------------------------------------------------------------

    def _compare_others(self) -> None:
        """Each with the one of the same digest, else with one that refers to the same image."""
        left, right = self._beside(self.left, self.right), self._beside(self.right, self.left)
        for key in (attrgetter("digest"), self._role):
            waiting: dict[object, list[NotCompared]] = {}
            for other in right:
                waiting.setdefault(key(other), []).append(other)
            lonely = []
            for mine in left:
                twins = waiting.get(key(mine))
                if not twins:
                    lonely.append(mine)
                    continue
                yours = twins.pop(0)
                right.remove(yours)
                if mine.facts() != yours.facts():
                    self._tell(mine.where, mine, yours)
            left = lonely
        for mine in left:
            self._tell(mine.where, mine, None)
        for yours in right:
            self._tell(yours.where, None, yours)

    def _beside(self, side: Side, other: Side) -> list[NotCompared]:
        """The referrers and artifacts of a side, without absent images that the other side has."""
        there = {v.visit.node.old.digest for image in other.images for v in image.variants}
        return [it for it in side.not_compared if it.present or it.digest not in there]

    def _role(self, other: NotCompared) -> tuple[str, str | None]:
        subject = other.subject
        return other.what, subject and self.partners.get(subject, subject)

    def _tell(self, where: str, left: NotCompared | None, right: NotCompared | None) -> None:
        sides = (ABSENT if side is None else side.facts() for side in (left, right))
        kind = DifferenceKind.COMPANION
        self.differences.append(Difference(kind, Kind.ARTIFACT, where, *sides))
        for side, other in ((self.left, left), (self.right, right)):
            if other is not None:
                place = f"{side.label}: {other.where}"
                message = f"{other.digest} is {other}, and not compared"
                self.notes.append(Finding.of("not-compared", place, message))


def _unmatched(
    images: _Images, common: Collection[str | None], *, left: bool
) -> Iterator[Difference]:
    for image in images:
        if image.name not in common:
            sides = (image.label, ABSENT) if left else (ABSENT, image.label)
            first, kind = image.variants[0], DifferenceKind.IMAGE
            yield Difference(kind, first.kind, first.where, *sides, image=image.label)


def _in_indexes(variants: Iterable[Variant]) -> Iterator[Variant]:
    """Those that an index lists: what a store lists under several names is no difference."""
    return (variant for variant in variants if variant.visit.slot is not None)


def _reordered(
    where: str, pairs: Sequence[tuple[Variant, Variant]], right: Sequence[Variant]
) -> Iterator[Difference]:
    """Whether the partners of images stand in another order."""
    places = {id(variant): i for i, variant in enumerate(right)}
    order = [places[id(yours)] for _, yours in pairs]
    if order != sorted(order):
        mine = [_for(variant) for variant, _ in pairs]
        yours = [_for(right[i]) for i in sorted(order)]
        yield Difference(DifferenceKind.ORDER, Kind.INDEX, where, mine, yours)


def _for(variant: Variant) -> str:
    return variant.image_id if variant.platform is None else str(variant.platform)


def _unseen(layer: Layer) -> str:
    """Why the content of a layer was not read."""
    meaning = look_up(layer.node.descriptor.media_type)
    if not layer.node.present:
        why = "is foreign and absent" if layer.node.is_foreign else "is absent"
    elif meaning is not None and meaning.cell.encrypted:
        why = "is encrypted"
    elif layer.node.is_foreign:
        why = "is foreign, and never unpacked"
    else:
        why = "has no diff_id in its config"
    return f"{why}; its content was not checked"


def _labels(images: _Images) -> tuple[str, ...]:
    return tuple(image.label for image in images)


def _variants(images: _Images) -> list[Variant]:
    return [variant for image in images for variant in image.variants]
