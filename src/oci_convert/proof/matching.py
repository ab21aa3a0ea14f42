"""Matching: which image at hand corresponds to which image that was signed.

What two images must have in common is the digest of their config. It names the content of every
layer, whatever a conversion made of the documents and of the packing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from oci_convert.documents.document import Document, Role
from oci_convert.proof.answer import Link
from oci_convert.proof.originals import Documents
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Kind
from oci_convert.spec.models import Descriptor
from oci_convert.spec.platforms import disagree
from oci_convert.tree.nodes import DocumentNode, Node, platform_or_none
from oci_convert.tree.walk import Visit, is_index, listed

__all__ = [
    "Pair",
    "Signed",
    "Unknown",
    "config_digest",
    "config_of",
    "held_below",
    "layers_of",
    "likeness",
    "match",
    "signed_below",
]

_ITSELF: Final = 1 << 30
"""More than any number of layers: the very same document."""


@dataclass(frozen=True, slots=True)
class Signed:
    """An image, or anything else with a manifest, that is part of the original."""

    digest: str
    where: str
    entry: Descriptor | None
    """What its index says of it."""
    document: Document | None
    """``None`` if it was not given."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An image at hand, and the signed one that it stands for."""

    signed: Signed
    held: Visit


@dataclass(frozen=True, slots=True)
class Unknown(Pair):
    """An image at hand that may be a signed one whose document is not known."""


def held_below(node: Node, entry: Descriptor) -> list[Visit]:
    """The images and other things at hand; indexes inside of indexes are recursed."""
    found: dict[object, Visit] = {}
    for held in listed(node, entry, is_index):
        entry = held.entry
        found.setdefault((entry.digest, entry.media_type, repr(entry.platform)), held)
    return list(found.values())


def signed_below(digest: str, documents: Documents, where: str) -> list[Signed]:
    """The images and other things that the original ``digest`` lists, or itself."""
    seen: set[object] = set()

    def walk(digest: str, entry: Descriptor | None, where: str) -> Iterator[Signed]:
        key = (digest, repr(entry.platform) if entry else None)
        if key in seen:
            return
        seen.add(key)
        document = documents.find(digest, where)
        if document is None or document.kind is not Kind.INDEX:
            yield Signed(digest, where, entry, document)
            return
        for slot in document.slots:
            if slot.role is Role.ENTRY:
                place = f"{where}.{slot.label}"
                yield from walk(slot.descriptor.digest, slot.descriptor, place)

    return list(walk(digest, None, where))


def config_of(document: Document) -> Descriptor:
    """The config of a manifest."""
    return next(slot.descriptor for slot in document.slots if slot.role is Role.CONFIG)


def config_digest(node: DocumentNode, expected: Descriptor) -> str:
    """The digest of the config at hand, by the algorithm of the one that is expected."""
    config, algorithm = node.children[0], expected.name.algorithm
    if config.stored is None or config.descriptor.name.algorithm == algorithm:
        return config.descriptor.digest
    return Digest.of(config.stored, algorithm)


def layers_of(document: Document) -> list[Descriptor]:
    """The layers of a manifest, in order."""
    return [slot.descriptor for slot in document.slots if slot.role is Role.LAYER]


def match(held: Visit, signed: Sequence[Signed]) -> Pair | Link:
    """The signed image that ``held`` stands for, perhaps :class:`Unknown`; or the broken link.

    Of several with the same config (the same image, packed in two ways), the one that shares the
    most layers.
    """
    rivals = [one for one in signed if _may_be(one, held)]
    best = max(rivals, key=lambda one: likeness(one, held), default=None)
    if best is None:
        note = f"the original has no image for {held.entry.platform}"
        return Link("manifest", held.where, None, held.node.old.digest, ok=False, note=note)
    if likeness(best, held):
        return Pair(best, held)
    unknown = next((one for one in rivals if one.document is None), None)
    if unknown is not None:
        return Unknown(unknown, held)
    return _apart(best, held)


def _may_be(signed: Signed, held: Visit) -> bool:
    """Whether the index at hand gives the image to the machines that the original gave it to.

    Where the original states no platform, the config of the image does.
    """
    if signed.entry is None or held.entry.platform is None:
        return True
    platform = signed.entry.platform or platform_or_none(held.node)
    return platform is None or not disagree(platform, held.entry.platform)


def likeness(signed: Signed, held: Visit) -> int:
    """How much two images have in common; 0 if they are different ones."""
    if signed.digest == held.node.old.digest:
        return _ITSELF
    node, theirs = held.node, signed.document
    if not isinstance(node, DocumentNode) or theirs is None:
        return 0
    mine = node.document
    if Kind.INDEX in (mine.kind, theirs.kind):
        return 0
    expected = config_of(theirs)
    if config_digest(node, expected) != expected.digest:
        return 0
    pairs = zip(layers_of(mine), layers_of(theirs), strict=False)
    return 1 + sum(one.digest == other.digest for one, other in pairs)


def _apart(signed: Signed, held: Visit) -> Link:
    """The link between two images that are not the same."""
    mine, theirs = held.node.document_or_none, signed.document
    faults = [fault.message for fault in held.node.faults]
    if mine is None or theirs is None or faults:
        note = faults[0] if faults else "not a manifest" if held.node.present else "missing"
        return Link("manifest", held.where, signed.digest, None, ok=False, note=note)
    config, expected = config_of(mine).digest, config_of(theirs).digest
    return Link("config", f"{held.where}.config", expected, config, ok=False, note="another image")
