"""Which manifests a registry takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from registry.content import Repository
from registry.messages import Reply, failure
from registry.personality import Personality

__all__ = ["refusals"]

_FAMILIES: Final = {"docker": "application/vnd.docker.", "oci": "application/vnd.oci."}
_MOST: Final = 4 * 1024 * 1024


def refusals(ways: Personality, repository: Repository, raw: bytes, kind: str) -> Iterator[Reply]:
    """Every reason not to take a manifest that was pushed as ``kind``."""
    if len(raw) > _MOST:
        yield failure(413, "MANIFEST_INVALID", "too large")
    try:
        body = json.loads(raw)
    except ValueError:
        yield failure(400, "MANIFEST_INVALID", "no JSON")
        return
    if ways.members is not None and not set(body) <= ways.members:
        yield failure(405, "UNSUPPORTED", "Invalid JSON syntax")
    if ways.checks_type and body.get("mediaType", kind) != kind:
        yield failure(400, "MANIFEST_INVALID", "mediaType does not match Content-Type")
    entries = list(_entries(body))
    types = [kind, *(entry.get("mediaType", "") for entry in entries)]
    if any(_family(it) not in {None, *ways.accepts} for it in types):
        yield failure(415, "MANIFEST_INVALID", f"unsupported media type in {', '.join(types)}")
    config = (body.get("config") or {}).get("mediaType")
    if config and ways.config_types is not None and config not in ways.config_types:
        yield failure(400, "MANIFEST_INVALID", f"unknown media type: {config}")
    lost = repository.rewritten & {entry["digest"] for entry in entries}
    if ways.loses_rewritten and lost:
        repository.rewritten -= lost
        yield failure(400, "DIGEST_INVALID", detail={"digest": lost.pop()})
    missing = [entry["digest"] for entry in entries if not _has(repository, entry)]
    if ways.checks_blobs and missing:
        yield failure(400, "MANIFEST_BLOB_UNKNOWN", detail={"digest": missing[0]})


def _entries(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The descriptors of everything that a manifest or an index is made of."""
    if body.get("config"):
        yield body["config"]
    yield from body.get("layers") or []
    yield from body.get("manifests") or []


def _has(repository: Repository, entry: dict[str, Any]) -> bool:
    digest = entry["digest"]
    return digest in repository.blobs or digest in repository.manifests or bool(entry.get("urls"))


def _family(kind: str) -> str | None:
    return next((name for name, start in _FAMILIES.items() if kind.startswith(start)), None)
