"""A repository of a registry, asked in somebody's name: what all requests to it have in common."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from oci_convert.errors import DocumentError, OciConvertError, StoreError
from oci_convert.spec.digest import Digest
from oci_convert.stores.known import Known
from oci_convert.stores.registry.calls import Access, Call, Kind
from oci_convert.stores.registry.host import Host
from oci_convert.stores.registry.reference import Repository
from oci_convert.stores.registry.transport import Answer, Body

__all__ = ["Remote", "bad_answer", "read_object", "stated_digest"]


class Remote:
    """Builds the requests to one repository, and remembers what is in it."""

    def __init__(self, host: Host, access: Access, known: Known) -> None:
        self.host = host
        self.access = access
        self._known = known

    @property
    def repository(self) -> Repository:
        """The repository that is asked."""
        return self.access.repository

    def knows(self, digest: Digest, kind: Kind = Kind.BLOB) -> bool:
        """Whether a blob, or a manifest, was seen here or put here in this run."""
        return self._key(digest, kind) in self._known

    def remember(self, digests: Iterable[Digest]) -> None:
        """These blobs are here: a manifest that was read here proves that its blobs are."""
        for digest in digests:
            self._known.add(self._key(digest))

    def forget(self, digest: Digest) -> None:
        """Think no longer that a blob is here as it should be."""
        self._known.discard(self._key(digest))

    def _key(self, digest: str, kind: Kind = Kind.BLOB) -> tuple[Repository, Kind, str]:
        """What is known of a digest: for a registry, a manifest is no blob."""
        return self.repository, kind, digest

    def _call(
        self,
        kind: Kind,
        method: str,
        path: str,
        subject: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        size: int = 0,
    ) -> Call:
        """A call to a path below that of the repository."""
        return Call(
            self.access,
            kind,
            method,
            f"/v2/{self.repository.name}/{path}",
            subject,
            headers or {},
            body,
            size,
        )

    def _is_registry(self) -> bool:
        """Whether anything at this host speaks the protocol."""
        call = Call(self.access, Kind.BASE, "GET", "/v2/")
        try:
            return self.host.ask(call).status == HTTPStatus.OK
        except OciConvertError:
            return True  # it cannot be told


def stated_digest(call: Call, answer: Answer) -> Digest | None:
    """What ``Docker-Content-Digest`` says, which may be nothing."""
    stated = answer.headers.get("Docker-Content-Digest", "")
    if not stated:
        return None
    try:
        return Digest(stated)
    except DocumentError:
        raise bad_answer(call, "with a digest that is none") from None


def bad_answer(call: Call, how: str) -> StoreError:
    """The error for an answer that makes no sense."""
    return StoreError(
        f"the registry answers {how}",
        code="bad-registry-answer",
        store=call.where,
        remedy="check that this is a registry; it, or a proxy before it, may be broken",
    )


def read_object(call: Call, answer: Answer) -> dict[str, Any]:
    """The JSON object of an answer; raises :class:`StoreError` (``bad-registry-answer``)."""
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise bad_answer(call, "with something else than a JSON object")
    return content
