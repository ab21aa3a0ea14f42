"""Comparing: whether two stores hold the same images, whatever their formats.

What counts is what a conversion keeps: for each platform the image ID (the digest of the config's
bytes) and the layers by their ``diff_ids``. How documents are spelled, how layers are packed, how
indexes are nested and what media types are called does not. That layers are what the documents say
is verified, too: two images that state the same and hold different bytes are not the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from oci_convert.ground.digest import Digest
from oci_convert.ground.errors import DocumentError, RefusedError
from oci_convert.ground.media_types import Kind
from oci_convert.journey.carry import Progress
from oci_convert.journey.check_documents import disagree
from oci_convert.journey.convert import Store, opened
from oci_convert.journey.tree import Image, Node, platform_of, read_tree
from oci_convert.journey.verify import Verification, verify
from oci_convert.papers.documents import Role, read_object
from oci_convert.papers.findings import Finding, Level
from oci_convert.papers.models import Descriptor, Platform
from oci_convert.rules.edits import is_attestation, is_image
from oci_convert.rules.names import called, normalised

__all__ = ["Compared", "Comparison", "same_as"]


@dataclass(frozen=True, slots=True)
class Compared:
    """Images that were held against each other, by their names or places."""

    source: tuple[str, ...]
    other: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The names as plain data."""
        return {"source": list(self.source), "other": list(self.other)}


