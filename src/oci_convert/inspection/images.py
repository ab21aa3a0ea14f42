"""Reading images: the views that scripts are written against.

Everything is read when it is asked for, and verified as it is read. A view is frozen; what it shows
are the bytes of the store and typed models of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from os import PathLike
from typing import BinaryIO

from oci_convert.documents.document import Document
from oci_convert.errors import (
    BlobError,
    OciConvertError,
    RefusedError,
    StoreError,
    UsageError,
    located,
)
from oci_convert.layers.chunk_reader import ChunkReader
from oci_convert.layers.compression import decompress
from oci_convert.layers.recompress import unpacked
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression, Kind, meant
from oci_convert.spec.models import Descriptor, ImageConfig, Manifest, Platform, PlatformLike
from oci_convert.spec.names import called, find
from oci_convert.spec.platforms import matches, near, spelled
from oci_convert.stores.base import Closing, Root, Source
from oci_convert.stores.children import child_root
from oci_convert.stores.files.temporary import temporary
from oci_convert.stores.opening import SourceLike, opened
from oci_convert.text.brief import Brief
from oci_convert.text.suggestion import did_you_mean
from oci_convert.transform.document_edits import is_attestation, is_loadable
from oci_convert.tree.nodes import ConfigNode, DocumentNode, Node, platform_of
from oci_convert.tree.reader import Faults, read_tree
from oci_convert.tree.walk import Visit, listed

__all__ = ["Image", "Images", "Layer", "open_images"]


def open_images(
    store: SourceLike,
    *,
    tmpdir: str | PathLike[str] | None = None,
    follow_links: bool = False,
) -> Images:
    """Open the images of a store for reading; a ``with`` block closes them.

    ``store`` is what :func:`convert` takes as a source: a reference, a path that is recognised by
    content, ``-``, or a store object; with a REF, only that image is opened. An archive that is
    compressed as a whole, or comes as a stream, is unpacked to a file without a name in ``tmpdir``
    (by default the system's folder for temporary files); nothing else is written anywhere.
    ``follow_links`` reads the files that the links of a store lead to, wherever that is.

    Raises :class:`OciConvertError` if there is no such store or no such REF, or if the store is too
    broken to say which images it holds.
    """
    return Images(store, tmpdir, follow_links=follow_links)


class Images(Closing, Brief):
    """The images of an open store. They must be closed, best by a ``with`` block.

    Iterating gives one :class:`Image` for each name and platform, in the order of the store; an
    index gives what is below it, however deep. Attestations, signatures and other artifacts are no
    images (:func:`inspect` lists them, :meth:`open` reads them). An image that is missing or
    broken is given, too, and raises only when it is read, so that the others can be used;
    only the absent platforms of a ``docker save`` archive are passed over, as Docker does not save
    what it does not have.

    Several threads may read at the same time.
    """

    def __init__(
        self,
        store: SourceLike,
        tmpdir: str | PathLike[str] | None = None,
        *,
        follow_links: bool = False,
    ) -> None:
        self._open = _Open(store, tmpdir, follow_links)
        self.store = self._open.reference
        """The reference that was opened."""

    def _shown(self) -> Iterator[tuple[str, object]]:
        yield "store", self.store
        yield "roots", self._open.roots

    def __iter__(self) -> Iterator[Image]:
        for position, root in self._open.roots:
            yield from self._images(position, root)

    def find(self, ref: str | None = None, *, platform: PlatformLike | None = None) -> Image:
        """The one image of that name and for that platform.

        ``ref`` is a name, a digest or ``@N``, as behind a reference; ``platform`` is
        ``OS/ARCH[/VARIANT]`` or a :class:`Platform`. What is left out must not be needed to choose.
        Raises :class:`OciConvertError`: ``unknown-reference``, ``ambiguous-reference``,
        ``no-such-platform``, ``no-image``, or ``several-images``, which lists them.
        """
        asked = None if platform is None else spelled(platform)
        wanted, label = self._open.roots, self._open.source.label
        if ref is not None:
            root = self._named(ref)
            wanted = [pair for pair in wanted if root is None or pair[1] is root]
        images = [image for position, root in wanted for image in self._images(position, root)]
        if ref is not None and root is None:
            images = [image for image in images if image.digest == ref.removeprefix("@")]
        found: dict[str, Image] = {}
        faults: list[OciConvertError] = []
        for image in images:
            try:
                if asked is None or image.runs_on(asked):
                    found.setdefault(image.digest, image)
            except OciConvertError as error:
                faults.append(error)
        if len(found) == 1:
            return next(iter(found.values()))
        where = self.store if ref is None else f"{label}:{ref}"
        if found:
            raise UsageError(
                f"this matches {len(found)} images",
                code="several-images",
                store=where,
                remedy=f"choose one of {_listed(found.values())}",
            )
        if faults:
            raise faults[0]
        if asked is None or not images:  # where no platform is asked for, any image would do
            raise self._open.source.empty()
        meant = near(asked, (str(image.platform) for image in images))
        raise RefusedError(
            f"there is no image for {asked}",
            code="no-such-platform",
            store=where,
            remedy=did_you_mean(meant, f"available: {_listed(images)}"),
        )

    def _named(self, ref: str) -> Root | None:
        """The image of the store that ``ref`` means; ``None`` for what an index of it lists."""
        roots = [root for _, root in self._open.roots]
        try:
            return find(roots, ref, self._open.source.label)
        except StoreError as error:
            if error.code != "unknown-reference" or child_root(self._open.source, ref) is None:
                raise
            return None

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """Any blob of the store as a file, verified as a layer's is: see :meth:`Layer.open`."""
        source = self._open.source
        if source.size_of(descriptor.name) is None:
            raise source.missing(descriptor.name)
        return ChunkReader(_located(source.read(descriptor, source.label), source.label))

    def close(self) -> None:
        """Let go of the store: what was read stays, more cannot be read."""
        self._open.close()

    def _images(self, position: int, root: Root) -> Iterator[Image]:
        """What is at and below one root, whose tree is read now."""
        tree = read_tree(self._open.source, [root], first=position, faults=Faults.NOTE)
        name = called(root.annotations)
        for visit in listed(tree.images[0].node, root.descriptor):
            if self._is_image(visit):
                yield Image(
                    name, visit.entry, root.descriptor, visit.node.where, self._open, visit.node
                )

    def _is_image(self, visit: Visit) -> bool:
        """Whether it is an image, or one that is missing or broken."""
        node = visit.node
        passed_over = not node.present and self._open.source.sparse
        if passed_over or _is_leaf(node) or is_attestation(visit.entry):
            return False
        return not isinstance(node, DocumentNode) or bool(node.faults) or is_loadable(node.document)


def _is_leaf(node: Node) -> bool:
    """Whether it is known to be no image: of what is missing, only its media type can tell."""
    told = node.present or meant(node.descriptor.media_type) is not None
    return node.kind is Kind.ARTIFACT and told and not node.faults


class _Open:
    """An open store, which all views of it share."""

    def __init__(
        self,
        store: SourceLike,
        tmpdir: str | PathLike[str] | None,
        follow_links: bool,  # noqa: FBT001 - private
    ) -> None:
        self._stack = ExitStack()
        with ExitStack() as stack:
            found = stack.enter_context(
                opened(store, partial(temporary, tmpdir), follow_links=follow_links)
            )
            reference, self._source, roots = found
            self.reference = str(reference)
            self.roots = list(enumerate(roots))
            self._stack = stack.pop_all()
        self._closed = False

    @property
    def source(self) -> Source:
        """What is read from; raises :class:`ValueError`, as files do, once it is closed."""
        if self._closed:
            raise ValueError(f"{self.reference}: the images are closed")
        return self._source

    def check(self, node: Node) -> None:
        """Raise what is wrong with a blob of the tree, or that it is not there."""
        if node.faults:
            raise node.faults[0].within(self._source.label)
        if not node.present:
            raise self._source.missing(node.descriptor.name)

    def manifest(self, node: Node) -> DocumentNode:
        """The manifest of an image; raises what is wrong with it, or that it is not there."""
        self.check(node)
        if not isinstance(node, DocumentNode):
            raise self._source.missing(node.descriptor.name)
        return node

    def config(self, node: Node) -> ConfigNode:
        """The config of an image; raises what is wrong with it, or that it is not there."""
        child = self.manifest(node).children[0]
        self.check(child)
        if not isinstance(child, ConfigNode):
            raise self._source.missing(child.descriptor.name)
        return child

    def close(self) -> None:
        self._closed = True
        self._stack.close()


@dataclass(frozen=True, eq=False, repr=False)
class Image(Brief):
    """An image for one platform.

    What cannot be read or trusted raises when it is asked for: :class:`OciConvertError` with the
    code and the path of what is wrong. An image of schema 1 shows the manifest and the config that
    it is upgraded to.
    """

    name: str | None
    """What the store calls it, or the index that it is below."""
    descriptor: Descriptor
    """What names it: its entry in the index, or in the store."""
    top: Descriptor
    """What the store names: the image itself, or the index that holds it."""
    where: str
    """Its path in the store: ``images[0].manifests[1]``."""
    _open: _Open = field(repr=False)
    _node: Node = field(repr=False)

    def __str__(self) -> str:
        """Its name or path, and its platform if an index states one."""
        stated = self.descriptor.platform
        return (self.name or self.where) + ("" if stated is None else f" ({stated})")

    @property
    def digest(self) -> Digest:
        """The digest of its manifest. Where a ``docker save`` archive has none, of the one that
        its files make up: the same each time, but unknown to registries.
        """
        return self.descriptor.name

    @property
    def media_type(self) -> str:
        """What its manifest is called."""
        return self.descriptor.media_type

    @property
    def platform(self) -> Platform | None:
        """Where it runs: as its index says, else as its config says, if that does."""
        if self.descriptor.platform is None:
            _ = self.config_bytes  # what is broken is not for any machine
        return platform_of(self._node, self.descriptor)

    def runs_on(self, platform: PlatformLike) -> bool:
        """Whether it is for ``platform``; without a variant, every variant will do."""
        stated = self.platform
        return stated is not None and matches(stated, spelled(platform))

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest, typed."""
        model = self._document.model
        assert isinstance(model, Manifest)  # what is no manifest is no image of this class
        return model

    @property
    def manifest_bytes(self) -> bytes:
        """The manifest as it is stored."""
        return self._document.raw

    @cached_property
    def config(self) -> ImageConfig:
        """The config, typed. Values that break the specification are left out of the view; they
        are in :attr:`config_bytes`.
        """
        config = self._open.config(self._node)
        try:
            return config.view[0]
        except OciConvertError as error:
            raise error.within(self._open.source.label) from None

    @property
    def config_bytes(self) -> bytes:
        """The config as it is stored; its digest is the image ID."""
        return self._open.config(self._node).raw

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, the lowest first; nothing of them is read yet."""
        _ = self.config  # what is wrong with it is told
        return tuple(
            Layer(slot.descriptor, diff_id, f"{self.where}.{slot.label}", self._open, child)
            for slot, child, diff_id in self._open.manifest(self._node).contents()
        )

    @property
    def _document(self) -> Document:
        return self._open.manifest(self._node).document


@dataclass(frozen=True, eq=False, repr=False)
class Layer(Brief):
    """A layer of an image."""

    descriptor: Descriptor
    diff_id: Digest | None
    """What it hashes to when it is unpacked, as the config says; ``None`` if the config does not
    name as many layers as the manifest."""
    where: str
    """Its path in the store: ``images[0].layers[2]``."""
    _open: _Open = field(repr=False)
    _node: Node = field(repr=False)

    @property
    def digest(self) -> Digest:
        """The digest of the layer as it is stored."""
        return self.descriptor.name

    @property
    def size(self) -> int:
        """Bytes of the layer as it is stored."""
        return self.descriptor.size

    @property
    def media_type(self) -> str:
        """What its manifest calls it."""
        return self.descriptor.media_type

    @property
    def present(self) -> bool:
        """Whether the store has it. A layer that may not be distributed need not be there."""
        return self._node.present

    @property
    def compression(self) -> Compression | None:
        """How it is packed, by its bytes and not by its media type; ``None`` for a blob that is
        absent, encrypted, or not known.
        """
        return self._node.compression

    def open(self, *, unpacked: bool = False) -> BinaryIO:
        """The layer as a file: as it is stored or, ``unpacked``, the tar inside.

        The file is read forwards, once, by one thread at a time; any number of them may be open.
        A tar is for ``tarfile.open(fileobj=file, mode="r|")``. Bytes are verified as they are
        read, and the last of them tells: the digest and the size and, unpacked, the ``diff_id``.
        **Leaving the file's with block without an error means that every byte was right**; what is
        unread is read for that. Calling :meth:`close` first leaves it out.

        Raises :class:`BlobError`, now or while it is read.
        """
        source = self._open.source
        self._open.check(self._node)
        place = f"{source.label}: {self.where}"
        chunks = _located(source.read(self.descriptor, place), source.label)
        if unpacked and self.compression is None:
            raise BlobError(
                f"{self.digest.short()} is not a tar in a known compression",
                code="corrupt-layer",
                store=source.label,
                where=self.where,
                remedy="its media type says what it is meant to be",
            )
        if unpacked and self.compression is not None:
            chunks = _located(self._unpacked(chunks, self.compression, place), source.label)
        return ChunkReader(chunks)

    def _unpacked(
        self, chunks: Iterator[bytes], packed: Compression, place: str
    ) -> Iterator[bytes]:
        if self.diff_id is None or (packed is Compression.NONE and self.diff_id == self.digest):
            return decompress(chunks, packed, place, self.size)
        return unpacked(chunks, packed, self.diff_id, place, self.size)


def _located(chunks: Iterator[bytes], label: str) -> Iterator[bytes]:
    """The same chunks; what they raise tells the store apart from the place in it."""
    with located(label):
        yield from chunks


def _listed(images: Iterable[Image]) -> str:
    names = list(dict.fromkeys(str(image) for image in images))
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
