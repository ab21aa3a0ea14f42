"""The tree of images in a source: every document read once, strictly, and verified.

Of a layer only its size and its first bytes are looked at. What is missing is noted, not judged:
whether it matters is for the plan to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from oci_convert.documents.document import Document, Role, Slot, read_config, read_document
from oci_convert.errors import BlobError, DocumentError, OciConvertError, StoreError
from oci_convert.layers.compression import sniff
from oci_convert.limits import limits, raised_by
from oci_convert.spec.digest import Digest, new_hash
from oci_convert.spec.media_types import SCHEMA1, SCHEMA1_SIGNED, Compression, Kind, look_up
from oci_convert.spec.models import Descriptor, ImageConfig, Platform
from oci_convert.stores.base import Root, Source
from oci_convert.transform.document_edits import embedded, is_image

if TYPE_CHECKING:
    from oci_convert.transform.image_v1 import MeasuredLayer

__all__ = [
    "Image",
    "Node",
    "Original",
    "Tree",
    "platform_of",
    "read_node",
    "read_tree",
    "unreadable",
]


@dataclass(frozen=True, slots=True)
class Original:
    """A manifest of schema 1, without its signatures, that was upgraded while it was read."""

    descriptor: Descriptor
    raw: bytes


@dataclass(eq=False)
class Node:
    """A blob of the tree, at the first of its places."""

    kind: Kind
    role: Role | None
    """What it is for its parent; ``None`` for the top of an image."""
    descriptor: Descriptor
    where: str
    present: bool = True
    document: Document | None = None
    children: tuple[Node, ...] = ()
    """Parallel to the slots of :attr:`document`."""
    raw: bytes | None = None
    """The bytes of an image config."""
    actual: Compression | None = None
    """How a layer is really packed, by its first bytes."""
    read: bool = True
    """``False`` for an entry that nobody asked for."""
    upgraded_from: Original | None = None
    """What the source holds in the place of :attr:`document`."""
    faults: list[OciConvertError] = field(default_factory=list)
    """What was wrong, each with its place, where the reader was told to go on."""

    @cached_property
    def absent(self) -> Node | None:
        """The first blob at or below this node that should be there and is not.

        A non-distributable layer need not be there, nor what a subject names.
        """
        if not self.present:
            return None if self.role is Role.SUBJECT or self.is_foreign else self
        return next((found for child in self.children if (found := child.absent)), None)

    @property
    def is_foreign(self) -> bool:
        """Whether this is a layer that may be absent, as it is fetched from elsewhere."""
        meaning = look_up(self.descriptor.media_type)
        return meaning is not None and not meaning.cell.distributable

    @property
    def mislabelled(self) -> Compression | None:
        """How a layer is really packed, where its media type says something else.

        Of an encrypted one nobody here can tell.
        """
        meaning = look_up(self.descriptor.media_type)
        if self.kind is not Kind.LAYER or meaning is None or meaning.cell.encrypted:
            return None
        return None if self.actual is meaning.cell.compression else self.actual

    @property
    def old(self) -> Descriptor:
        """What a report calls it: what the source has, not what it was upgraded to."""
        return self.descriptor if self.upgraded_from is None else self.upgraded_from.descriptor

    @property
    def bytes_or_none(self) -> bytes | None:
        """The bytes, where they are in memory: documents and configs."""
        return self.document.raw if self.document is not None else self.raw

    @cached_property
    def image_config(self) -> tuple[ImageConfig, list[str]] | None:
        """Of an image's manifest: the view of its config, and what is odd about it."""
        if self.document is None or not is_image(self.document):
            return None
        config = self.children[0]
        if config.raw is None:
            return None
        return read_config(config.raw, config.where)

    def layers(self) -> Iterator[Node]:
        """Of a manifest: its layers, in order."""
        return (child for child in self.children if child.role is Role.LAYER)

    def walk(self, seen: set[int] | None = None) -> Iterator[Node]:
        """The node and everything below it, each once, parents first."""
        seen = set() if seen is None else seen
        if id(self) not in seen:
            seen.add(id(self))
            yield self
            for child in self.children:
                yield from child.walk(seen)


@dataclass(frozen=True, slots=True)
class Image:
    """An image of the source and the top of its tree."""

    root: Root
    node: Node


