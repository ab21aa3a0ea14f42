"""Manifests and indexes of a repository: read and pushed as bytes, under their digests and tags.

Implements *Pulling manifests* and *Pushing manifests* of the OCI distribution specification 1.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from oci_convert.documents.document import type_of
from oci_convert.errors import BlobError, OciConvertError
from oci_convert.spec.digest import CANONICAL, Digest
from oci_convert.spec.media_types import SPELLINGS
from oci_convert.spec.media_types import Kind as BlobKind
from oci_convert.stores.registry.calls import Call, Kind
from oci_convert.stores.registry.headers import media_type, number
from oci_convert.stores.registry.lists import Lists
from oci_convert.stores.registry.refusals import TryAgain, refused, words_of
from oci_convert.stores.registry.remote import bad_answer, stated_digest
from oci_convert.stores.registry.retries import Retries
from oci_convert.stores.registry.transport import Answer

__all__ = ["ACCEPT", "MEDIA_TYPES", "Fetched", "Head", "Manifests", "Pushed"]

MEDIA_TYPES: Final = tuple(
    name
    for name, meaning in SPELLINGS.items()
    if meaning.cell.kind in {BlobKind.INDEX, BlobKind.MANIFEST}
    or name.endswith(".artifact.manifest.v1+json")
)
"""Every type that a root can have."""
ACCEPT: Final = ", ".join(MEDIA_TYPES)
"""The same as a header. Without q-values, which some registries read wrongly."""

_MADE: Final = frozenset({HTTPStatus.CREATED, HTTPStatus.OK, HTTPStatus.ACCEPTED})
_LATE: Final = frozenset({"DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"})
"""What a registry says of a manifest whose parts somebody else puts at the same moment, or that it
took just now: by the next try it has them."""
_LATE_TRIES: Final = 6
"""Somebody else may put every child of a list in turn, and each of them spoils one try."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a registry says of something without giving it; each part may be missing."""

    digest: Digest | None
    media_type: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document as a registry gave it, verified."""

    raw: bytes = field(repr=False)
    label: str
    """Of ``Content-Type``, without parameters: a registry or a proxy may be wrong about it."""
    digest: Digest

    @property
    def media_type(self) -> str:
        """What the document is, as it says itself; its label where that cannot be read."""
        try:
            return type_of(self.raw)
        except OciConvertError:
            return self.label

    def head(self) -> Head:
        """What a registry would say of it."""
        return Head(self.digest, self.media_type, len(self.raw))


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a document."""

    digest: Digest
    new: bool
    """Whether it was sent; else this run knew that it was there."""
    subject_handled: bool = False
    """Whether the registry said that it will list it among the referrers of its subject."""


