"""The answers of a registry, as a function of a request and of what is stored.

Implements the OCI distribution specification 1.1 as far as a :class:`Personality` lets it.
"""

from __future__ import annotations

import json
import re
from typing import Final

from registry.acceptance import refusals
from registry.content import Content, Repository, digest_of
from registry.gate import Gate
from registry.messages import Reply, Request, failure
from registry.personality import Personality, ReferrersApi
from registry.uploads import UploadRequests

__all__ = ["Protocol"]

_PATH: Final = re.compile(
    r"/v2/(?P<name>.+?)/(?P<what>manifests|referrers|tags/list|blobs/uploads|blobs)"
    r"(?:/(?P<rest>[^/]*))?"
)
_INDEX: Final = "application/vnd.oci.image.index.v1+json"
_UNKNOWN: Final = {"manifests": "MANIFEST_UNKNOWN", "blobs": "BLOB_UNKNOWN"}
"""What is said not to be there if its repository is not."""
_JSON: Final = {"Content-Type": "application/json"}


class Protocol:
    """Answers requests. ``blobs_at`` is the origin of another host that blobs are served by."""

    def __init__(
        self,
        content: Content,
        personality: Personality,
        gate: Gate,
        origin: str,
        blobs_at: str | None = None,
    ) -> None:
        self.gate = gate
        self.origin = origin
        self.blobs_at = blobs_at
        self.personality = personality
        self._content = content

    def answer(self, request: Request) -> Reply:
        """The answer to a request, with everything done that it asks for."""
        with self._content.lock:
            reply = self._answer(request)
        headers: dict[str, str | None] = {}
        if self.personality.warning:
            headers["Warning"] = self.personality.warning
        if not self.personality.digest_header:
            headers["Docker-Content-Digest"] = None
        return reply.with_headers(headers)

    def _answer(self, request: Request) -> Reply:
        if request.path.startswith("/cdn/"):
            return self._served(request, request.path.removeprefix("/cdn/"))
        match = _PATH.fullmatch(request.path)
        name = match["name"] if match else ""
        stopped = self.gate.token(request) or self.gate.refuse(
            request, _scope(request, name), self.origin
        )
        if stopped is not None:
            return stopped
        if match is None:
            return self._elsewhere(request)
        return self._below(request, name, match["what"], match["rest"] or "")

    def _below(self, request: Request, name: str, what: str, rest: str) -> Reply:
        """The answer to a request for something in a repository."""
        if what == "blobs/uploads":
            uploads = UploadRequests(self._content, self.personality, self.origin)
            return uploads.answer(request, name, rest)
        if what == "manifests" and request.method == "PUT":
            return self._put_manifest(request, name, rest)
        repository = self._content.repositories.get(name)
        if repository is None:
            return failure(404, _UNKNOWN.get(what, "NAME_UNKNOWN"), detail={"name": name})
        if request.method not in {"GET", "HEAD"}:
            return Reply(405)
        if what == "tags/list":
            return self._page(request, "tags", name, sorted(repository.tags))
        give = {"manifests": self._manifest, "blobs": self._blob, "referrers": self._referrers}
        return give[what](request, repository, rest)

    def _elsewhere(self, request: Request) -> Reply:
        if request.path == "/v2/":
            return Reply(200, _JSON, b"{}")
        if request.path == "/v2/_catalog" and self.personality.catalog:
            return self._page(request, "repositories", "", sorted(self._content.repositories))
        return failure(404, "UNKNOWN", "404 page not found")

    # -- manifests ------------------------------------------------------------------------------

    def _manifest(self, request: Request, repository: Repository, reference: str) -> Reply:
        found = repository.find(reference)
        if found is None:
            return failure(404, "MANIFEST_UNKNOWN", detail={"reference": reference})
        digest, stored = found
        accepted = request.headers.get("Accept", "")
        if self.personality.heeds_accept and stored.media_type not in accepted:
            return failure(404, "MANIFEST_UNKNOWN", "not in a format that was asked for")
        kind = self.personality.serves_as or stored.media_type
        headers = {"Content-Type": kind, "Docker-Content-Digest": digest}
        return Reply(200, headers, stored.raw)

    def _put_manifest(self, request: Request, name: str, reference: str) -> Reply:
        raw, kind = request.body, request.headers.get("Content-Type", "").partition(";")[0]
        repository = self._content.repository(name)
        refusal = next(refusals(self.personality, repository, raw, kind), None)
        if refusal is not None:
            return refusal
        digest = digest_of(raw)
        if ":" in reference:
            digest = digest_of(raw, reference.partition(":")[0])
            if digest != reference:
                return failure(400, "DIGEST_INVALID", detail=reference)
        tags = [] if ":" in reference else [reference]
        if digest in repository.manifests:
            repository.rewritten.add(digest)
        self._content.add_manifest(name, raw, kind, *tags, digest=digest)
        headers = {
            "Location": f"{self.origin}/v2/{name}/manifests/{digest}",
            "Docker-Content-Digest": digest,
        }
        subject = json.loads(raw).get("subject")
        if subject and self.personality.referrers is ReferrersApi.YES:
            headers["OCI-Subject"] = subject["digest"]
        return Reply(201, headers)

    # -- blobs ----------------------------------------------------------------------------------

    def _blob(self, request: Request, repository: Repository, digest: str) -> Reply:
        if digest not in repository.blobs:
            return failure(404, "BLOB_UNKNOWN", detail={"digest": digest})
        if self.blobs_at is not None and request.method == "GET":
            return Reply(307, {"Location": f"{self.blobs_at}/cdn/{digest}?signature=s3cr3t"})
        return self._served(request, digest)

    def _served(self, request: Request, digest: str) -> Reply:
        data = self._content.data.get(digest)
        if data is None:
            return Reply(404)
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
        match = re.fullmatch("bytes=([0-9]+)-([0-9]*)", request.headers.get("Range", ""))
        if match is None or not self.personality.ranges:
            return Reply(200, headers, data)
        first = int(match[1])
        last = min(int(match[2] or len(data)), len(data) - 1)
        if first > last:
            return Reply(416, {"Content-Range": f"bytes */{len(data)}"})
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        return Reply(206, headers, data[first : last + 1])

    # -- lists ----------------------------------------------------------------------------------

    def _referrers(self, _: Request, repository: Repository, subject: str) -> Reply:
        if self.personality.referrers is ReferrersApi.NO:
            return Reply(404, {"Content-Type": "text/plain"}, b"404 page not found\n")
        if self.personality.referrers is ReferrersApi.PAGE:
            return Reply(200, {"Content-Type": "text/html"}, b"<html>log in</html>")
        entries = repository.referrers(subject)
        body = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries}
        return Reply(200, {"Content-Type": _INDEX}, json.dumps(body).encode())

    def _page(self, request: Request, what: str, name: str, entries: list[str]) -> Reply:
        wanted = int(request.query("n") or 0) or len(entries) or 1
        size = min(wanted, self.personality.page or wanted)
        last = request.query("last")
        rest = [entry for entry in entries if last is None or entry > last]
        page = rest[:size]
        body = {"name": name, what: page} if name else {what: page}
        headers = dict(_JSON)
        if len(rest) > size:
            path = f"{request.path}?n={wanted}&last={page[-1]}"
            headers["Link"] = self.personality.link.format(origin=self.origin, path=path)
        return Reply(200, headers, json.dumps(body).encode())


def _scope(request: Request, name: str) -> str:
    """What a token needs for a request."""
    if name:
        reads = request.method in {"GET", "HEAD"} and "/uploads/" not in request.path
        origin = request.query("from") if "/uploads/" in request.path else None
        besides = f" repository:{origin}:pull" if origin else ""
        return f"repository:{name}:{'pull' if reads else 'pull,push'}{besides}"
    return "registry:catalog:*" if request.path == "/v2/_catalog" else ""