@dataclass(frozen=True, slots=True)
class Tree:
    """Some images of one source; what they share, they share."""

    images: tuple[Image, ...]
    daemon_layers: bool = False
    sparse: bool = False

    def walk(self) -> Iterator[Node]:
        """Every node once, parents first, in the order of the images."""
        seen: set[int] = set()
        for image in self.images:
            yield from image.node.walk(seen)


def read_tree(
    source: Source,
    roots: Sequence[Root],
    *,
    first: int = 0,
    asked: Callable[[Descriptor], bool] = lambda _: True,
    known: Mapping[Digest, bytes] | None = None,
    tolerant: bool = False,
) -> Tree:
    """Read the trees of ``roots``, which are called ``images[first]`` and so on.

    ``asked`` says of an entry of an index whether anybody wants it; an entry that nobody wants is
    not read. ``known`` are verified documents that need not be read again. Raises
    :class:`DocumentError` and :class:`BlobError` with the place at fault; if
    ``tolerant``, notes them in :attr:`Node.faults` and goes on with the siblings: a document at
    fault has no children.
    """
    reader = _Reader(source, asked, tolerant, made=dict(known or {}))
    images = tuple(
        Image(root, reader.node(root.descriptor, None, f"images[{i}]", 0))
        for i, root in enumerate(roots, first)
    )
    return Tree(images, source.daemon_layers, source.sparse)


def read_node(source: Source, known: Mapping[Digest, bytes], root: Root, where: str) -> Node:
    """Read the tree of one root, called ``where``, as :func:`read_tree` does."""
    reader = _Reader(source, lambda _: True, tolerant=False, made=dict(known))
    return reader.node(root.descriptor, None, where, 0)


