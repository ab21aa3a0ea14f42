"""The nodes of a tree: what a blob is, and what was read of it. Frozen, and read once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from threading import Lock
from typing import NamedTuple, Self

from oci_convert.documents.document import Document, Role, Slot, read_config
from oci_convert.errors import OciConvertError
from oci_convert.findings import Finding
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression, Kind, look_up
from oci_convert.spec.models import Descriptor, ImageConfig, Platform
from oci_convert.stores.base import Root
from oci_convert.text.brief import Brief
from oci_convert.transform.document_edits import is_image
from oci_convert.tree.signed import Signed

__all__ = [
    "BlobNode",
    "ConfigNode",
    "Content",
    "DocumentNode",
    "Image",
    "MissingNode",
    "Node",
    "OpaqueNode",
    "Original",
    "Tree",
    "UnreadNode",
    "UnreadableNode",
    "platform_of",
    "platform_or_none",
]


class Original(NamedTuple):
    """A manifest of schema 1, without its signatures, that was upgraded while it was read."""

    descriptor: Descriptor
    raw: bytes


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Node(Brief):
    """A blob of the tree, at the first of its places. Each is of one of the classes below."""

    kind: Kind
    role: Role | None
    """What it is for its parent; ``None`` for the root of an image."""
    descriptor: Descriptor
    where: str
    faults: tuple[OciConvertError, ...] = ()
    """What was wrong, each with its place, where the reader was told to go on."""
    remarks: tuple[Finding, ...] = ()
    """What is worth telling, whatever becomes of it."""

    @property
    def named(self) -> Iterator[tuple[Slot, Node]]:
        """Each descriptor in it, with the node that this names."""
        return iter(())

    @property
    def old(self) -> Descriptor:
        """What a report calls it: what the source has, not what it was upgraded to."""
        return self.descriptor

    @property
    def present(self) -> bool:
        """Whether the source has it."""
        return True

    @property
    def absent(self) -> Node | None:
        """The first blob at or below this node that should be there and is not.

        A non-distributable layer need not be there, nor what a subject names.
        """
        return None

    @property
    def is_foreign(self) -> bool:
        """Whether this is a layer that may be absent, as it is fetched from elsewhere."""
        meaning = look_up(self.descriptor.media_type)
        return meaning is not None and not meaning.cell.distributable

    @property
    def stored(self) -> bytes | None:
        """The bytes in the source, where they are in memory: those of documents and configs."""
        return None

    @property
    def document_or_none(self) -> Document | None:
        """The document that was read here, if one was."""
        return None

    @property
    def image_config(self) -> tuple[ImageConfig, list[str]] | None:
        """Of an image's manifest: the view of its config, and what is odd about it."""
        return None

    @property
    def compression(self) -> Compression | None:
        """How a layer is really compressed, by its first bytes; ``None`` if nobody can tell."""
        return None

    @property
    def mislabelled(self) -> Compression | None:
        """How a layer is really compressed, where its media type says something else."""
        return None

    def named_by(self, descriptor: Descriptor, role: Role | None) -> Self:
        """The same blob where another descriptor names it; what was read of it stays read."""
        made = object.__new__(type(self))
        vars(made).update(vars(self), descriptor=descriptor, role=role)
        return made

    def layers(self) -> Iterator[Node]:
        """Of a manifest: its layers, in order."""
        return iter(())

    def nodes(self, seen: set[int] | None = None) -> Iterator[Node]:
        """The node and everything below it, each once, parents first."""
        seen = set() if seen is None else seen
        left: list[Node] = [self]
        while left:
            node = left.pop()
            if id(node) not in seen:
                seen.add(id(node))
                yield node
                left += reversed([child for _, child in node.named])


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class MissingNode(Node):
    """A blob that the source does not have."""

    @property
    def present(self) -> bool:
        return False

    @property
    def absent(self) -> Node | None:
        return None if self.is_foreign else self


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class UnreadNode(Node):
    """A blob that was not looked for: what a subject names, or an entry that nobody asked for."""

    @property
    def present(self) -> bool:
        return self.role is not Role.SUBJECT


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class UnreadableNode(Node):
    """A blob that is there and is at fault: only a reader that goes on leaves one behind."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class BlobNode(Node):
    """A layer, or a blob that is carried and never interpreted."""

    actual: Compression | None = None

    @property
    def compression(self) -> Compression | None:
        return self.actual

    @property
    def mislabelled(self) -> Compression | None:
        # Of an encrypted layer nobody here can tell.
        meaning = look_up(self.descriptor.media_type)
        if self.kind is not Kind.LAYER or meaning is None or meaning.cell.encrypted:
            return None
        return None if self.actual is meaning.cell.compression else self.actual


class Content:
    """The bytes of a blob, read when they are first asked for. Several threads may ask."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._lock = Lock()
        self.known: bytes | None = None
        """The bytes, if they were read."""

    def get(self) -> bytes:
        """The bytes; raises :class:`OciConvertError` if they cannot be read or trusted."""
        with self._lock:
            if self.known is None:
                self.known = self._read()
            return self.known

    def __reduce__(self) -> tuple[Callable[[bytes], Content], tuple[bytes]]:
        return _content_of, (self.get(),)


