"""A layer of an image in an open store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from typing import BinaryIO, NoReturn

from oci_convert.errors import BlobError, concerning, located
from oci_convert.layers.chunk_reader import ChunkReader
from oci_convert.layers.compression import decompress
from oci_convert.layers.recompress import unpacked
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Root, Source
from oci_convert.stores.files.file import temporary
from oci_convert.stores.opening import SourceLike, opened
from oci_convert.text.brief import Brief
from oci_convert.tree.nodes import ConfigNode, DocumentNode, Node

__all__ = ["Layer", "OpenStore", "checked"]


class OpenStore:
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
            self.reference: str = str(reference)
            self.roots: list[tuple[int, Root]] = list(enumerate(roots))
            # What is wrong with one image is told by who asks for it.
            of_images = {id(fault) for root in self._source.roots() for fault in root.faults}
            for error, _ in self._source.faults:
                if id(error) not in of_images:
                    raise error
            self._stack = stack.pop_all()
        self._closed = False

    def __reduce__(self) -> NoReturn:
        raise TypeError("what is read of an open store stays here: open the store there, too")

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
            raise self._source.missing(node.descriptor.name).but(where=node.where)

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
class Layer(Brief):
    """A layer of an image."""

    descriptor: Descriptor
    diff_id: Digest | None
    """What it hashes to when it is unpacked, as the config says; ``None`` if the config does not
    name as many layers as the manifest."""
    where: str
    """Its path in the store: ``images[0].layers[2]``."""
    _open: OpenStore = field(repr=False)
    _node: Node = field(repr=False)

    @property
    def store(self) -> str:
        """The store that it is in, as errors name it."""
        return self._open.source.label

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
        chunks = checked(source.read(self.descriptor, place), source.label, self.digest)
        if unpacked and self.compression is None:
            raise BlobError(
                f"{self.digest.short()} is not a tar in a known compression",
                code="corrupt-layer",
                store=source.label,
                where=self.where,
                remedy="its media type says what it is meant to be",
                digest=self.digest,
            )
        if unpacked and self.compression is not None:
            unpacked_chunks = self._unpacked(chunks, self.compression, place)
            chunks = checked(unpacked_chunks, source.label, self.digest)
        return ChunkReader(chunks)

    def _unpacked(
        self, chunks: Iterator[bytes], packed: Compression, place: str
    ) -> Iterator[bytes]:
        if self.diff_id is None or (packed is Compression.NONE and self.diff_id == self.digest):
            return decompress(chunks, packed, place, self.size)
        return unpacked(chunks, packed, self.diff_id, place, self.size)


def checked(chunks: Iterator[bytes], label: str, digest: str) -> Iterator[bytes]:
    """The same chunks of a blob; what they raise names it, and the store apart from the place."""
    with located(label), concerning(digest):
        yield from chunks