class Manifests(Lists):
    """Reads and pushes documents."""

    def manifest(self, reference: str) -> Fetched:
        """The document under a tag or a digest, verified.

        Raises :class:`StoreError` (``no-such-tag``, ``no-such-manifest``, ``no-such-repository``,
        ``not-a-registry``) and :class:`BlobError` (``digest-mismatch``).
        """
        call = self._get(reference)
        answer = self.host.ask(call)
        found = self._fetched(call, answer)
        if found is None:
            raise self.absent(call, answer)
        return found

    def find_manifest(self, reference: str) -> Fetched | None:
        """The same, or ``None`` if it is not there."""
        call = self._get(reference)
        return self._fetched(call, self.host.ask(call))

    def head_manifest(self, reference: str) -> Head | None:
        """What is under a tag or a digest, without its bytes; ``None`` if nothing is."""
        call = self._get(reference, "HEAD")
        answer = self.host.ask(call)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            # A refusal of HEAD has no body, and so no reason: ask for it.
            found = self.find_manifest(reference)
            return None if found is None else found.head()
        return head_of(call, answer)

    def put_manifest(
        self, raw: bytes, media_type: str, *, tag: str | None = None, algorithm: str = CANONICAL
    ) -> Pushed:
        """Push a document: under its digest, or under ``tag``, which then names it.

        One that is known to be here is not sent again without a tag. In a run, nobody else puts
        the same document at the same time. What a registry says that just has not everything yet
        is tried again, six times; one that does not say what digest it took is asked for it.
        Raises :class:`StoreError` (``manifest-refused``, ``manifest-blob-unknown``,
        ``registry-denied`` and the like) and :class:`BlobError` (``digest-mismatch``).
        """
        digest = Digest.of(raw, algorithm)
        key = self._key(digest, Kind.MANIFEST)
        with self._known.alone(key):
            if tag is None and key in self._known:
                return Pushed(digest, new=False)
            subject = tag or digest
            headers = {"Content-Type": media_type}
            path = f"manifests/{quote(subject, safe=':')}"
            call = self._call(
                Kind.MANIFEST, "PUT", path, subject, headers=headers, body=raw, size=len(raw)
            )
            answer = self._put(call, digest)
            self._known.add(key)
        return Pushed(digest, new=True, subject_handled="OCI-Subject" in answer.headers)

    def _put(self, call: Call, digest: Digest) -> Answer:
        retries = Retries(self.host.options, self.host.pace, _LATE_TRIES)
        while True:
            answer = self.host.ask(call)
            if answer.status in _MADE:
                if self._is_taken(call, answer, digest):
                    return answer
                retries.wait(TryAgain(_not_kept(call)))
                continue
            words = words_of(answer)
            late = not words.codes.isdisjoint(_LATE)
            unknown = answer.status == HTTPStatus.NOT_FOUND and "MANIFEST_UNKNOWN" in words.codes
            error = refused(call, answer)
            if not late and not unknown:
                raise error
            # What cannot be read for a moment is there: to put it again would be the next moment.
            gone = () if "DIGEST_INVALID" in words.codes else words.digests
            for lost in gone:
                self._known.discard(self._key(lost))
                self._known.discard(self._key(lost, Kind.MANIFEST))
            retries.wait(TryAgain(error))

    def _is_taken(self, call: Call, answer: Answer, digest: Digest) -> bool:
        """Whether a registry has what it says that it took."""
        stated = stated_digest(call, answer)
        if stated is not None and stated.algorithm == digest.algorithm:
            if stated != digest:
                raise _misnamed(call, stated, digest)
            return True
        found = self.find_manifest(call.subject)
        return found is not None and found.raw == call.body

    def _get(self, reference: str, method: str = "GET") -> Call:
        path = f"manifests/{quote(reference, safe=':')}"
        return self._call(Kind.MANIFEST, method, path, reference, headers={"Accept": ACCEPT})

    def _fetched(self, call: Call, answer: Answer) -> Fetched | None:
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise refused(call, answer)
        asked = Digest(call.subject) if ":" in call.subject else None
        stated = stated_digest(call, answer)
        digest = Digest.of(answer.body, asked.algorithm if asked else CANONICAL)
        if asked is not None and asked != digest:
            raise _not_asked(call, len(answer.body), asked, digest)
        if stated is not None and stated != digest:
            # A registry may state the digest of another algorithm, which then has to be right, too.
            same = stated.algorithm == digest.algorithm
            if same or Digest.of(answer.body, stated.algorithm) != stated:
                raise _misnamed(call, stated, digest)
        self._known.add(self._key(digest, Kind.MANIFEST))
        return Fetched(answer.body, media_type(answer.headers.get("Content-Type", "")), digest)


def head_of(call: Call, answer: Answer) -> Head:
    """What the headers of an answer say."""
    return Head(
        stated_digest(call, answer),
        media_type(answer.headers.get("Content-Type", "")),
        number(answer.headers.get("Content-Length", "")),
    )


def _not_asked(call: Call, size: int, wanted: Digest, got: Digest) -> OciConvertError:
    return BlobError(
        f"the registry gave {size} bytes that hash to {got.short()}, not to {wanted.short()}",
        code="digest-mismatch",
        store=call.where,
        remedy="the registry or a proxy before it is broken",
        digest=wanted,
        expected=wanted,
        actual=got,
    )


def _not_kept(call: Call) -> OciConvertError:
    return bad_answer(call, "that it took the manifest, and has not got it")


def _misnamed(call: Call, stated: Digest, digest: Digest) -> OciConvertError:
    return BlobError(
        f"the registry calls {stated.short()} what hashes to {digest.short()}",
        code="digest-mismatch",
        store=call.where,
        remedy="the registry or a proxy before it is broken",
        digest=stated,
        expected=stated,
        actual=digest,
    )