@dataclass(frozen=True)
class Comparison:
    """The answer, and every difference that it rests on."""

    source: str
    other: str
    images: tuple[Compared, ...]
    findings: tuple[Finding, ...]

    @property
    def same(self) -> bool:
        """Whether both sides hold the same."""
        return not any(finding.level is Level.ERROR for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The answer as plain data."""
        return {
            "version": 1,
            "source": self.source,
            "other": self.other,
            "same": self.same,
            "images": [image.to_json() for image in self.images],
            "findings": [finding.to_json() for finding in self.findings],
        }


def same_as(
    source: Store,
    other: Store,
    *,
    jobs: int | None = None,
    documents_only: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Comparison:
    """Compare the images of two stores.

    With a REF on a side, only that image. One image on each side is compared whatever the names;
    several are compared by name where a name is on both sides, else one by one in order where their
    number is equal, else all together. Attestations, artifacts and absent entries of an index are
    left out and named.

    Both sides are verified, too (``jobs`` and ``on_progress`` are those of :func:`verify`): a layer
    that does not hold what the documents say is a difference. ``documents_only`` believes the
    documents, and reads no layer. Raises :class:`OciConvertError` if a side cannot be read, holds a
    document that cannot be trusted, or holds no image.
    """
    mine, yours = _Side.read(source), _Side.read(other)
    findings = [*mine.notes, *yours.notes]
    for store in () if documents_only else (source, other):
        findings += _wrong_bytes(verify(store, jobs=jobs, on_progress=on_progress))
    images = []
    for left, right in _paired(mine, yours, findings):
        images.append(Compared(_names(left), _names(right)))
        findings += _differences(mine.label, _variants(left), yours.label, _variants(right))
    return Comparison(mine.reference, yours.reference, tuple(images), tuple(findings))


_BYTES: Final = frozenset(
    {
        "blob-truncated",
        "corrupt-layer",
        "digest-mismatch",
        "unreadable",
        "window-too-large",
        "wrong-diff-id",
        "wrong-size",
    }
)
"""The faults of bytes; what is wrong with documents shows in the comparison itself."""


def _wrong_bytes(verified: Verification) -> list[Finding]:
    return [
        replace(fault, where=f"{verified.source}: {fault.where}")
        for fault in verified.findings
        if fault.code in _BYTES
    ]


@dataclass(frozen=True, slots=True)
class _Variant:
    """What one image is for one platform."""

    where: str
    stated: Platform | None
    """The platform that the entry of an index states."""
    platform: Platform | None
    """The same, or what the config states."""
    config: bytes
    image_id: Digest
    """The digest of the config; of one algorithm, so that it can be compared."""
    diff_ids: tuple[str, ...]
    layers: int

    def is_same(self, other: _Variant) -> bool:
        """Whether it is the same image, and for the same platform where both sides state one."""
        if (self.image_id, self.layers) != (other.image_id, other.layers):
            return False
        if self.stated is None or other.stated is None:
            return True
        return not disagree(self.stated, other.stated)

    def is_rival(self, other: _Variant) -> bool:
        """Whether it is meant for the same machines."""
        if self.platform is None or other.platform is None:
            return self.platform is other.platform
        return not disagree(self.platform, other.platform)


@dataclass(frozen=True, slots=True)
class _Named:
    """An image of a side, and what it is for each platform."""

    label: str
    """What people call it, or its place."""
    name: str | None
    """Its name in full."""
    variants: tuple[_Variant, ...]


_Images: TypeAlias = Sequence[_Named]


# -- reading ------------------------------------------------------------------------------------


@dataclass
class _Side:
    """What is compared of one store."""

    reference: str
    label: str
    images: list[_Named]
    notes: list[Finding]

    @classmethod
    def read(cls, store: Store) -> _Side:
        with opened(store) as (reference, source, roots):
            tree = read_tree(source, roots)
        side = cls(str(reference), source.label, [], [])
        for image in tree.images:
            side._add(image)
        if not side.images:
            raise RefusedError(
                "there is no image to compare", code="no-image", where=side.reference
            )
        return side

    def _add(self, image: Image) -> None:
        variants = tuple(self._variants(image.node, image.root.descriptor))
        if variants:
            name = called(image.root.annotations)
            full = None if name is None else normalised(name)
            self.images.append(_Named(name or image.node.where, full, variants))

    def by_name(self) -> dict[str | None, list[_Named]]:
        """The images under each name; a store may hold several of one."""
        found: dict[str | None, list[_Named]] = {}
        for image in self.images:
            found.setdefault(image.name, []).append(image)
        return found

    def _variants(self, node: Node, entry: Descriptor) -> Iterator[_Variant]:
        """The images at or below ``node``, which ``entry`` names; nested indexes are recursed."""
        document = node.document
        if is_attestation(entry):
            self._leave_out(node, "an attestation")
        elif document is None or node.absent is node:
            self._leave_out(node, "absent" if not node.present else f"a {entry.media_type}")
        elif node.kind is Kind.INDEX:
            for slot, child in zip(document.slots, node.children, strict=True):
                if slot.role is Role.ENTRY:
                    yield from self._variants(child, slot.descriptor)
        elif not is_image(document) or any(c.kind is Kind.ARTIFACT for c in node.layers()):
            self._leave_out(node, "an artifact")
        else:
            yield from self._variant(node, entry)

    def _variant(self, node: Node, entry: Descriptor) -> Iterator[_Variant]:
        try:
            found, raw = node.image_config, node.children[0].raw
        except DocumentError as error:
            raise error.within(self.label) from None
        if found is None or raw is None:
            self._leave_out(node, "without its config")
            return
        config, _ = found
        diff_ids = config.rootfs.diff_ids if config.rootfs is not None else ()
        count = sum(1 for _ in node.layers())
        platform = platform_of(node, entry)
        identity = Digest.of(raw)
        yield _Variant(node.where, entry.platform, platform, raw, identity, diff_ids, count)

    def _leave_out(self, node: Node, what: str) -> None:
        message = f"{node.descriptor.digest} is {what}, and left out"
        self.notes.append(Finding.of("not-compared", f"{self.label}: {node.where}", message))


# -- pairing ------------------------------------------------------------------------------------


def _paired(mine: _Side, yours: _Side, findings: list[Finding]) -> list[tuple[_Images, _Images]]:
    """Which images are held against which; an image without a partner becomes a finding."""
    if len(mine.images) == len(yours.images) == 1:
        return [(mine.images, yours.images)]
    left, right = mine.by_name(), yours.by_name()
    common = [name for name in left if name is not None and name in right]
    if common:
        findings += _unmatched(mine, common, yours)
        findings += _unmatched(yours, common, mine)
        return [(left[name], right[name]) for name in common]
    if len(mine.images) == len(yours.images):
        return [([a], [b]) for a, b in zip(mine.images, yours.images, strict=True)]
    return [(mine.images, yours.images)]


def _unmatched(side: _Side, common: Collection[str | None], other: _Side) -> Iterator[Finding]:
    for image in side.images:
        if image.name not in common:
            message = f"{image.label} is only here, not in {other.reference}"
            where = f"{side.label}: {image.variants[0].where}"
            yield Finding.of("differs-image", where, message)


def _names(images: _Images) -> tuple[str, ...]:
    return tuple(image.label for image in images)


def _variants(images: _Images) -> list[_Variant]:
    return [variant for image in images for variant in image.variants]


# -- comparing ----------------------------------------------------------------------------------


def _differences(
    label: str, mine: Sequence[_Variant], other: str, yours: Sequence[_Variant]
) -> Iterator[Finding]:
    """What is not the same; the same image for the same platform twice counts once."""
    left = [variant for variant in mine if not any(map(variant.is_same, yours))]
    right = [variant for variant in yours if not any(map(variant.is_same, mine))]
    for variant in left:
        rival = next(filter(variant.is_rival, right), None)
        if rival is None:
            yield _alone(label, variant, other)
        else:
            right.remove(rival)
            yield from _apart(f"{label}: {variant.where}", variant, rival)
    for variant in right:
        yield _alone(other, variant, label)


def _alone(label: str, variant: _Variant, other: str) -> Finding:
    platform = variant.platform or "an unknown platform"
    message = f"{variant.image_id} for {platform} is only here, not in {other}"
    return Finding.of("differs-platform", f"{label}: {variant.where}", message)


def _apart(where: str, one: _Variant, other: _Variant) -> Iterator[Finding]:
    """In what two images for one platform differ."""
    if one.image_id != other.image_id:
        message = f"the image IDs are {one.image_id} and {other.image_id}; {_members(one, other)}"
        yield Finding.of("differs-config", where, message)
    if (one.diff_ids, one.layers) != (other.diff_ids, other.layers):
        yield Finding.of("differs-layers", where, _layers(one, other))


def _members(one: _Variant, other: _Variant) -> str:
    """The members of two configs that are not equal."""
    mine, yours = (read_object(side.config, side.where)[1].value for side in (one, other))
    names = [name for name in {**mine, **yours} if mine.get(name) != yours.get(name)]
    return f"the configs differ in {', '.join(names)}" if names else "only the spelling differs"


def _layers(one: _Variant, other: _Variant) -> str:
    counts = [(len(side.diff_ids), side.layers) for side in (one, other)]
    if counts[0] != counts[1]:
        told = [f"{layers} ({diff_ids} diff_ids)" for diff_ids, layers in counts]
        return f"the numbers of layers are {told[0]} and {told[1]}"
    pairs = enumerate(zip(one.diff_ids, other.diff_ids, strict=True))
    apart = [str(i) for i, (mine, yours) in pairs if mine != yours]
    return f"the diff_ids of the layers {', '.join(apart)} differ"
