"""A repository of a registry as a sink of images: the last push, that of the tag, is the commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from oci_convert.documents.document import Document, read_document
from oci_convert.errors import BlobError, StoreError, UsageError
from oci_convert.layers.streams import verified
from oci_convert.spec.digest import CANONICAL, Digest, check_algorithm
from oci_convert.spec.models import Descriptor, Manifest
from oci_convert.spec.names import REF_NAME, called
from oci_convert.stores.base import Capabilities, Root, Sink, Source, unwatched, watched
from oci_convert.stores.hashing import in_dry_run
from oci_convert.stores.registry.client import RemoteRepository
from oci_convert.stores.registry.manifests import Fetched
from oci_convert.stores.registry.outgoing import Chunks
from oci_convert.stores.registry.reference import ImageReference, Repository, TagTemplate
from oci_convert.stores.registry.source import RegistrySource
from oci_convert.stores.registry.unsent import UnsentRepository
from oci_convert.stores.registry.uploads import Placed
from oci_convert.stores.traffic import Traffic
from oci_convert.text.wording import Wording

__all__ = ["Claim", "RegistrySink", "SinkSettings"]

_BEFORE = 12
"""Digits of the digest in the tag that keeps a replaced image."""


Claim: TypeAlias = Callable[[Sequence[str]], None]
"""Raises for names that images must not have: ``HOST/REPOSITORY:TAG``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSettings:
    """How images are pushed."""

    force: bool = False
    """Replace what a tag names."""
    keep_original: bool = True
    """Give what is replaced another tag, so that no garbage collection takes it."""
    verify_written: bool = False
    """Read what the tag names once more, after it was pushed."""
    claim: Claim | None = None
    """Told what the images will be called before anything is written."""


