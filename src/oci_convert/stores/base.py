"""The contracts of stores: a store opens a source, which gives images, or a sink, which takes them.

What the docstrings here say, every store keeps, also one that is none of ours.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from io import BytesIO
from types import TracebackType
from typing import Any, BinaryIO, Final, Protocol, Self, runtime_checkable

from oci_convert.errors import BlobError, OciConvertError, StoreError
from oci_convert.findings import Finding
from oci_convert.layers.streams import end, read_chunks, verified
from oci_convert.spec.digest import Digest
from oci_convert.spec.flawed import Flawed
from oci_convert.spec.media_types import Family
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import called, outside_grammar
from oci_convert.stores.files.base import Scratch
from oci_convert.stores.files.file import temporary
from oci_convert.stores.traffic import Traffic
from oci_convert.text.brief import Brief

__all__ = [
    "HEAD",
    "Capabilities",
    "Closing",
    "Root",
    "Sink",
    "SinkOptions",
    "SinkStore",
    "Source",
    "SourceOptions",
    "SourceStore",
    "Store",
    "at_a_time",
    "name_remark",
    "stated",
    "unwatched",
    "watched",
]

HEAD: Final = 4096
"""Bytes of a layer that are enough to see how it is packed."""


@dataclass(frozen=True, slots=True, repr=False)
class Root(Brief):
    """An image of a store: its top descriptor and what the store says of it."""

    descriptor: Descriptor
    annotations: Mapping[str, str] = field(default_factory=dict)
    """The annotations of its entry in ``index.json``: what names it."""
    name: str | None = None
    """What people call it; ``None`` for an image that has no name."""
    referrer: bool = False
    """It refers to another image and is written with it; it is not an image of its own."""
    built: bool = False
    """The manifest was built from a docker-save archive: it has no original, and a layer can only
    be verified by its ``diff_id`` in the config."""
    upgraded: bool = False
    """The config was made, too: the archive holds images version 1."""
    remarks: tuple[Finding, ...] = ()
    """What is worth telling of it; places begin at the image: ``layers[0]``."""
    faults: tuple[OciConvertError, ...] = ()
    """Those of :attr:`Source.faults` that concern this image alone."""

    @classmethod
    def of(cls, entry: Descriptor, faults: Iterable[OciConvertError] = ()) -> Root:
        """The image that an entry of an index describes."""
        annotations = entry.annotations or {}
        odd = tuple(map(name_remark, outside_grammar(annotations)))
        return cls(entry, annotations, called(annotations), remarks=odd, faults=tuple(faults))

    @property
    def entry(self) -> Descriptor:
        """The entry of an index that describes the image: its descriptor with what names it."""
        return self.descriptor.model_copy(update={"annotations": dict(self.annotations) or None})


def name_remark(name: str) -> Finding:
    """What is worth telling of an image that is called so."""
    message = f"{name!r} is outside the grammar of image names"
    return Finding.of("name-outside-grammar", "", message)


@dataclass(frozen=True, slots=True, repr=False)
class Capabilities(Brief):
    """What a sink can hold, so that what cannot work fails before the first blob."""

    families: frozenset[Family] = frozenset(Family)
    many_images: bool = True
    """More than one image."""
    names: bool = True
    """Images have names."""
    entries: bool = True
    """An image has an entry that can state its platform and annotations, as in an index.json."""
    signatures: bool = False
    """Files with the signatures of its image, as ``dir:`` has them."""
    plain_layers: bool = False
    """Plain tar layers of a docker-save archive stay plain: the sink is one itself."""
    sequential: bool = False
    """Blobs come one at a time, in the order of the plan."""
    referrers: bool = True
    """What refers to an image can stand beside it."""
    rows: bool = False
    """Images are listed in a ``manifest.json``: one platform a name, and names that Docker
    accepts."""
    looks_itself: bool = False
    """``put`` and ``take`` see by themselves what is there: to ask before costs a request more."""
    documents_last: bool = False
    """Manifests and indexes are kept by ``put`` and written by ``commit``."""
    repairs: bool = True
    """A damaged blob is replaced by ``put``; else it may stay, which ``put`` then refuses."""


class Closing:
    """What is closed at the end of a ``with`` block."""

    def close(self) -> None:
        """Let go of everything that is open. Closing twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Source(Closing, ABC):
    """Gives images. A source is a context manager; it is closed by the caller who opened it."""

    label: str
    """The reference it was opened with, as errors show it: ``dir:app``."""

    daemon_layers: bool = False
    """Uncompressed layers are only how a daemon stores them, not how they were published."""

    sparse: bool = False
    """Indexes of this store may name images that are not here, as a matter of course."""

    faults: Sequence[tuple[OciConvertError, str]] = ()
    """What is wrong with the list of its images itself, although it could be read; and what it was
    read as, where that is proved. Who converts takes nothing from such a store; who looks at it
    sees everything, and each fault of :attr:`Root.faults` at its image."""

    statements: Mapping[str, Any] = {}
    """What the list of its images says of itself: the members of an ``index.json`` beside those
    that list them, as plain data."""

    remote: bool = False
    """Every read is a request to somewhere else: what descriptors state is believed, and nothing is
    read that is not needed."""

    inspects_layers: bool = False
    """The first bytes of layers are read all the same, to see how they are compressed."""

    traffic: Traffic | None = None
    """What was sent and received so far, where reading sends requests."""

    @cached_property
    def embedded(self) -> dict[Digest, bytes]:
        """Blobs that are whole in a descriptor's ``data``, verified, and not at hand in the store.

        Who reads descriptors adds them. :meth:`size_of` and what reads a blob by its descriptor
        find them as if they were files (image-spec ``descriptor.md``, *Embedded Content*).
        """
        return {}

    @abstractmethod
    def roots(self) -> Sequence[Root]:
        """Every image, in the order of the store."""

    def referrers(self, subjects: Sequence[Descriptor]) -> Sequence[tuple[str, Root]]:
        """What refers to ``subjects`` and is not listed by :meth:`roots`, each once, with the
        digest of the subject that it is listed for.

        For stores that would have to ask for each of them, and do so only here.
        """
        return ()

    def signatures(self) -> Mapping[str, tuple[str, bytes]]:
        """Files with signatures: by name, the signed digest and their bytes."""
        return {}

    @abstractmethod
    def size(self, digest: Digest) -> int | None:
        """The bytes of a blob, or ``None`` if it is not there."""

    @abstractmethod
    def open(self, digest: Digest) -> BinaryIO:
        """A blob opened for reading, at its beginning; the caller closes it.

        Raises :class:`BlobError` (``blob-missing``) if it is not there. Nothing is verified.
        """

    def size_of(self, digest: Digest) -> int | None:
        """The bytes of a blob, in the store or embedded, or ``None`` if it is neither."""
        size = self.size(digest)
        return (
            size if size is not None or digest not in self.embedded else len(self.embedded[digest])
        )

    def _opened(self, digest: Digest) -> BinaryIO:
        """A blob in the store or embedded, as :meth:`open` gives it."""
        content = self.embedded.get(digest)
        return self.open(digest) if content is None else BytesIO(content)

    def file_of(self, descriptor: Descriptor) -> BinaryIO | None:
        """The blob as an open *regular file of its own*, if it is one: it can then be cloned.

        Opened once; the caller closes it. ``None`` where a blob is a part of something larger.
        """
        return None

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        """The chunks of a blob as they are stored, *not verified*: for a sink, which verifies."""
        with self._opened(descriptor.name) as file:
            yield from read_chunks(file)

    def read(self, descriptor: Descriptor, where: str) -> Iterator[bytes]:
        """The chunks of a blob; ends verified (digest and length) or raises :class:`BlobError`.

        Raises what is wrong with a descriptor that only stands for a broken one.
        """
        if isinstance(descriptor, Flawed):
            raise descriptor.flaws[0]
        return verified(self.stream(descriptor), descriptor.name, descriptor.size, where)

    def head(self, descriptor: Descriptor) -> bytes:
        """The first bytes of a blob, at most :data:`HEAD`; not verified."""
        with self._opened(descriptor.name) as file:
            return file.read(HEAD)

    def prefetch(self, descriptors: Sequence[Descriptor]) -> None:
        """Documents that are going to be read soon: a source may begin to fetch them together."""

    def missing(self, digest: Digest) -> BlobError:
        """The error for a blob that is not there."""
        return BlobError(
            f"the blob {digest} is missing",
            code="blob-missing",
            store=self.label,
            remedy="fetch the image again",
            digest=digest,
        )

    def empty(self) -> OciConvertError:
        """The error for a store without an image where one is needed: what is wrong with its list,
        if something is.
        """
        for error, _ in self.faults:
            return error
        return StoreError(
            "the store has no image",
            code="no-image",
            store=self.label,
            remedy="check with inspect whether it is the right store",
        )


