"""Reading images: the views that scripts are written against.

Everything is read when it is asked for, and verified as it is read. A view is frozen; what it shows
are the bytes of the store and typed models of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from typing import BinaryIO

from oci_convert.documents.document import Document
from oci_convert.errors import (
    OciConvertError,
    RefusedError,
    StoreError,
    UsageError,
    located,
)
from oci_convert.inspection.image_files import ImageFiles
from oci_convert.inspection.inspect import Inspected, inspected
from oci_convert.inspection.layer import Layer, OpenStore, checked
from oci_convert.layers.chunk_reader import ChunkReader
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Kind, meant
from oci_convert.spec.models import Descriptor, ImageConfig, Manifest, Platform, PlatformLike
from oci_convert.spec.names import called, find
from oci_convert.spec.platforms import matches, near, spelled
from oci_convert.stores.base import Closing, Root
from oci_convert.stores.children import child_root
from oci_convert.stores.opening import SourceLike
from oci_convert.text.brief import Brief
from oci_convert.text.suggestion import did_you_mean
from oci_convert.transform.document_edits import is_attestation, is_loadable
from oci_convert.tree.nodes import DocumentNode, Node, platform_of
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
        self._open = OpenStore(store, tmpdir, follow_links)
        self.store: str = self._open.reference
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
            remedy=did_you_mean(meant, f"available: {_listed(images, Image._on_platform)}"),
        )

    def _named(self, ref: str) -> Root | None:
        """The image of the store that ``ref`` means; ``None`` for what an index of it lists."""
        roots = [root for _, root in self._open.roots]
        label = self._open.source.label
        try:
            with located(label):
                return find(roots, ref, label)
        except StoreError as error:
            if error.code != "unknown-reference" or child_root(self._open.source, ref) is None:
                raise
            return None

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """Any blob of the store as a file, verified as a layer's is: see :meth:`Layer.open`."""
        source = self._open.source
        if source.size_of(descriptor.name) is None:
            raise source.missing(descriptor.name)
        return ChunkReader(
            checked(source.read(descriptor, source.label), source.label, descriptor.digest)
        )

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
    _open: OpenStore = field(repr=False)
    _node: Node = field(repr=False)

    def __str__(self) -> str:
        """Its name or path, and its platform if an index states one."""
        return self._on(self.descriptor.platform)

    def _on(self, platform: Platform | None) -> str:
        return (self.name or self.where) + ("" if platform is None else f" ({platform})")

    def _on_platform(self) -> str:
        """The same, with the platform that its config states where no index does."""
        return self._on(self.platform)

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
    def id(self) -> Digest:
        """The image ID: the digest of its config, which no conversion changes."""
        return self.manifest.config.name

    @property
    def size(self) -> int:
        """Bytes of manifest, config and layers as they are stored, each blob counted once."""
        parts = (self.descriptor, self.manifest.config, *(one.descriptor for one in self.layers))
        return sum({part.digest: part.size for part in parts}.values())

    @cached_property
    def referrers(self) -> tuple[Inspected, ...]:
        """What refers to it, or to the index that it is below: attestations of that index, and
        the referrers and signatures in the store. :meth:`Images.open` reads their
        :attr:`~Inspected.descriptor`.
        """
        source = self._open.source
        [root] = [it for _, it in self._open.roots if it.descriptor is self.top][:1]
        with located(source.label):
            found = inspected(source, root)
        subjects = (self.digest, self.top.digest)
        return tuple({it.digest: it for it in found.walk() if it.subject in subjects}.values())

    def files(self) -> ImageFiles:
        """Its files as a container sees them. All layers are read, and verified, once.

        At most as many as the limit ``members`` allows. Raises :class:`BlobError` and
        :class:`StoreError`.
        """
        from oci_convert.inspection.changesets import read_files  # it takes tarfile

        return read_files(self.layers, self._open.source.label, self.where)

    @property
    def _document(self) -> Document:
        return self._open.manifest(self._node).document


def _listed(images: Iterable[Image], spell: Callable[[Image], str] = str) -> str:
    names = list(dict.fromkeys(map(spell, images)))
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
