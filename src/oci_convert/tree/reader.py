"""Reading the tree of images in a source: every document once, strictly, and verified.

Of a layer only its size and its first bytes are looked at. What is missing is noted, not judged:
whether it matters is for the plan to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypedDict

from oci_convert.documents.document import Document, Role, Slot, read_document
from oci_convert.documents.identity import misspelled
from oci_convert.errors import BlobError, DocumentError, OciConvertError, StoreError
from oci_convert.findings import Finding
from oci_convert.layers.compression import sniff
from oci_convert.limits import limits, raised_by
from oci_convert.spec.digest import Digest, new_hash
from oci_convert.spec.media_types import (
    EMPTY_CONFIG,
    SCHEMA1,
    SCHEMA1_SIGNED,
    SPELLINGS,
    Compression,
    Kind,
    document_type,
    look_up,
)
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Root, Source
from oci_convert.transform.document_edits import embedded, is_image
from oci_convert.tree.look import look_at, refuse_large
from oci_convert.tree.nodes import (
    BlobNode,
    ConfigNode,
    Content,
    DocumentNode,
    Image,
    MissingNode,
    Node,
    OpaqueNode,
    Original,
    Tree,
    UnreadableNode,
    UnreadNode,
)

if TYPE_CHECKING:
    from oci_convert.transform.image_v1 import MeasuredLayer

__all__ = ["read_node", "read_tree", "unreadable"]


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
        Image(root, reader.root(root, f"images[{i}]")) for i, root in enumerate(roots, first)
    )
    return Tree(images, source.daemon_layers, source.sparse)


def read_node(
    source: Source,
    known: Mapping[Digest, bytes],
    root: Root,
    where: str,
    *,
    tolerant: bool = False,
) -> Node:
    """Read the tree of one root, called ``where``, as :func:`read_tree` does."""
    reader = _Reader(source, lambda _: True, tolerant, made=dict(known))
    return reader.root(root, where)


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

    def root(self, root: Root, where: str) -> Node:
        """The node of an image of the store, under what the store remarks on it."""
        node = self.node(root.descriptor, None, where, 0)
        remarks = [replace(remark, where=f"{where}.{remark.where}") for remark in root.remarks]
        return replace(node, remarks=(*node.remarks, *remarks)) if remarks else node

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
                f"there are more descriptors than the limit of {limits().nodes}",
                code="too-many-nodes",
                where=where,
                remedy=raised_by("nodes"),
            )
        kind = kind or _kind(descriptor, role)
        key = (kind, role, descriptor.media_type, descriptor.digest, descriptor.size)
        blob = _Blob(kind, role, descriptor, where)
        try:
            embedded(descriptor, where)
            fault = None
        except OciConvertError as error:
            fault = self._fault(error, where)
        node = self.memo.get(key)
        if node is None:
            node = self.memo[key] = self._tolerated(blob, depth)
        return node if fault is None else replace(node, faults=(fault, *node.faults))

    def _tolerated(self, blob: _Blob, depth: int) -> Node:
        """The node of a blob; where faults are tolerated, one that says what is wrong."""
        try:
            return self._read(blob, depth)
        except OciConvertError as error:
            fault = self._fault(error, blob.where)
        except OSError as error:
            if not self.tolerant:
                raise
            fault = unreadable(error, blob.where)
        return UnreadableNode(**blob.fields, faults=(fault,))

    def _fault(self, error: OciConvertError, where: str) -> OciConvertError:
        """What is noted of a fault, with its place; raises it where none is tolerated."""
        if self.tolerant:
            return error if error.where.startswith(where) else _moved(error, where)
        nowhere = error.where in ("", self.source.label)
        raise (_moved(error, where) if nowhere else error).within(self.source.label) from None

    def _read(self, blob: _Blob, depth: int) -> Node:
        if blob.role is Role.SUBJECT:
            return UnreadNode(**blob.fields)
        if blob.descriptor.media_type == EMPTY_CONFIG:
            blob = blob.remarked(_misused(blob.descriptor))
        if blob.kind in (Kind.CONFIG, Kind.LAYER):
            blob = blob.remarked(misspelled(blob.descriptor.media_type))
        if not self._is_present(blob.descriptor, blob.where):
            return MissingNode(**blob.fields)
        new_hash(blob.descriptor.name.algorithm)  # what nobody can check is not carried
        if blob.kind in (Kind.INDEX, Kind.MANIFEST):
            return self._read_document(blob, depth, document_type(blob.descriptor.media_type))
        if blob.kind is Kind.CONFIG:
            return self._config(blob)
        if blob.kind is Kind.LAYER:
            return BlobNode(**blob.fields, actual=self._compression(blob.descriptor))
        return self._look_inside(blob, depth)

    def _config(self, blob: _Blob) -> ConfigNode:
        content = Content(lambda: self._bytes(blob.descriptor, blob.where))
        if not self.source.remote:
            content.get()
        return ConfigNode(**blob.fields, content=content)

    def _compression(self, layer: Descriptor) -> Compression | None:
        """How a layer is compressed: by its first bytes, where these are at hand."""
        if not self.source.remote:
            return sniff(self.source.head(layer))
        meaning = look_up(layer.media_type)
        return None if meaning is None else meaning.cell.compression

    def _is_present(self, descriptor: Descriptor, where: str) -> bool:
        if self.source.remote:
            return True
        made = self.made.get(descriptor.name)
        size = self.source.size(descriptor.name) if made is None else len(made)
        if size is not None and size != descriptor.size:
            raise BlobError(
                f"the blob {descriptor.name.short()} has {size} bytes, but its descriptor says "
                f"{descriptor.size}",
                code="blob-truncated" if size < descriptor.size else "wrong-size",
                where=where,
                remedy="fetch the image again",
            )
        return size is not None

    def _bytes(self, descriptor: Descriptor, where: str) -> bytes:
        refuse_large(descriptor, where)
        made = self.made.get(descriptor.name)
        return b"".join(self.source.read(descriptor, where)) if made is None else made

    def _look_inside(self, blob: _Blob, depth: int) -> Node:
        """What a blob is that no media type vouches for: perhaps it is a document all the same."""
        listed = blob.role in (None, Role.ENTRY)
        found = look_at(self.source, blob.descriptor, blob.where, listed=listed)
        blob = blob.remarked(found.remark)
        if found.media_type is not None:
            blob = replace(blob, kind=SPELLINGS[found.media_type].cell.kind)
            return self._read_document(blob, depth, found.media_type)
        if not found.named:
            return BlobNode(**blob.fields)
        self._refuse_deep(blob, depth)
        children = tuple(
            self.node(
                slot.descriptor, slot.role, f"{blob.where}.{slot.label}", depth + 1, Kind.ARTIFACT
            )
            for slot in found.named
        )
        return OpaqueNode(**blob.fields, slots=found.named, children=children)

    def _refuse_deep(self, blob: _Blob, depth: int) -> None:
        if depth > limits().tree_depth:
            raise DocumentError(
                f"indexes are nested deeper than {limits().tree_depth} levels",
                code="tree-too-deep",
                where=blob.where,
                remedy=raised_by("tree_depth"),
            )

    def _read_document(self, blob: _Blob, depth: int, media_type: str | None) -> Node:
        self._refuse_deep(blob, depth)
        original = None
        if media_type in (SCHEMA1, SCHEMA1_SIGNED):
            blob = blob.remarked(misspelled(blob.descriptor.media_type))
            original, blob = self._upgraded(blob)
        try:
            raw = self._bytes(blob.descriptor, blob.where)
        except BlobError as error:
            if self.source.remote and error.code == "blob-missing":
                return MissingNode(**blob.fields)
            raise
        document = read_document(raw, blob.descriptor.media_type, blob.where)
        blob = blob.remarked(document.fault)
        self.source.prefetch([slot.descriptor for slot in document.slots if self._is_next(slot)])
        children = tuple(
            self._child(document, slot, f"{blob.where}.{slot.label}", depth + 1)
            for slot in document.slots
        )
        return DocumentNode(
            **blob.fields, document=document, children=children, upgraded_from=original
        )

    def _is_next(self, slot: Slot) -> bool:
        """Whether what a descriptor names is a document that will be read."""
        if slot.role is not Role.ENTRY or not self.asked(slot.descriptor):
            return False
        return _kind(slot.descriptor, slot.role) in (Kind.INDEX, Kind.MANIFEST)

    def _upgraded(self, blob: _Blob) -> tuple[Original, _Blob]:
        """A manifest of schema 1, and the Docker manifest that takes its place."""
        from oci_convert.stores.upgrade import upgraded  # hardly any image wants it

        refuse_large(blob.descriptor, blob.where)
        found, upgrade = upgraded(self.source, blob.descriptor, blob.where, self.measured)
        original = Descriptor(
            media_type=found.media_type,
            digest=Digest.of(found.payload, blob.descriptor.name.algorithm),
            size=len(found.payload),
        )
        self.made.update(upgrade.blobs)
        return Original(original, found.payload), replace(blob, descriptor=upgrade.descriptor)

    def _child(self, document: Document, slot: Slot, where: str, depth: int) -> Node:
        if slot.role is Role.ENTRY and not self.asked(slot.descriptor):
            kind = _kind(slot.descriptor, slot.role)
            return UnreadNode(kind=kind, role=slot.role, descriptor=slot.descriptor, where=where)
        kind = _kind(slot.descriptor, slot.role)
        if slot.role is Role.CONFIG and not is_image(document):
            kind = Kind.ARTIFACT  # the config of something that is no image: never parsed
        return self.node(slot.descriptor, slot.role, where, depth, kind)


@dataclass(frozen=True, slots=True)
class _Blob:
    """What every node says of its blob."""

    kind: Kind
    role: Role | None
    descriptor: Descriptor
    where: str
    remarks: tuple[Finding, ...] = ()

    def remarked(self, fault: tuple[str, str] | None) -> _Blob:
        """The same with one more remark, if there is one: the code of a finding, its message."""
        if fault is None:
            return self
        code, message = fault
        remarks = dict.fromkeys((*self.remarks, Finding.of(code, self.where, message)))
        return replace(self, remarks=tuple(remarks))

    @property
    def fields(self) -> _Fields:
        return {
            "kind": self.kind,
            "role": self.role,
            "descriptor": self.descriptor,
            "where": self.where,
            "remarks": self.remarks,
        }


class _Fields(TypedDict):
    kind: Kind
    role: Role | None
    descriptor: Descriptor
    where: str
    remarks: tuple[Finding, ...]


def _kind(descriptor: Descriptor, role: Role | None) -> Kind:
    """What a blob is: its role says what it can be, its media type whether it is."""
    if role is Role.CONFIG:
        return Kind.CONFIG
    meaning = look_up(descriptor.media_type)
    kind = Kind.ARTIFACT if meaning is None else meaning.cell.kind
    allowed = (Kind.LAYER,) if role is Role.LAYER else (Kind.INDEX, Kind.MANIFEST)
    return kind if kind in allowed else Kind.ARTIFACT


def _misused(descriptor: Descriptor) -> tuple[str, str] | None:
    """The remark on a blob that is called empty, if it is anything but ``{}``."""
    try:
        is_empty = descriptor.digest == Digest.of(b"{}", descriptor.name.algorithm)
    except BlobError:  # an algorithm that nobody here can compute
        return None
    if is_empty and descriptor.size == 2:
        return None
    message = f"{descriptor.digest} ({descriptor.size} bytes) is not {{}}, the empty blob"
    return "misused-empty-type", message


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
