"""Reading the tree of images in a source: every document once, strictly, and verified.

Of a layer only its size and its first bytes are looked at. What is missing is noted, not judged:
whether it matters is for the plan to say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Final, TypedDict

from oci_convert.documents.document import Document, Role, Slot, read_document
from oci_convert.documents.identity import misspelled
from oci_convert.errors import (
    BlobError,
    DocumentError,
    OciConvertError,
    StoreError,
    concerning,
    name_blob,
)
from oci_convert.findings import Finding
from oci_convert.layers.compression import sniff
from oci_convert.limits import limits, raised_by
from oci_convert.spec.digest import Digest, check_algorithm
from oci_convert.spec.flawed import Flawed
from oci_convert.spec.media_types import (
    EMPTY_CONFIG,
    SCHEMA1,
    SCHEMA1_SIGNED,
    SPELLINGS,
    Compression,
    Kind,
    document_type,
    look_up,
    meant,
)
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Root, Source
from oci_convert.text.wording import Wording
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
from oci_convert.tree.signed import Signed, is_signed, signed_digest, subject_of

if TYPE_CHECKING:
    from oci_convert.transform.image_v1 import MeasuredLayer

__all__ = ["Faults", "read_node", "read_tree", "unreadable"]

_SIZE: Final = "size-corrected", Wording("if the digest is right, {repair=True} corrects the size")
_REPAIRED: Final = {
    "contradictory-media-type": (
        "media-type-corrected",
        Wording("{repair=True} corrects the media type"),
    ),
    "wrong-size": _SIZE,
    "blob-truncated": _SIZE,
}
"""Faults that can be put right: the findings that say so, and how to ask for it."""


_USUAL: Final[dict[Role | None, Kind]] = {
    None: Kind.MANIFEST,
    Role.ENTRY: Kind.MANIFEST,
    Role.CONFIG: Kind.CONFIG,
    Role.LAYER: Kind.LAYER,
}
"""What stands at a place, where nobody says what it is."""


class Faults(Enum):
    """What a reader does where something is wrong."""

    REFUSE = auto()
    """Raises."""
    NOTE = auto()
    """Goes on: behind the fault where that can be read, else with what stands beside it."""
    REPAIR = auto()
    """Puts right what the bytes prove, and raises for anything else."""


def read_tree(
    source: Source,
    roots: Sequence[Root],
    *,
    first: int = 0,
    asked: Callable[[Descriptor], bool] = lambda _: True,
    known: Mapping[Digest, bytes] | None = None,
    faults: Faults = Faults.REFUSE,
    beside: Sequence[Root] = (),
) -> Tree:
    """Read the trees of ``roots``, which are called ``images[first]`` and so on.

    ``asked`` says of an entry of an index whether anybody wants it; an entry that nobody wants is
    not read. ``known`` are verified documents that need not be read again. Raises
    :class:`DocumentError` and :class:`BlobError` with the place at fault, unless ``faults`` are
    noted: in :attr:`Node.faults`. What is repaired is in :attr:`Node.remarks`. ``beside`` are roots
    that are read elsewhere, and whose faults are noted there.
    """
    reader = _Reader(source, asked, faults, made=dict(known or {}))
    store = reader.store([*roots, *beside])
    reader.take_embedded([root.entry for root in roots])
    images = tuple(
        Image(root, reader.root(root, f"images[{i}]")) for i, root in enumerate(roots, first)
    )
    told = tuple(store.faults), tuple(store.remarks)
    return Tree(images, source.daemon_layers, source.sparse, *told)


def read_node(
    source: Source,
    known: Mapping[Digest, bytes],
    root: Root,
    where: str,
    faults: Faults = Faults.REFUSE,
) -> Node:
    """Read the tree of one root, called ``where``, as :func:`read_tree` does."""
    reader = _Reader(source, lambda _: True, faults, made=dict(known))
    return reader.root(root, where)


def _bytes_of(
    source: Source, made: Mapping[Digest, bytes], descriptor: Descriptor, where: str
) -> bytes:
    refuse_large(descriptor, where)
    known = made.get(descriptor.name)
    return b"".join(source.read(descriptor, where)) if known is None else known


@dataclass(eq=False, repr=False)
class _Reader:
    source: Source
    asked: Callable[[Descriptor], bool]
    faults: Faults
    memo: dict[tuple[Kind, Role | None, str, str, int], Node] = field(default_factory=dict)
    made: dict[Digest, bytes] = field(default_factory=dict)
    """Documents that need not be read: those of upgraded images, which the source does not have,
    and those that were read and verified before."""
    measured: dict[Digest, MeasuredLayer] = field(default_factory=dict)
    count: int = 0
    """Descriptors that were met."""

    def store(self, roots: Sequence[Root]) -> _Told:
        """What is to be said of the list of images, besides what is noted of ``roots``."""
        told = _Told("", self)
        noting = self.faults is Faults.NOTE
        elsewhere = {id(fault) for root in roots for fault in root.faults} if noting else set()
        for error, correction in self.source.faults:
            if id(error) not in elsewhere:
                told.settle(error, correction)
        return told

    def take_embedded(self, descriptors: Sequence[Descriptor]) -> None:
        """Let the source have what it lacks, where a descriptor holds the blob whole.

        A wrong embedded blob is for :meth:`node` to tell.
        """
        for descriptor in descriptors:
            if not descriptor.data:
                continue
            if self.source.remote or self.source.size_of(descriptor.name) is None:
                with suppress(OciConvertError):
                    content = embedded(descriptor, "")
                    if content is not None:
                        self.source.embedded[descriptor.name] = content

    def root(self, root: Root, where: str) -> Node:
        """The node of an image of the store, under what the store remarks on it."""
        node = self.node(root.descriptor, None, where, 0)
        remarks = [
            replace(remark, where=f"{where}.{remark.where}".rstrip(".")) for remark in root.remarks
        ]
        faults = [self.noted(fault, where) for fault in root.faults]
        if not (remarks or faults):
            return node
        return replace(node, remarks=(*node.remarks, *remarks), faults=(*faults, *node.faults))

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
        if isinstance(descriptor, Flawed):
            return self._flawed(_Blob(where, self, kind, role, descriptor), descriptor, depth)
        key = (kind, role, descriptor.media_type, descriptor.digest, descriptor.size)
        node = self.memo.get(key)
        if node is None:
            node = self.memo[key] = self._read(_Blob(where, self, kind, role, descriptor), depth)
        return self._with_embedded(node, descriptor, where) if descriptor.data else node

    def _with_embedded(self, node: Node, descriptor: Descriptor, where: str) -> Node:
        """The same node, and what is wrong with the blob that a descriptor of it holds."""
        size = node.descriptor.size if node.descriptor.digest == descriptor.digest else None
        try:
            embedded(descriptor, where, size)
        except OciConvertError as error:
            fault = self.noted(error, where)
            return replace(node, faults=(fault, *node.faults))
        return node

    def _flawed(self, blob: _Blob, flawed: Flawed, depth: int) -> Node:
        """The node of what a flawed descriptor means, as far as that can be found out."""
        blob.faults += [self.noted(flaw, blob.where) for flaw in flawed.flaws]
        if not flawed.media_type:
            blob.kind = _USUAL.get(blob.role, blob.kind)
        if self.source.remote or not flawed.identified:
            return UnreadableNode(**blob.fields)
        here = self.source.size_of(flawed.name)
        size = flawed.size if here is None or "size" in flawed.model_fields_set else here
        blob.descriptor = Descriptor(media_type=flawed.media_type, digest=flawed.name, size=size)
        return self._read(blob, depth)

    def noted(self, error: OciConvertError, where: str) -> OciConvertError:
        """What is noted of a fault, with its place; raises it where none is noted."""
        if self.faults is Faults.NOTE:
            return error if error.where.startswith(where) else error.but(where=where)
        raise (error if error.where else error.but(where=where)).within(self.source.label) from None

    def _read(self, blob: _Blob, depth: int) -> Node:
        """The node of a blob; where faults are noted, one that says what is wrong."""
        try:
            with concerning(blob.descriptor.digest):
                return self._readable(blob, depth)
        except OciConvertError as error:
            blob.fail(error)
        except OSError as error:
            if self.faults is not Faults.NOTE:
                raise
            blob.fail(unreadable(error, blob.where))
        return UnreadableNode(**blob.fields)

    def _readable(self, blob: _Blob, depth: int) -> Node:
        if blob.role is Role.SUBJECT:
            return UnreadNode(**blob.fields)
        if blob.descriptor.media_type == EMPTY_CONFIG:
            blob.remark(_misused(blob.descriptor))
        if blob.kind in (Kind.CONFIG, Kind.LAYER):
            blob.remark(misspelled(blob.descriptor.media_type))
        if not self._is_present(blob):
            return MissingNode(**blob.fields)
        check_algorithm(blob.descriptor.name.algorithm)
        if blob.kind in (Kind.INDEX, Kind.MANIFEST):
            return self._read_document(blob, depth, document_type(blob.descriptor.media_type))
        if blob.kind is Kind.CONFIG:
            return self._config(blob)
        if blob.kind is Kind.LAYER:
            return BlobNode(**blob.fields, actual=self._compression(blob.descriptor))
        return self._look_inside(blob, depth)

    def _config(self, blob: _Blob) -> ConfigNode:
        # Not by way of the reader, which knows all nodes: a circle of references.
        content = Content(partial(_bytes_of, self.source, self.made, blob.descriptor, blob.where))
        if not self.source.remote:
            content.get()
        return ConfigNode(**blob.fields, content=content)

    def _compression(self, layer: Descriptor) -> Compression | None:
        """How a layer is compressed: by its first bytes, where these are at hand."""
        if not self.source.remote or self.source.inspects_layers:
            return sniff(self.source.head(layer))
        meaning = look_up(layer.media_type)
        return None if meaning is None else meaning.cell.compression

    def _is_present(self, blob: _Blob) -> bool:
        """Whether the source has a blob; one of another size than stated is settled."""
        if self.source.remote:
            return True
        descriptor = blob.descriptor
        made = self.made.get(descriptor.name)
        size = self.source.size_of(descriptor.name) if made is None else len(made)
        if size is not None and size != descriptor.size:
            error = BlobError(
                f"the blob {descriptor.name.short()} has {size} bytes, but its descriptor says "
                f"{descriptor.size}",
                code="blob-truncated" if size < descriptor.size else "wrong-size",
                where=blob.where,
                remedy="fetch the image again",
                digest=descriptor.digest,
                expected=descriptor.size,
                actual=size,
            )
            blob.descriptor = descriptor.model_copy(update={"size": size})
            if self.faults is Faults.REPAIR and not self._is_whole(blob):
                raise error
            blob.settle(error, "its digest is right, so the size was corrected")
        return size is not None

    def _is_whole(self, blob: _Blob) -> bool:
        """Whether a blob has its digest, of whatever size it is."""
        try:
            deque(self.source.read(blob.descriptor, blob.where), maxlen=0)
        except BlobError:
            return False
        return True

    def _bytes(self, descriptor: Descriptor, where: str) -> bytes:
        return _bytes_of(self.source, self.made, descriptor, where)

    def _look_inside(self, blob: _Blob, depth: int) -> Node:
        """What a blob is that no media type vouches for: perhaps it is a document all the same."""
        listed = blob.role in (None, Role.ENTRY)
        found = look_at(self.source, blob.descriptor, blob.where, blob.glance, listed=listed)
        blob.remark(found.remark)
        if found.media_type is not None:
            blob.kind = SPELLINGS[found.media_type].cell.kind
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
            blob.remark(misspelled(blob.descriptor.media_type))
            original = self._upgrade(blob)
        try:
            raw = self._bytes(blob.descriptor, blob.where)
        except BlobError as error:
            if self.source.remote and error.code == "blob-missing":
                return MissingNode(**blob.fields)
            raise
        stated = blob.descriptor.media_type or None
        document = read_document(raw, stated, blob.where, settle=blob.settle)
        blob.kind = document.kind
        contradicted = meant(blob.descriptor.media_type) not in (None, document.media_type)
        if self.faults is Faults.REPAIR and contradicted:
            blob.descriptor = blob.descriptor.renamed(document.media_type)
        blob.remark(document.fault)
        self.take_embedded([slot.descriptor for slot in document.slots])
        self.source.prefetch([slot.descriptor for slot in document.slots if self._is_next(slot)])
        children = tuple(
            self._child(document, slot, f"{blob.where}.{slot.label}", depth + 1)
            for slot in document.slots
        )
        return DocumentNode(
            **blob.fields,
            document=document,
            children=children,
            upgraded_from=original,
            signed=self._signed(blob, document),
        )

    def _signed(self, blob: _Blob, document: Document) -> Signed | None:
        """What a signature is for. Whoever asks of a root knows more: the store may tell it."""
        if not is_signed(document):
            return None
        stated = subject_of(document)
        if stated is None and blob.role is Role.ENTRY:
            return Signed(signed_digest(self.source, document))
        return Signed(stated)

    def _is_next(self, slot: Slot) -> bool:
        """Whether what a descriptor names is a document that will be read."""
        if slot.role is not Role.ENTRY or not self.asked(slot.descriptor):
            return False
        return _kind(slot.descriptor, slot.role) in (Kind.INDEX, Kind.MANIFEST)

    def _upgrade(self, blob: _Blob) -> Original:
        """A manifest of schema 1; ``blob`` becomes the Docker manifest that takes its place."""
        from oci_convert.stores.upgrade import upgraded  # hardly any image wants it

        refuse_large(blob.descriptor, blob.where)
        found, upgrade = upgraded(self.source, blob.descriptor, blob.where, self.measured)
        original = Descriptor(
            media_type=found.media_type,
            digest=Digest.of(found.payload, blob.descriptor.name.algorithm),
            size=len(found.payload),
        )
        self.made.update(upgrade.blobs)
        blob.descriptor = upgrade.descriptor
        return Original(original, found.payload)

    def _child(self, document: Document, slot: Slot, where: str, depth: int) -> Node:
        if slot.role is Role.ENTRY and not self.asked(slot.descriptor):
            kind = _kind(slot.descriptor, slot.role)
            return UnreadNode(kind=kind, role=slot.role, descriptor=slot.descriptor, where=where)
        kind = _kind(slot.descriptor, slot.role)
        if slot.role is Role.CONFIG and not is_image(document):
            kind = Kind.ARTIFACT  # the config of something that is no image: never parsed
        return self.node(slot.descriptor, slot.role, where, depth, kind)


@dataclass(eq=False, repr=False)
class _Told:
    """What is to be said of something that is being read."""

    where: str
    reader: _Reader
    faults: list[OciConvertError] = field(default_factory=list, kw_only=True)
    remarks: list[Finding] = field(default_factory=list, kw_only=True)

    def remark(self, fault: tuple[str, str] | None) -> None:
        """Add a remark, if there is one: the code of a finding, and its message."""
        if fault is not None:
            remark = Finding.of(fault[0], self.where, fault[1])
            self.remarks += [] if remark in self.remarks else [remark]

    def settle(self, error: OciConvertError, correction: str) -> None:
        """Raise a fault behind which reading can go on, or go on: see :data:`Settle`."""
        if self.reader.faults is Faults.NOTE:
            self.faults.append(self.reader.noted(error, self.where))
            return
        code, remedy = _REPAIRED.get(error.code, ("", Wording("")))
        if not code or not correction:
            raise error
        if self.reader.faults is Faults.REFUSE:
            raise error.but(remedy=Wording(f"{error.remedy}; {remedy.marked}"))
        message = f"{error.message}; {correction}"
        self.remarks.append(Finding.of(code, error.where or self.where, message))

    def glance(self, error: OciConvertError, correction: str) -> None:
        """The same for a first look, which is followed by another one."""
        if self.reader.faults is Faults.REFUSE:
            self.settle(error, correction)

    def fail(self, error: OciConvertError) -> None:
        """Note a fault that ends reading: raises it where none is noted. The first one counts."""
        fault = self.reader.noted(error, self.where)
        if not self.faults:
            self.faults.append(fault)


@dataclass(eq=False, repr=False)
class _Blob(_Told):
    """What every node says of its blob, as far as it is known."""

    kind: Kind
    role: Role | None
    descriptor: Descriptor

    def settle(self, error: OciConvertError, correction: str) -> None:
        name_blob(error, self.descriptor.digest)
        super().settle(error, correction)

    @property
    def fields(self) -> _Fields:
        return {
            "kind": self.kind,
            "role": self.role,
            "descriptor": self.descriptor,
            "where": self.where,
            "faults": tuple(self.faults),
            "remarks": tuple(self.remarks),
        }


class _Fields(TypedDict):
    kind: Kind
    role: Role | None
    descriptor: Descriptor
    where: str
    faults: tuple[OciConvertError, ...]
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


def unreadable(error: OSError, where: str) -> StoreError:
    """The error for a blob that the system does not let us read."""
    return StoreError(
        f"the blob cannot be read: {error.strerror or error}",
        code="unreadable",
        where=where,
        remedy="check the disk and the permissions of the file",
    )
