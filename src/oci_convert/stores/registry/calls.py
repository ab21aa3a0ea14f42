"""A request of the protocol, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from oci_convert.stores.registry.reference import SCHEME, Repository
from oci_convert.stores.registry.tokens import Authorizer
from oci_convert.stores.registry.transport import Body
from oci_convert.stores.traffic import Traffic

__all__ = ["Access", "Call", "Kind", "catalog_scope", "scope"]


class Kind(StrEnum):
    """What a request is about, as errors call it."""

    MANIFEST = "manifest"
    BLOB = "blob"
    UPLOAD = "upload"
    REFERRERS = "referrers"
    TAGS = "tags"
    CATALOG = "catalog"
    BASE = "registry"
    TOKEN = "token"  # noqa: S105 - the name of a thing, not the thing


def scope(repository: Repository, *, push: bool = False) -> str:
    """What a token is asked for: to read a repository, or to write it, too."""
    return f"repository:{repository.name}:{'pull,push' if push else 'pull'}"


def catalog_scope() -> str:
    """What a token is asked for that lists repositories."""
    return "registry:catalog:*"


@dataclass(frozen=True, slots=True)
class Access:
    """In whose name a repository is asked, for what, and who counts it."""

    repository: Repository
    authorizer: Authorizer
    scopes: frozenset[str]
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class Call:
    """A request. Its target is a path with its query, or an address that the registry gave."""

    access: Access
    kind: Kind
    method: str
    target: str
    subject: str = ""
    """The tag or the digest that it is about."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = None
    size: int = 0
    """The bytes of the body, where they are known before."""
    limit: str = "document_size"
    """The one of :class:`Limits` that the answer has to keep."""
    hurried: bool = False
    """Nobody waits long for the answer."""

    @property
    def repeatable(self) -> bool:
        """Whether the same call can be sent again: a stream of chunks is gone once it was sent."""
        return self.body is None or isinstance(self.body, bytes)

    @property
    def where(self) -> str:
        """The place that errors name, as a reference spells it."""
        place = f"{SCHEME}{self.access.repository}".rstrip("/")
        if not self.subject:
            return place
        return f"{place}{'@' if ':' in self.subject else ':'}{self.subject}"
