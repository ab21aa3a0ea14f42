"""A repository of a registry as a source of images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO, Final

from oci_convert.documents.document import Role, read_document
from oci_convert.errors import BlobError, OciConvertError, StoreError
from oci_convert.layers.chunk_reader import ChunkReader
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import names_blobs
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import CONTAINERD_NAME, REF_NAME, referrers_tag
from oci_convert.stores.base import HEAD, Root, Source
from oci_convert.stores.registry.client import RemoteRepository
from oci_convert.stores.registry.lists import shortened
from oci_convert.stores.registry.manifests import MEDIA_TYPES, Fetched
from oci_convert.stores.registry.reference import EveryTag, ImageReference
from oci_convert.stores.registry.referrers import INDEX
from oci_convert.stores.traffic import Traffic
from oci_convert.text.wording import Wording

__all__ = ["RegistrySource"]

_COSIGN: Final = (".sig", ".att", ".sbom")
"""What cosign appends to the tag that stands for an image."""


class RegistrySource(Source):
    """Reads the images that a reference means. Documents are fetched once and kept."""

    remote = True

    def __init__(
        self,
        repository: RemoteRepository,
        reference: ImageReference | EveryTag,
        *,
        tags: re.Pattern[str] | None = None,
        inspects_layers: bool = False,
    ) -> None:
        self.label: str = f"docker://{reference.repository}"
        self.remote_repository = repository
        self.traffic: Traffic = repository.access.traffic
        self.inspects_layers = inspects_layers
        self._reference = reference
        self._pattern = tags
        self._listed: frozenset[str] | None = None
        """Every tag of the repository, where they were listed."""
        self._heads: dict[str, bytes] = {}
        self._documents: dict[str, bytes] = {}
        self._roots: tuple[Root, ...] | None = None
        self._together = repository.host.together

    def roots(self) -> Sequence[Root]:
        if self._roots is None:
            reference = self._reference
            if isinstance(reference, EveryTag):
                tags = self._chosen(self.remote_repository.tags())
                self._roots = tuple(self._together(lambda tag: self._root(tag, tag), tags))
            else:
                self._roots = (self._root(reference.target, reference.tag),)
        return self._roots

    def _chosen(self, tags: list[str]) -> list[str]:
        """Those of all tags that are meant."""
        self._listed = frozenset(tags)
        pattern = self._pattern
        chosen = [tag for tag in tags if pattern is None or pattern.fullmatch(tag)]
        if pattern is not None and tags and not chosen:
            raise StoreError(
                f"no tag matches {pattern.pattern}",
                code="no-such-tag",
                store=self.label,
                remedy=f"it must match all of a tag; there are {shortened(tags)}",
            )
        return chosen

    def _root(self, target: str, tag: str | None) -> Root:
        found = self.remote_repository.manifest(target)
        self._documents[found.digest] = found.raw
        media_type = self._media_type(found, target)
        descriptor = Descriptor(media_type=media_type, digest=found.digest, size=len(found.raw))
        if tag is None:
            return Root(descriptor)
        name = f"{self._reference.repository}:{tag}"
        return Root(descriptor, {REF_NAME: tag, CONTAINERD_NAME: name}, name)

    def referrers(self, subjects: Sequence[Descriptor]) -> Sequence[tuple[str, Root]]:
        """By the API, else by the tag that stands for it; and what cosign tags.

        What some registries answer to requests that they do not know is learnt from the first.
        """
        first = [self._referrers(subject) for subject in subjects[:1]]
        found = [*first, *self._together(self._referrers, subjects[1:])]
        listed = zip(subjects, found, strict=True)
        return list(
            {
                root.descriptor.digest: (subject.digest, root)
                for subject, some in listed
                for root in some
            }.values()
        )

    def _referrers(self, subject: Descriptor) -> list[Root]:
        remote, found = self.remote_repository, []
        tag = referrers_tag(subject.name)
        tagged = self._listed is None or self._is_elsewhere(tag)
        for page in remote.referrers(subject.name, tagged=tagged):
            listed = read_document(page.raw, INDEX, f"{self.label}@{subject.digest}")
            found += [
                Root(slot.descriptor.model_copy(update={"annotations": None}))
                for slot in listed.slots
                if slot.role is Role.ENTRY
            ]
        tags = (tag + suffix for suffix in _COSIGN)
        found += [self._root(tag, tag) for tag in tags if self._is_elsewhere(tag)]
        return found

    def _is_elsewhere(self, tag: str) -> bool:
        """Whether a tag is in the repository, and not among the images that are meant."""
        if self._listed is None:
            return self.remote_repository.head_manifest(tag) is not None
        chosen = self._pattern is None or self._pattern.fullmatch(tag)
        return tag in self._listed and not chosen

    def _media_type(self, found: Fetched, target: str) -> str:
        """What a document is; a proxy may answer by itself, with something that is none."""
        media_type = found.media_type
        if media_type in MEDIA_TYPES:
            return media_type  # if it is only a label, whoever reads it will say what is wrong
        told = self.remote_repository.host.mask.told(media_type)
        raise StoreError(
            f"the registry answers with {told or 'something'} in the place of a manifest",
            code="bad-registry-answer",
            store=f"{self.label}{'@' if ':' in target else ':'}{target}",
            remedy="check that this is a registry; it, or a proxy before it, may be broken",
        )

    def prefetch(self, descriptors: Sequence[Descriptor]) -> None:
        wanted = [one for one in descriptors if one.digest not in self._documents]
        if len(wanted) > 1:
            self._together(self._fetch, wanted)

    def _fetch(self, descriptor: Descriptor) -> None:
        # What is wrong shows when the document is read.
        with suppress(OciConvertError):
            self._document(descriptor)

    def _document(self, descriptor: Descriptor) -> bytes:
        raw = self._find_document(descriptor.name)
        if raw is None:
            raise self.missing(descriptor.name)
        return raw

    def _find_document(self, digest: Digest) -> bytes | None:
        raw = self._documents.get(digest)
        if raw is None:
            found = self.remote_repository.find_manifest(digest)
            if found is None:
                return None
            raw = self._documents[digest] = found.raw
        return raw

    def size(self, digest: Digest) -> int | None:
        raw = self._documents.get(digest)
        if raw is None:
            head = self.remote_repository.head_blob(digest)
            if head is not None and head.size is not None:
                return head.size
            if head is not None:
                return sum(map(len, self.remote_repository.blob(digest, None)))
            raw = self._find_document(digest)
        return None if raw is None else len(raw)

    def open(self, digest: Digest) -> BinaryIO:
        size = self.size(digest)
        if size is None:
            raise self.missing(digest)
        raw = self._documents.get(digest)
        if raw is not None:
            return ChunkReader(iter((raw,)))
        return ChunkReader(self.remote_repository.blob(digest, size, verify=False))

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        if descriptor.name in self.embedded:
            yield from super().stream(descriptor)
            return
        if descriptor.digest in self._documents or names_blobs(descriptor.media_type):
            yield self._document(descriptor)
            return
        chunks = self.remote_repository.blob(descriptor.name, descriptor.size, verify=False)
        try:
            yield next(chunks, b"")
        except BlobError as error:
            if error.code != "blob-missing":
                raise
            # What an index lists is among the manifests here, whatever it is.
            yield self._document(descriptor)
        yield from chunks

    def read(self, descriptor: Descriptor, where: str) -> Iterator[bytes]:
        try:
            yield from super().read(descriptor, where)
        except BlobError as error:
            if error.code == "blob-missing":
                raise
            raise error.but(store="", where=where) from None

    def head(self, descriptor: Descriptor) -> bytes:
        if descriptor.name in self.embedded:
            return super().head(descriptor)
        head = self._heads.get(descriptor.digest)
        if head is None:
            try:
                head = self.remote_repository.blob_head(descriptor.name, descriptor.size, HEAD)
            except BlobError:
                head = self._document(descriptor)[:HEAD]
            self._heads[descriptor.digest] = head
        return head

    def missing(self, digest: Digest) -> BlobError:
        return BlobError(
            f"the registry does not have {digest}",
            code="blob-missing",
            store=self.label,
            remedy=Wording(
                "push the image again, or choose what is there with {platforms=…} or {sparse=…}"
            ),
            digest=digest,
        )

    def close(self) -> None:
        """The connections belong to the client."""