def stated(statements: Mapping[str, Any]) -> dict[str, Any]:
    """Each statement by what people call it, annotations one by one."""
    annotations = statements.get("annotations") or {}
    others = {name: value for name, value in statements.items() if name != "annotations"}
    return others | {f"annotation {name}": text for name, text in annotations.items()}


_FAR: Final = 4
"""Blobs that are moved at a time to or from a registry, however few cores there are: each waits for
answers, and the other side works, too."""


def at_a_time(jobs: int | None, *, far: bool) -> int:
    """How many blobs to work on at a time: ``jobs``, if that is said; ``far``: over a network."""
    return jobs or max(_cores(), _FAR if far else 1)


@cache
def _cores() -> int:
    """Cores of this machine: to count them takes longer than to plan a layer."""
    return os.cpu_count() or 1


def unwatched(_: int) -> None:
    """The callback where bytes are not counted."""


def watched(chunks: Iterable[bytes], watch: Callable[[int], None]) -> Iterator[bytes]:
    """The same chunks, each told to ``watch`` by its size."""
    try:
        for chunk in chunks:
            watch(len(chunk))
            yield chunk
    finally:
        end(chunks)


class Sink(Closing, ABC):
    """Takes images. Exactly one of :meth:`commit` and :meth:`abort` ends a run; then ``close``."""

    label: str
    """The reference it was opened with, as errors show it."""

    capabilities: Capabilities

    traffic: Traffic | None = None
    """As for a source."""

    def shares(self, source: Source) -> bool:
        """Whether source and target are one place, so that no blob has to be moved."""
        return False

    def is_near(self, source: Source) -> bool:
        """Whether the target takes blobs of the source by itself, so that none passes through."""
        return self.shares(source)

    def check(self, roots: Sequence[Root]) -> None:
        """Raise for images that the sink cannot name; called before the first blob.

        The descriptors of ``roots`` are still those of the source.
        """

    def begin(self) -> None:
        """Make ready to write, unless the first :meth:`put` may do so.

        Waiting for other runs happens here, not in a thread that cannot be interrupted.
        """

    def name_of(self, root: Root) -> str | None:
        """What an image is called in the target; ``None`` if it has no name there."""
        return called(root.annotations) if self.capabilities.names else None

    def dry_run(self) -> Sink | None:
        """A sink that writes nothing and counts in :attr:`traffic` what this one would send.

        ``None`` where writing sends no requests.
        """
        return None

    @abstractmethod
    def has(
        self,
        descriptor: Descriptor,
        *,
        document: bool = False,
        verify: bool = False,
        watch: Callable[[int], None] = unwatched,
    ) -> bool:
        """Whether the blob is there already, judged by its size; with ``verify`` by its digest.

        Such a blob is not written again. A symbolic link does not count. ``document`` says that
        it is a manifest or an index. ``watch`` is told the bytes that are read to verify it; what
        it raises ends the work.
        """

    @abstractmethod
    def put(
        self,
        chunks: Iterable[bytes],
        where: str,
        *,
        expected: Descriptor | None = None,
        algorithm: str = "sha256",
        document: bool = False,
    ) -> tuple[Digest, int]:
        """Store a blob; returns its digest and size.

        Idempotent. Nothing is visible under a digest before its last byte is verified: with
        ``expected``, the bytes *as they are written* must have its digest and size, else
        :class:`BlobError` at ``where`` is raised and nothing is stored. Without, the blob is stored
        under the digest (of ``algorithm``) that it turns out to have. ``document`` says that it is
        a manifest or an index. May be called from several threads at once.
        """

    def put_as(
        self, chunks: Iterable[bytes], where: str, expected: Descriptor, *, document: bool = False
    ) -> None:
        """:meth:`put` what is ``expected``.

        Raises :class:`TypeError` if that does not say that it stored it, as no store may do.
        """
        stored: Any = self.put(chunks, where, expected=expected, document=document)
        if stored != (expected.digest, expected.size):
            raise TypeError(
                f"{type(self).__name__}.put() returned {stored!r}; it returns the digest and the "
                f"size of what it stored: {(str(expected.digest), expected.size)}"
            )

    def take(
        self,
        source: Source,
        descriptor: Descriptor,
        where: str,
        *,
        watch: Callable[[int], None] = unwatched,
        link: bool = False,
    ) -> int:
        """Store a blob of ``source`` unchanged and verified; a clone where that is possible.

        Returns how many bytes were written: none where the target had it, or took it by itself.

        ``watch`` is told the bytes that were read, as they are read; what it raises ends the work.
        With ``link``, source and target may become one file.
        """
        chunks = watched(source.stream(descriptor), watch)
        try:
            self.put_as(chunks, where, descriptor)
        finally:
            end(chunks)
        return descriptor.size

    def scratch(self) -> BinaryIO | None:
        """An empty file to write and read, beside the target; gone once it is closed.

        For what a run must keep for a while. ``None`` where the target is on no disk.
        """
        return None

    def state(self, statements: Mapping[str, Any]) -> Sequence[str]:
        """Let the list of images say of itself what that of a source says; returns what it cannot.

        Called before the first blob, once for each source that is converted as a whole.
        """
        return list(stated(statements))

    def sign(self, name: str, data: bytes) -> None:
        """Let a file with a signature appear with the image; for sinks that hold such files."""

    @abstractmethod
    def commit(self, roots: Sequence[Root]) -> None:
        """Make the images appear: atomic, the last write, merged with what others wrote.

        An image of the same name (the pair of its ref name and its containerd image name) is
        replaced; everything else in the store stays.
        """

    @abstractmethod
    def abort(self) -> None:
        """Undo the run as far as no other run can depend on it.

        Unfinished files always go; finished blobs go if the target has no image yet and no other
        writer; a target that was made by this run goes with them.
        """