@dataclass
class _Reader:
    source: Source
    asked: Callable[[Descriptor], bool]
    tolerant: bool
    memo: dict[tuple[Kind, Role | None, str, str, int], Node] = field(default_factory=dict)
    made: dict[Digest, bytes] = field(default_factory=dict)
    """Documents that need not be read: those of upgraded images, which the source does not have,
    and those that were read and verified before."""
    measured: dict[Digest, MeasuredLayer] = field(default_factory=dict)
    count: int = 0
    """Descriptors that were met."""

    def node(
        self,
        descriptor: Descriptor,
        role: Role | None,
        where: str,
        depth: int,
        kind: Kind | None = None,
    ) -> Node:
        self.count += 1
        if self.count > limits().nodes:
            raise DocumentError(
                f"there are more than the {limits().nodes} descriptors that are the limit",
                code="too-many-nodes",
                where=where,
                remedy=raised_by("nodes"),
            )
        kind = kind or _kind(descriptor, role)
        key = (kind, role, descriptor.media_type, descriptor.digest, descriptor.size)
        node = self.memo.get(key) or Node(kind, role, descriptor, where)
        with self._noting(node, where):
            embedded(descriptor, where)
        if key not in self.memo:
            with self._noting(node, where):
                self._read(node, depth)
            self.memo[key] = node
        return node

    @contextmanager
    def _noting(self, node: Node, where: str) -> Iterator[None]:
        """Where faults are tolerated, note what is raised inside, and go on."""
        try:
            yield
        except OciConvertError as error:
            if not self.tolerant:
                nowhere = error.where in ("", self.source.label)
                placed = _moved(error, where) if nowhere else error
                raise placed.within(self.source.label) from None
            node.faults.append(error if error.where.startswith(where) else _moved(error, where))
        except OSError as error:
            if not self.tolerant:
                raise
            node.faults.append(unreadable(error, where))

    def _read(self, node: Node, depth: int) -> None:
        if node.role is Role.SUBJECT:
            node.present = node.read = False
            return
        node.present = self._is_present(node.descriptor, node.where)
        if not node.present:
            return
        new_hash(node.descriptor.name.algorithm)  # what nobody can check is not carried
        if node.kind in (Kind.INDEX, Kind.MANIFEST):
            self._read_document(node, depth)
        elif node.kind is Kind.CONFIG:
            node.raw = self._bytes(node.descriptor, node.where)
        elif node.kind is Kind.LAYER:
            node.actual = sniff(self.source.head(node.descriptor))

    def _is_present(self, descriptor: Descriptor, where: str) -> bool:
        made = self.made.get(descriptor.name)
        size = self.source.size(descriptor.name) if made is None else len(made)
        if size is not None and size != descriptor.size:
            raise BlobError(
                f"the blob {descriptor.name.short()} has {size} bytes, not the {descriptor.size} "
                "of its descriptor",
                code="blob-truncated" if size < descriptor.size else "wrong-size",
                where=where,
                remedy="fetch the image again",
            )
        return size is not None

    def _bytes(self, descriptor: Descriptor, where: str) -> bytes:
        self._refuse_large(descriptor, where)
        made = self.made.get(descriptor.name)
        return b"".join(self.source.read(descriptor, where)) if made is None else made

    def _refuse_large(self, descriptor: Descriptor, where: str) -> None:
        if descriptor.size > limits().document_size:
            raise DocumentError(
                f"the document has {descriptor.size} bytes, and {limits().document_size} are the "
                "limit",
                code="document-too-large",
                where=where,
                remedy=raised_by("document_size"),
            )

    def _read_document(self, node: Node, depth: int) -> None:
        if depth > limits().tree_depth:
            raise DocumentError(
                f"indexes are nested deeper than {limits().tree_depth} levels",
                code="tree-too-deep",
                where=node.where,
                remedy=raised_by("tree_depth"),
            )
        if node.descriptor.media_type in (SCHEMA1, SCHEMA1_SIGNED):
            self._upgrade(node)
        raw = self._bytes(node.descriptor, node.where)
        node.document = read_document(raw, node.descriptor.media_type, node.where)
        node.children = tuple(self._child(node, slot, depth + 1) for slot in node.document.slots)

    def _upgrade(self, node: Node) -> None:
        """Put the Docker manifest that a manifest of schema 1 becomes in its place."""
        from oci_convert.stores.upgrade import upgraded  # hardly any image wants it

        self._refuse_large(node.descriptor, node.where)
        found, upgrade = upgraded(self.source, node.descriptor, node.where, self.measured)
        original = Descriptor(
            mediaType=found.media_type,
            digest=Digest.of(found.payload, node.descriptor.name.algorithm),
            size=len(found.payload),
        )
        node.upgraded_from = Original(original, found.payload)
        node.descriptor = upgrade.descriptor
        self.made.update(upgrade.blobs)

    def _child(self, parent: Node, slot: Slot, depth: int) -> Node:
        where = f"{parent.where}.{slot.label}"
        if slot.role is Role.ENTRY and not self.asked(slot.descriptor):
            entry = _kind(slot.descriptor, slot.role)
            return Node(entry, slot.role, slot.descriptor, where, read=False)
        kind = None
        document = parent.document
        if slot.role is Role.CONFIG and document is not None and not is_image(document):
            kind = Kind.ARTIFACT  # the config of something that is no image: never parsed
        return self.node(slot.descriptor, slot.role, where, depth, kind)


def _kind(descriptor: Descriptor, role: Role | None) -> Kind:
    """What a blob is: its role says what it can be, its media type whether it is."""
    if role is Role.CONFIG:
        return Kind.CONFIG
    meaning = look_up(descriptor.media_type)
    kind = Kind.ARTIFACT if meaning is None else meaning.cell.kind
    allowed = (Kind.LAYER,) if role is Role.LAYER else (Kind.INDEX, Kind.MANIFEST)
    return kind if kind in allowed else Kind.ARTIFACT


def _moved(error: OciConvertError, where: str) -> OciConvertError:
    return type(error)(error.message, code=error.code, where=where, remedy=error.remedy)


def unreadable(error: OSError, where: str) -> StoreError:
    """The error for a blob that the system does not let us read."""
    return StoreError(
        f"the blob cannot be read: {error.strerror or error}",
        code="unreadable",
        where=where,
        remedy="check the disk and the permissions of the file",
    )


def platform_of(node: Node, entry: Descriptor | None = None) -> Platform | None:
    """The platform of an image: its entry's, else its config's, never the machine's."""
    if entry is not None and entry.platform is not None:
        return entry.platform
    config = node.image_config
    return None if config is None else config[0].platform
