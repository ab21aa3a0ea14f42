"""What a registry stores: blobs, manifests and tags by repository, and uploads under way."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

__all__ = ["Content", "Repository", "Stored", "digest_of"]


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    """The digest of bytes."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


@dataclass(frozen=True)
class Stored:
    """A manifest, and the type that it was pushed with."""

    media_type: str
    raw: bytes


@dataclass
class Repository:
    """What one repository holds."""

    blobs: set[str] = field(default_factory=set)
    manifests: dict[str, Stored] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    rewritten: set[str] = field(default_factory=set)
    """Manifests that were pushed once more, which no other one has named since."""

    def find(self, reference: str) -> tuple[str, Stored] | None:
        """The digest and the manifest under a tag or a digest."""
        digest = reference if ":" in reference else self.tags.get(reference, "")
        stored = self.manifests.get(digest)
        return None if stored is None else (digest, stored)

    def referrers(self, subject: str) -> list[dict[str, Any]]:
        """The descriptors of the manifests that name ``subject`` as theirs."""
        found = []
        for digest, stored in self.manifests.items():
            body = json.loads(stored.raw)
            if (body.get("subject") or {}).get("digest") != subject:
                continue
            config = body.get("config") or {}
            entry: dict[str, Any] = {
                "mediaType": stored.media_type,
                "digest": digest,
                "size": len(stored.raw),
                "artifactType": body.get("artifactType") or config.get("mediaType", ""),
            }
            if body.get("annotations"):
                entry["annotations"] = body["annotations"]
            found.append(entry)
        return found


class Content:
    """Everything; hold :attr:`lock` while more than one thing is done to it."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.data: dict[str, bytes] = {}
        """The bytes of blobs, stored once for all repositories."""
        self.uploads: dict[str, bytearray] = {}
        self.lock = RLock()

    def repository(self, name: str) -> Repository:
        """A repository, made if it is not there."""
        with self.lock:
            return self.repositories.setdefault(name, Repository())

    def add_blob(self, name: str, data: bytes, digest: str | None = None) -> str:
        """Put a blob into a repository, and give its digest."""
        digest = digest or digest_of(data)
        with self.lock:
            self.data[digest] = data
            self.repository(name).blobs.add(digest)
        return digest

    def add_manifest(
        self, name: str, raw: bytes, media_type: str, *tags: str, digest: str | None = None
    ) -> str:
        """Put a manifest into a repository, and give its digest."""
        digest = digest or digest_of(raw)
        with self.lock:
            repository = self.repository(name)
            repository.manifests[digest] = Stored(media_type, raw)
            repository.tags.update(dict.fromkeys(tags, digest))
        return digest

    def push(
        self,
        name: str,
        tag: str,
        raw: bytes,
        media_type: str,
        blobs: Mapping[str, bytes],
        children: Iterable[tuple[bytes, str]] = (),
    ) -> str:
        """Put a whole image into a repository: blobs by digest, children, and the root.

        What is among ``blobs`` and is a child or the root, is put as the manifest that it is.
        """
        documents = [*children, (raw, media_type)]
        for child, kind in documents:
            self.add_manifest(name, child, kind)
        known = {digest_of(child) for child, _ in documents}
        for digest, data in blobs.items():
            if digest not in known:
                self.add_blob(name, data, digest)
        return self.add_manifest(name, raw, media_type, tag)

    def open_upload(self) -> str:
        """Begin an upload, and give its name."""
        name = secrets.token_hex(8)
        with self.lock:
            self.uploads[name] = bytearray()
        return name