class RegistrySink(Sink):
    """Pushes images to a repository. Nothing is ever deleted.

    Blobs go when they are put, documents when the images are committed: children by their digests,
    then the root of each image by its tag alone.
    """

    def __init__(
        self,
        repository: RemoteRepository,
        reference: ImageReference | TagTemplate,
        settings: SinkSettings,
    ) -> None:
        several = isinstance(reference, TagTemplate)
        self.label: str = f"docker://{reference.repository}"
        self.capabilities: Capabilities = Capabilities(
            many_images=several,
            names=several,
            entries=False,
            looks_itself=True,
            documents_last=True,
            repairs=False,
        )
        self._remote = repository
        self.traffic: Traffic = repository.access.traffic
        self._reference = reference
        self._settings = settings
        self._documents: dict[str, tuple[Descriptor, bytes]] = {}
        self._replaced: dict[str, Fetched] = {}
        self._sizes: dict[str, int] = {}
        """Of what is known to be there; a mount is believed to have brought what was stated."""
        self._damaged: set[str] = set()

    def dry_run(self) -> RegistrySink:
        """The same sink over a repository that counts what it would be sent."""
        unsent = RegistrySink(UnsentRepository(self._remote), self._reference, self._settings)
        unsent._replaced = self._replaced
        return unsent

    def shares(self, source: Source) -> bool:
        """Whether the source is this very repository."""
        return self._origin(source) == self._reference.repository

    def is_near(self, source: Source) -> bool:
        """Whether the source is a repository of the same registry."""
        return self._origin(source) is not None

    def _origin(self, source: Source) -> Repository | None:
        """The repository that blobs of the source can be mounted from."""
        if not isinstance(source, RegistrySource):
            return None
        found = source.remote_repository.repository
        return found if found.host == self._reference.repository.host else None

    def check(self, roots: Sequence[Root]) -> None:
        """Refuse tags that exist, unless they may be replaced: the first requests of a run."""
        tags: dict[str, Root] = {}
        for root in roots:
            if not root.referrer:
                tag = self._tag(root)
                self._refuse_twins(tags.setdefault(tag, root), root, tag)
        if self._settings.claim is not None:
            self._settings.claim([f"{self._reference.repository}:{tag}" for tag in tags])
        if self._settings.force and not self._settings.keep_original:
            return
        for tag, root in tags.items():
            found = self._remote.find_manifest(tag)
            if found is None and root.name == self.name_of(root):
                # It was read under this very tag just now: what is not kept would be lost.
                found = self._remote.find_manifest(tag)
            if found is None:
                continue
            if not self._settings.force:
                raise StoreError(
                    f"the tag {tag} exists already",
                    code="target-exists",
                    store=self.label,
                    remedy=Wording(
                        "{force=True} replaces it, and keeps the old image under another tag"
                    ),
                )
            self._replaced[tag] = found

    def _refuse_twins(self, first: Root, second: Root, tag: str) -> None:
        if first.descriptor.digest != second.descriptor.digest:
            names = " and ".join(filter(None, (called(it.annotations) for it in (first, second))))
            raise UsageError(
                f"two images would have the tag {tag}: {names}",
                code="same-name",
                where=str(self._reference),
                remedy="convert them one by one, each with its own tag",
            )

    def name_of(self, root: Root) -> str | None:
        """The reference of the image, without its transport."""
        return f"{self._reference.repository}:{self._tag(root)}"

    def _tag(self, root: Root) -> str:
        if isinstance(self._reference, ImageReference):
            return self._reference.tag or ""
        tag = (called(root.annotations) or "").rpartition(":")[2]
        if not tag:
            raise UsageError(
                f"{root.descriptor.digest} has no name to make a tag of",
                code="no-repository-name",
                where=str(self._reference),
                remedy="name one image, and a destination without {tag}",
            )
        return str(self._reference.fill(tag).tag)

    def has(
        self,
        descriptor: Descriptor,
        *,
        document: bool = False,
        verify: bool = False,
        watch: Callable[[int], None] = unwatched,
    ) -> bool:
        if document:
            return descriptor.digest in self._documents or self._has_document(descriptor)
        return self._is_whole(descriptor, watch) if verify else self._there(descriptor)

    def _has_document(self, descriptor: Descriptor) -> bool:
        try:
            found = self._remote.find_manifest(descriptor.digest)
        except BlobError:
            return False
        return found is not None and len(found.raw) == descriptor.size

    def _is_whole(self, descriptor: Descriptor, watch: Callable[[int], None]) -> bool:
        """Whether a blob is there with the bytes of its digest: it is read to its end."""
        try:
            for chunk in self._remote.blob(descriptor.name, descriptor.size):
                watch(len(chunk))
        except BlobError as error:
            if error.code != "blob-missing":
                self._damaged.add(descriptor.digest)
                self._remote.forget(descriptor.name)
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
        if expected is None:
            return self._remote.put_stream(_once(chunks, where), algorithm)
        if document:
            checked = verified(iter(chunks), expected.name, expected.size, where)
            self._documents[expected.digest] = (expected, b"".join(checked))
        elif not self._there(expected):
            raw = b"".join(chunks) if isinstance(chunks, list) else None
            again = (lambda: iter((raw,))) if raw is not None else _once(chunks, where)
            self._place(expected, again, where)
        return expected.name, expected.size

    def take(
        self,
        source: Source,
        descriptor: Descriptor,
        where: str,
        *,
        watch: Callable[[int], None] = unwatched,
        link: bool = False,
    ) -> int:
        """Mount the blob where source and target are one registry, else upload it."""
        origin = self._origin(source)
        if origin is None and self._there(descriptor):
            return 0
        if self._remote.sends:
            chunks = partial(_watched, source, descriptor, watch)
        else:
            chunks = partial(in_dry_run, source, descriptor, where, watch)
        placed = self._place(descriptor, chunks, where, origin)
        return descriptor.size if placed is Placed.UPLOADED else 0

    def _place(
        self, descriptor: Descriptor, chunks: Chunks, where: str, origin: Repository | None = None
    ) -> Placed:
        size = self._sizes.get(descriptor.digest, descriptor.size)
        if size != descriptor.size:
            raise BlobError(
                f"two descriptors of the blob {descriptor.name.short()} differ: "
                f"{size} bytes, and {descriptor.size}",
                code="wrong-size",
                where=where,
                remedy="fetch the image again",
            )
        placed = self._remote.put_blob(
            descriptor.name, descriptor.size, chunks, where=where, mount_from=origin
        )
        self._sizes[descriptor.digest] = descriptor.size
        if descriptor.digest in self._damaged and self._remote.sends:
            # Registries that have a blob often keep it, whatever is sent under its digest.
            for _ in self._remote.blob(descriptor.name, descriptor.size):
                pass
            self._damaged.discard(descriptor.digest)
        return placed

    def _there(self, descriptor: Descriptor) -> bool:
        """Whether the repository has a blob that is not damaged: a request, unless it is known."""
        check_algorithm(descriptor.name.algorithm)
        if descriptor.digest in self._damaged:
            return False
        if self._remote.knows(descriptor.name) and descriptor.size == self._sizes.get(
            descriptor.digest
        ):
            return True
        head = self._remote.head_blob(descriptor.name)
        if head is None:
            return False
        if head.size in (None, descriptor.size):
            self._sizes[descriptor.digest] = descriptor.size
            return True
        self._remote.forget(descriptor.name)
        return False

    def commit(self, roots: Sequence[Root]) -> None:
        tagged = {root.descriptor.digest for root in roots if self._names(root)}
        for digest, (descriptor, raw) in self._documents.items():
            if digest not in tagged:
                self._push(descriptor, raw)
        for root in sorted(roots, key=lambda root: not root.referrer):
            tag = self._names(root)
            if tag is not None:
                self._name(root, tag)

    def _names(self, root: Root) -> str | None:
        """The tag that an image gets, or a signature has; ``None`` for what goes by its digest."""
        if not root.referrer:
            return self._tag(root)
        tag = root.name or root.annotations.get(REF_NAME)
        return tag if tag is not None and "/" not in tag and ":" not in tag else None

    def _push(self, descriptor: Descriptor, raw: bytes, tag: str | None = None) -> None:
        algorithm = descriptor.name.algorithm
        pushed = self._remote.put_manifest(raw, descriptor.media_type, tag=tag, algorithm=algorithm)
        # Most documents have no subject, and need not be read once more.
        tells = b"subject" in raw or b"\\u" in raw
        if pushed.new and tells and not pushed.subject_handled:
            self._list(descriptor, read_document(raw, descriptor.media_type))

    def _list(self, descriptor: Descriptor, document: Document) -> None:
        """List a document among the referrers of its subject, if it has one."""
        found = document.model
        if found.subject is None:
            return
        config = found.config.media_type if isinstance(found, Manifest) else None
        about = {"artifactType": found.artifact_type or config, "annotations": found.annotations}
        told = {name: value for name, value in about.items() if value}
        self._remote.add_referrer(found.subject.name, descriptor.triple() | told)

    def _document(self, descriptor: Descriptor) -> tuple[Descriptor, bytes]:
        """A document that was put, or was here before."""
        put = self._documents.get(descriptor.digest)
        return put or (descriptor, self._remote.manifest(descriptor.digest).raw)

    def _name(self, root: Root, tag: str) -> None:
        """Push a root by its tag: the one request by which an image appears."""
        descriptor, raw = self._document(root.descriptor)
        old = self._replaced.get(tag)
        if old is not None and self._settings.keep_original and old.digest != descriptor.digest:
            kept = f"{tag[:100]}-before-{old.digest.encoded[:_BEFORE]}"
            self._remote.put_manifest(old.raw, old.media_type, tag=kept)
        self._push(descriptor, raw, tag)
        if self._settings.verify_written:
            found = self._remote.manifest(tag)
            if found.raw != raw:
                raise BlobError(
                    f"the tag {tag} names {found.digest} now, and not {descriptor.digest}",
                    code="digest-mismatch",
                    store=self.label,
                    remedy="somebody else pushed it at the same time, or the registry is broken",
                    digest=descriptor.digest,
                    expected=descriptor.digest,
                    actual=found.digest,
                )

    def abort(self) -> None:
        """Nothing has a tag yet; blobs that were pushed are left to the registry."""
        self._documents.clear()

    def close(self) -> None:
        """The connections belong to the client."""


def _watched(
    source: Source, descriptor: Descriptor, watch: Callable[[int], None]
) -> Iterator[bytes]:
    return watched(source.stream(descriptor), watch)


def _once(chunks: Iterable[bytes], where: str) -> Callable[[], Iterable[bytes]]:
    """Chunks that cannot be made a second time, for a call that may want them again."""
    left = [chunks]

    def give() -> Iterable[bytes]:
        if not left:
            raise StoreError(
                "the connection broke off in the middle of a layer that is recompressed",
                code="connection-broken",
                where=where,
                remedy="run it again",
            )
        return left.pop()

    return give
