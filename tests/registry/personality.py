"""What a registry does its own way: each switch is one that was seen in the field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["PERSONALITIES", "Chunks", "Framing", "Mounts", "Personality", "ReferrersApi"]

_MIB: Final = 1024 * 1024


class Mounts(Enum):
    """What becomes of a request to mount a blob from another repository."""

    YES = "mounted, 201"
    NO = "an upload is opened instead, 202"
    REFUSED = "405"


class Chunks(Enum):
    """What becomes of blobs in pieces."""

    YES = "taken, in order; others are refused with 416"
    SILENT = "appended in whatever order they come"
    DROPPED = "all but the first are thrown away, with 201"
    NONE = "405"
    ONLY = "and blobs in one piece are refused"


class Framing(Enum):
    """How a client learns where a body ends."""

    LENGTH = "by Content-Length"
    CHUNKED = "by the last chunk of several"
    CLOSE = "by the end of the connection"


class ReferrersApi(Enum):
    """What becomes of a request for the referrers of an image."""

    YES = "an index"
    NO = "404"
    PAGE = "a page for people, with 200"


@dataclass(frozen=True, kw_only=True)
class Personality:
    """How a registry differs from the specification, or uses its freedom."""

    accepts: frozenset[str] = frozenset({"docker", "oci"})
    """The families of media types that it takes anywhere in a manifest."""
    config_types: frozenset[str] | None = None
    """The only types of configs that it takes."""
    members: frozenset[str] | None = None
    """The only members of a manifest that it takes; others are met with 405."""
    checks_blobs: bool = True
    """Whether a manifest is refused whose blobs or children are not there."""
    checks_type: bool = True
    """Whether a manifest is refused whose ``mediaType`` is not its ``Content-Type``."""
    heeds_accept: bool = True
    """Whether a manifest of a type that was not asked for is not found."""
    digest_header: bool = True
    framing: Framing = Framing.LENGTH
    head_length: bool = True
    """Whether an answer to HEAD says how long the thing is."""
    serves_as: str | None = None
    """The ``Content-Type`` of every manifest, whatever it is."""
    ranges: bool = True
    """Whether parts of a blob are served."""
    mounts: Mounts = Mounts.YES
    chunks: Chunks = Chunks.YES
    least_chunk: int = 0
    largest_chunk: int | None = None
    location: str = "{origin}{path}"
    """How an address to go on is spelled."""
    referrers: ReferrersApi = ReferrersApi.YES
    page: int | None = None
    """How many tags are listed at once, however many were asked for; ``None`` for all."""
    link: str = '<{path}>; rel="next"'
    """How the address of the next page is spelled."""
    catalog: bool = True
    challenge: str = "Basic"
    """How the scheme of a challenge is spelled."""
    loses_rewritten: bool = False
    """Whether a manifest that is pushed once more is gone for the next one that names it."""
    warning: str | None = None
    """What it warns of, in every answer."""


_DISTRIBUTION: Final = Personality(
    referrers=ReferrersApi.NO,
    chunks=Chunks.SILENT,
    location="{origin}{path}?_state=abc%3D",
)

PERSONALITIES: Final[Mapping[str, Personality]] = {
    "the specification": Personality(),
    "distribution 2.8": _DISTRIBUTION,
    "ggcr": Personality(
        checks_blobs=False,
        checks_type=False,
        mounts=Mounts.NO,
        heeds_accept=False,
        referrers=ReferrersApi.NO,
        location="{path}",
    ),
    "olareg": Personality(link="<{path}>; rel=next", page=2, location="{path}"),
    "OCI only": Personality(accepts=frozenset({"oci"})),
    "Docker only": Personality(accepts=frozenset({"docker"}), referrers=ReferrersApi.NO),
    "strict about members": Personality(
        members=frozenset({"schemaVersion", "mediaType", "config", "layers", "manifests"}),
        referrers=ReferrersApi.NO,
        chunks=Chunks.DROPPED,
    ),
    "picky about configs": Personality(
        config_types=frozenset(
            {
                "application/vnd.oci.image.config.v1+json",
                "application/vnd.docker.container.image.v1+json",
            }
        ),
        referrers=ReferrersApi.NO,
    ),
    "no chunks": Personality(chunks=Chunks.NONE),
    "chunks only": Personality(chunks=Chunks.ONLY),
    "small chunks": Personality(largest_chunk=4 * _MIB, referrers=ReferrersApi.NO),
    "large chunks": Personality(least_chunk=_MIB),
    "no mounts": Personality(mounts=Mounts.NO),
    "mounts refused": Personality(mounts=Mounts.REFUSED),
    "pages for people": Personality(referrers=ReferrersApi.PAGE),
    "no digests": Personality(digest_header=False),
    "no lengths": Personality(head_length=False),
    "no ranges": Personality(ranges=False),
    "chunked bodies": Personality(framing=Framing.CHUNKED),
    "bodies without an end": Personality(framing=Framing.CLOSE),
    "a proxy that mislabels": Personality(
        serves_as="application/vnd.docker.distribution.manifest.v2+json; charset=utf-8"
    ),
    "pages with opaque links": Personality(
        page=1, link='<{origin}{path}&next_page=b3BhcXVl>; rel="next"'
    ),
    "shouting": Personality(challenge="BASIC"),
    "lists at the wrong moment": Personality(loses_rewritten=True),
    "warning": Personality(warning='299 - "this registry will be switched off"'),
}
"""Registries by name, each with what it is known for."""