# -- what is opened -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class SourceOptions(Brief):
    """How a source is opened."""

    scratch: Scratch = temporary
    """Makes an empty file to write and read, which is gone once it is closed: for what cannot be
    read in place, such as an archive that comes as a stream."""
    follow_links: bool = False
    """Read the files that links lead to, wherever that is, for stores of links on this machine."""


@dataclass(frozen=True, slots=True, repr=False)
class SinkOptions(Brief):
    """How a sink is opened."""

    family: Family = Family.OCI
    """The family of the images that will be written."""
    force: bool = False
    """Replace an image, if the store holds only one."""
    fsync: bool = True
    """Bring everything to the disk before the images appear."""
    scratch: Scratch = temporary
    """As for a source: for what must wait before it is written."""


@runtime_checkable
class SourceStore(Protocol):
    """What images can be read from. It may be opened again and again, by several threads at once.

    ``str()`` of it is what reports call it.
    """

    @property
    def ref(self) -> str | None:
        """The one image that is meant, as behind a reference; ``None`` for all."""

    def source(self, options: SourceOptions, /) -> Source:
        """Open it; the caller closes it.

        Raises :class:`OciConvertError` if it is not there or holds no images.
        """


@runtime_checkable
class SinkStore(Protocol):
    """What images can be written to. It may be opened again and again, by several threads at once.

    ``str()`` of it is what reports call it.
    """

    @property
    def ref(self) -> str | None:
        """What the one image is to be called; ``None``: each keeps its name."""

    @property
    def default_family(self) -> Family | None:
        """The family of what is written, unless another one is asked for; ``None``: it must be."""

    def sink(self, options: SinkOptions, /) -> Sink:
        """Open it; the caller closes it. Nothing is written before the first blob."""


@runtime_checkable
class Store(SourceStore, SinkStore, Protocol):
    """What images can be read from and written to."""