def _content_of(raw: bytes) -> Content:
    content = Content(lambda: raw)
    content.known = raw
    return content


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class OpaqueNode(BlobNode):
    """A blob that is no document of a known kind, and describes others by digest and size."""

    slots: tuple[Slot, ...]
    """What it describes and the source has."""
    children: tuple[Node, ...]
    """Parallel to :attr:`slots`."""

    @property
    def named(self) -> Iterator[tuple[Slot, Node]]:
        return zip(self.slots, self.children, strict=True)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ConfigNode(Node):
    """The config of an image. Where reading costs a request, it is read when it is needed."""

    content: Content

    @property
    def raw(self) -> bytes:
        """The bytes, read now if they were not."""
        return self.content.get()

    @property
    def stored(self) -> bytes | None:
        return self.content.known

    @cached_property
    def view(self) -> tuple[ImageConfig, list[str]]:
        """The config, and what is odd about it; raises :class:`DocumentError`."""
        return read_config(self.raw, self.where)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class DocumentNode(Node):
    """A manifest or an index, and what it names."""

    document: Document
    children: tuple[Node, ...]
    """Parallel to the slots of :attr:`document`."""
    upgraded_from: Original | None = None
    """What the source has in the place of :attr:`document`."""
    signed: Signed | None = None
    """What a signature is for: by its subject, and that of an entry also by its payload."""

    @property
    def old(self) -> Descriptor:
        return self.descriptor if self.upgraded_from is None else self.upgraded_from.descriptor

    @property
    def stored(self) -> bytes:
        # Of schema 1 not those of its upgrade.
        return self.document.raw if self.upgraded_from is None else self.upgraded_from.raw

    @cached_property
    def absent(self) -> Node | None:
        return next((found for child in self.children if (found := child.absent)), None)

    @property
    def named(self) -> Iterator[tuple[Slot, Node]]:
        return zip(self.document.slots, self.children, strict=True)

    @property
    def config(self) -> ConfigNode | None:
        """The config of an image, where there is one to read."""
        found = self.children[0] if self.children and is_image(self.document) else None
        return found if isinstance(found, ConfigNode) else None

    @property
    def document_or_none(self) -> Document | None:
        return self.document

    @property
    def artifact_type(self) -> str | None:
        """What it is about, unless it is an image (image-spec, *artifact usage*)."""
        stated = self.document.model.artifact_type
        if stated is None and self.kind is Kind.MANIFEST and not is_image(self.document):
            return self.children[0].descriptor.media_type
        return stated

    @property
    def image_config(self) -> tuple[ImageConfig, list[str]] | None:
        return None if self.config is None else self.config.view

    @cached_property
    def diff_ids(self) -> tuple[Digest, ...]:
        """What the layers decompress to; empty unless the config says it for each of them.

        Raises :class:`DocumentError` for a config that cannot be trusted.
        """
        found = self.image_config
        rootfs = None if found is None else found[0].rootfs
        diff_ids = () if rootfs is None else tuple(map(Digest, rootfs.diff_ids))
        return diff_ids if len(diff_ids) == sum(1 for _ in self.layers()) else ()

    @property
    def borrows_form(self) -> bool:
        """Whether it has the form of an image, and layers that are none: an attestation, or a
        signature.
        """
        kinds = {layer.kind for layer in self.layers()}
        return bool(kinds) and Kind.LAYER not in kinds

    def layers(self) -> Iterator[Node]:
        return (child for child in self.children if child.role is Role.LAYER)

    def contents(self) -> Iterator[tuple[Slot, Node, Digest | None]]:
        """The layers with their descriptors, and what each decompresses to, if :attr:`diff_ids`
        says it.
        """
        layers = ((slot, child) for slot, child in self.named if slot.role is Role.LAYER)
        for (slot, child), diff_id in zip(layers, self.diff_ids or repeat(None), strict=False):
            yield slot, child, diff_id


class Image(NamedTuple):
    """An image of the source: what the store says of it, and its tree."""

    root: Root
    node: Node


@dataclass(frozen=True, slots=True, repr=False)
class Tree(Brief):
    """Some images of one source; what they share, they share."""

    images: tuple[Image, ...]
    daemon_layers: bool = False
    sparse: bool = False
    faults: tuple[OciConvertError, ...] = ()
    """What is wrong with the list of images itself, as :attr:`Node.faults`."""
    remarks: tuple[Finding, ...] = ()
    """What is worth telling of it."""

    def nodes(self) -> Iterator[Node]:
        """Every node once, parents first, in the order of the images."""
        seen: set[int] = set()
        for image in self.images:
            yield from image.node.nodes(seen)

    def documents(self) -> Iterator[DocumentNode]:
        """Every manifest and index that could be read, once, parents first."""
        return (node for node in self.nodes() if isinstance(node, DocumentNode))


def platform_of(node: Node, entry: Descriptor | None = None) -> Platform | None:
    """The platform of an image: its entry's, else its config's, never the machine's.

    Raises :class:`DocumentError` for a config that cannot be trusted.
    """
    if entry is not None and entry.platform is not None:
        return entry.platform
    config = node.image_config if isinstance(node, DocumentNode) else None
    return None if config is None else config[0].platform


def platform_or_none(node: Node, entry: Descriptor | None = None) -> Platform | None:
    """The same; ``None``, too, for a config that cannot be trusted."""
    try:
        return platform_of(node, entry)
    except OciConvertError:
        return None
