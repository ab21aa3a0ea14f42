"""What all stores have in common whose blobs are files: in a folder, an archive, or memory."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from oci_convert.errors import BlobError
from oci_convert.layers.streams import Tally, read_chunks, verified
from oci_convert.spec.digest import CANONICAL, Digest
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Sink, Source, unwatched
from oci_convert.stores.files import Files, Pending, WritableFiles
from oci_convert.stores.files.system import system_errors

__all__ = ["FilesSink", "FilesSource"]


class FilesSource(Source):
    """Reads blobs that are files, with names from a subclass."""

    def __init__(self, files: Files, label: str) -> None:
        self.files = files
        self.label = label

    @abstractmethod
    def name(self, digest: Digest) -> str:
        """The file of a blob."""

    def size(self, digest: Digest) -> int | None:
        return self.files.blob_size(self.name(digest))

    def open(self, digest: Digest) -> BinaryIO:
        try:
            return self.files.open_blob(self.name(digest))
        except FileNotFoundError:
            raise self.missing(digest) from None

    def file_of(self, descriptor: Descriptor) -> BinaryIO | None:
        return self.files.file_of(self.name(descriptor.name))

    def close(self) -> None:
        self.files.close()


class FilesSink(Sink):
    """Writes blobs as files, with names from a subclass."""

    def __init__(self, files: WritableFiles, label: str) -> None:
        self.files = files
        self.label = label

    @abstractmethod
    def name(self, digest: Digest, *, document: bool) -> str:
        """The file of a blob."""

    @abstractmethod
    def holds_image(self) -> bool:
        """Whether the store has an image, so that nothing in it may be removed."""

    def has(
        self,
        descriptor: Descriptor,
        *,
        document: bool = False,
        verify: bool = False,
        watch: Callable[[int], None] = unwatched,
    ) -> bool:
        name = self.name(descriptor.name, document=document)
        if not self.files.has(name, descriptor.size):
            return False
        return not verify or self.is_sound(name, descriptor, watch)

    def is_sound(self, name: str, descriptor: Descriptor, watch: Callable[[int], None]) -> bool:
        """Whether the bytes of a blob that is there are the right ones."""
        try:
            with self.files.open(name) as file:
                chunks = read_chunks(file)
                for chunk in verified(chunks, descriptor.name, descriptor.size, self.label):
                    watch(len(chunk))
        except (BlobError, OSError):  # a bad spot on the disk is as good as a wrong byte
            return False
        return True

    def put(
        self,
        chunks: Iterable[bytes],
        where: str,
        *,
        expected: Descriptor | None = None,
        algorithm: str = CANONICAL,
        document: bool = False,
    ) -> tuple[Digest, int]:
        tally = Tally(expected.name.algorithm if expected is not None else algorithm)
        # A blob without a digest yet gets that of nothing: some outputs need the length of the
        # name.
        name = self.name(expected.name if expected is not None else tally.digest, document=document)
        with self._pending(name, expected.size if expected is not None else None) as pending:
            described = None if expected is None else (expected.name, expected.size)
            for chunk in tally.through(chunks, described, where):
                pending.write(chunk)
            digest = tally.digest
            pending.publish(self.name(digest, document=document))
        return digest, tally.size

    def take(
        self,
        source: Source,
        descriptor: Descriptor,
        where: str,
        *,
        watch: Callable[[int], None] = unwatched,
        link: bool = False,
    ) -> int:
        file = source.file_of(descriptor)
        if file is None:
            return super().take(source, descriptor, where, watch=watch)
        tally = Tally(descriptor.name.algorithm)

        def seen(chunk: memoryview) -> None:
            watch(len(chunk))
            tally.update(chunk)
            if tally.size > descriptor.size:
                tally.check(descriptor.name, descriptor.size, where)

        name = self.name(descriptor.name, document=False)
        with file, self._pending(name, descriptor.size) as pending:
            pending.take(file, seen, link=link)
            tally.check(descriptor.name, descriptor.size, where)
            pending.publish(name)
        return descriptor.size

    @contextmanager
    def _pending(self, name: str, size: int | None) -> Iterator[Pending]:
        """A file that is forgotten unless it is published."""
        pending = self.files.create(name, size)
        try:
            yield pending
        except BaseException:
            pending.discard()
            raise

    def write(self, name: str, data: bytes, *, durable: bool = False) -> None:
        """Write a small file that no digest names; ``durable`` as for :meth:`Pending.publish`."""
        with self._pending(name, len(data)) as pending:
            pending.write(data)
            pending.publish(name, durable=durable)

    def settle(self) -> None:
        """Bring to the disk what has just made the images appear."""
        with system_errors(note="the images are complete, but a power failure may lose them"):
            self.files.flush()

    def begin(self) -> None:
        self.files.begin()

    def scratch(self) -> BinaryIO | None:
        return self.files.scratch()

    def abort(self) -> None:
        self.files.undo(self.holds_image)

    def close(self) -> None:
        self.files.close()
