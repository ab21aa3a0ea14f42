"""What a source holds: its trees, as facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from oci_convert.ground.media_types import Compression, Kind, families, look_up
from oci_convert.journey.convert import Store, opened
from oci_convert.journey.tree import Node, platform_of, read_tree
from oci_convert.papers.documents import Role
from oci_convert.papers.models import Descriptor
from oci_convert.rules.edits import is_attestation
from oci_convert.rules.names import called

__all__ = ["Inspected", "Inspection", "inspect"]


@dataclass(frozen=True)
class Inspected:
    """A blob of an image, and what it names."""

    kind: Kind
    where: str
    descriptor: Descriptor
    family: str | None
    """The families that know its media type, joined by ``+``; ``None`` if no table does."""
    platform: str | None
    name: str | None
    """What the store calls the image; only at the top."""
    notes: tuple[str, ...]
    """What is odd or worth knowing: ``absent``, ``foreign``, ``attestation``, …"""
    children: tuple[Inspected, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The blob and everything below as plain data."""
        value: dict[str, Any] = {
            "kind": self.kind.value,
            "where": self.where,
            **self.descriptor.triple(),
            "family": self.family,
            "platform": self.platform,
            "notes": list(self.notes),
        }
        if self.children:
            value["children"] = [child.to_json() for child in self.children]
        return value


@dataclass(frozen=True)
class Inspection:
    """The images of a source."""

    source: str
    images: tuple[Inspected, ...]

    def to_json(self) -> dict[str, Any]:
        """The images as plain data."""
        images = [{"name": image.name, **image.to_json()} for image in self.images]
        return {"version": 1, "source": self.source, "images": images}


def inspect(source: Store) -> Inspection:
    """Read the trees of a source: documents are verified, of layers only the first bytes are read.

    Raises :class:`OciConvertError` for a source that cannot be read or holds a document that cannot
    be trusted; what is missing is a note. An archive that is compressed as a whole, or comes as a
    stream, is unpacked in the system's folder for temporary files.
    """
    with opened(source) as (reference, store, roots):
        tree = read_tree(store, roots)
    images = tuple(
        _inspected(image.node, image.root.descriptor, called(image.root.annotations))
        for image in tree.images
    )
    return Inspection(str(reference), images)


def _inspected(node: Node, entry: Descriptor, name: str | None = None) -> Inspected:
    families_of = families(entry.media_type)
    platform = None
    if node.kind in (Kind.MANIFEST, Kind.INDEX):
        platform = platform_of(node, entry)
    slots = node.document.slots if node.document is not None else ()
    children = tuple(
        _inspected(child, slot.descriptor)
        for slot, child in zip(slots, node.children, strict=True)
        if slot.role is not Role.SUBJECT
    )
    return Inspected(
        node.kind,
        node.where,
        entry if node.upgraded_from is None else node.old,
        "+".join(sorted(families_of)) or None,
        None if platform is None else str(platform),
        name,
        tuple(_notes(node, entry)),
        children,
    )


def _notes(node: Node, entry: Descriptor) -> Iterator[str]:
    """What is odd about a blob, or worth knowing."""
    if node.is_foreign:
        yield "foreign"
    if not node.present:
        yield "absent"
    if is_attestation(entry):
        yield "attestation"
    meaning = look_up(entry.media_type)
    if node.kind is Kind.LAYER and meaning is not None and node.actual is not None:
        if meaning.cell.encrypted:
            yield "encrypted"
        elif node.actual is not meaning.cell.compression:
            packed = "a plain tar" if node.actual is Compression.NONE else node.actual.value
            yield f"mislabelled: the bytes are {packed}"
    if node.upgraded_from is not None:
        yield f"schema 1, becomes {node.descriptor.name.short()}"
    if node.document is not None:
        subject = next((s for s in node.document.slots if s.role is Role.SUBJECT), None)
        if subject is not None:
            yield f"refers to {subject.descriptor.name.short()}"
