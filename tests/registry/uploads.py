"""Blobs that come in: mounted, in one piece, or in several."""

from __future__ import annotations

import re
from typing import Final

from registry.content import Content, digest_of
from registry.messages import Reply, Request, failure
from registry.personality import Chunks, Mounts, Personality

__all__ = ["UploadRequests"]

_RANGE: Final = re.compile("([0-9]+)-([0-9]+)")
_TOO_FAR: Final = 416


class UploadRequests:
    """Answers everything below ``blobs/uploads/``."""

    def __init__(self, content: Content, personality: Personality, origin: str) -> None:
        self._content = content
        self._personality = personality
        self._origin = origin

    def answer(self, request: Request, name: str, upload: str) -> Reply:
        """The answer to a request for the upload of that name, empty for a new one."""
        if not upload:
            return self._begin(request, name) if request.method == "POST" else Reply(405)
        if upload not in self._content.uploads:
            return failure(404, "BLOB_UPLOAD_UNKNOWN")
        if request.method == "PATCH":
            return self._append(request, name, upload)
        if request.method == "PUT":
            return self._finish(request, name, upload)
        if request.method == "DELETE":
            del self._content.uploads[upload]
            return Reply(204)
        return self._state(204, name, upload)

    def _begin(self, request: Request, name: str) -> Reply:
        digest, source = request.query("mount"), request.query("from")
        mounts = self._personality.mounts
        if digest and mounts is Mounts.REFUSED:
            return failure(405, "UNSUPPORTED")
        if digest and source and mounts is Mounts.YES:
            known = self._content.repositories.get(source)
            if known is not None and digest in known.blobs:
                self._content.repository(name).blobs.add(digest)
                return self._made(name, digest)
        return self._state(202, name, self._content.open_upload())

    def _append(self, request: Request, name: str, upload: str) -> Reply:
        data = self._content.uploads[upload]
        how, size = self._personality.chunks, len(request.body)
        if how is Chunks.NONE:
            return failure(405, "UNSUPPORTED")
        stated = request.headers.get("Content-Range")
        if stated is not None:
            match = _RANGE.fullmatch(stated)
            if match is None:
                return failure(400, "BLOB_UPLOAD_INVALID", "no such range")
            first, last = int(match[1]), int(match[2])
            ordered = first == len(data) and last - first + 1 == size
            largest = self._personality.largest_chunk
            if (not ordered and how is not Chunks.SILENT) or (largest and size > largest):
                return Reply(_TOO_FAR, {"Range": f"0-{max(0, len(data) - 1)}"})
        if how is Chunks.DROPPED and data:
            return self._state(202, name, upload)
        data += request.body
        return self._state(202, name, upload)

    def _finish(self, request: Request, name: str, upload: str) -> Reply:
        data = self._content.uploads[upload]
        digest = request.query("digest")
        if request.body and self._personality.chunks is Chunks.ONLY:
            return failure(405, "UNSUPPORTED", "send it in pieces")
        if digest is None:
            return failure(400, "DIGEST_INVALID", "there is no digest")
        whole = bytes(data + request.body)
        algorithm = digest.partition(":")[0]
        if algorithm not in {"sha256", "sha384", "sha512"} or digest_of(whole, algorithm) != digest:
            del self._content.uploads[upload]
            return failure(400, "DIGEST_INVALID", detail=digest)
        self._content.add_blob(name, whole, digest)
        del self._content.uploads[upload]
        return self._made(name, digest)

    def _made(self, name: str, digest: str) -> Reply:
        headers = {"Location": self._at(f"/v2/{name}/blobs/{digest}")}
        if self._personality.digest_header:
            headers["Docker-Content-Digest"] = digest
        return Reply(201, headers)

    def _state(self, status: int, name: str, upload: str) -> Reply:
        headers = {
            "Location": self._at(f"/v2/{name}/blobs/uploads/{upload}"),
            "Range": f"0-{max(0, len(self._content.uploads[upload]) - 1)}",
        }
        if self._personality.least_chunk:
            headers["OCI-Chunk-Min-Length"] = str(self._personality.least_chunk)
        return Reply(status, headers)

    def _at(self, path: str) -> str:
        return self._personality.location.format(origin=self._origin, path=path)
