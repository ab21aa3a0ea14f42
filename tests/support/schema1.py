"""Images in Docker's format before 2016, made in code: manifests of schema 1, and archives."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from oci_convert.spec.media_types import Compression
from support.images import Layer, digest_of, layer, pack

TYPE: Final = "application/vnd.docker.distribution.manifest.v1+json"
SIGNED_TYPE: Final = "application/vnd.docker.distribution.manifest.v1+prettyjws"
EMPTY_TAR: Final = bytes(1024)
CREATED: Final = "2015-04-22T16:12:07.123456789Z"


@dataclass(frozen=True, slots=True)
class Version1:
    """An image version 1: a layer, or none where the step changed only the configuration."""

    layer: Layer | None
    more: Mapping[str, Any] = field(default_factory=dict)
    """Members of its JSON beside those that every one has; ``...`` removes one."""

    @property
    def blob(self) -> bytes:
        """The layer as a registry keeps it."""
        return pack(EMPTY_TAR, Compression.GZIP) if self.layer is None else self.layer.data


def identity(number: int) -> str:
    """A v1 id."""
    return f"{number:064x}"


TOP: Final = {
    "architecture": "amd64",
    "os": "linux",
    "docker_version": "1.8.3",
    "author": "Ada <ada@example.com>",
    "container": "2" * 64,
    "config": {"Env": ["PATH=/bin", "GREETING=a <b> & c"], "Cmd": ["sh"], "Volumes": None},
    "Size": 12,
    "x-unknown": {"big": 12345678901234567890, "nested": [None, True, 1.50, "\u2028"]},
}
"""What the JSON of the top image says, and no other."""

BASE: Final = layer("base")
APP: Final = layer("app")
STEPS: Final = (
    Version1(BASE, {"container_config": {"Cmd": ["/bin/sh", "-c", "#(nop) ADD base"]}}),
    Version1(None, {"throwaway": True, "comment": "<nothing>"}),
    Version1(APP, {**TOP, "container_config": {"Cmd": ["/bin/sh", "-c", "make"]}}),
)
"""From the base up: an image of three steps, two of them with a layer."""


def v1_json(steps: Sequence[Version1], number: int) -> dict[str, Any]:
    """The JSON of the step at ``number``, counted from the base."""
    parent = {"parent": identity(number)} if number else {}
    members = {"id": identity(number + 1), **parent, "created": CREATED, **steps[number].more}
    return {name: value for name, value in members.items() if value is not ...}


def body(steps: Sequence[Version1] = STEPS, **members: Any) -> dict[str, Any]:
    """A manifest of schema 1, as data; ``members`` are put over it, ``...`` removes one."""
    top_first = range(len(steps) - 1, -1, -1)
    found = {
        "schemaVersion": 1,
        "name": "library/app",
        "tag": "1",
        "architecture": "amd64",
        "fsLayers": [{"blobSum": digest_of(steps[i].blob)} for i in top_first],
        "history": [{"v1Compatibility": json.dumps(v1_json(steps, i))} for i in top_first],
        **members,
    }
    return {name: value for name, value in found.items() if value is not ...}


def pretty(value: Any) -> bytes:
    """JSON as Docker's registry indented it."""
    return json.dumps(value, indent=3, ensure_ascii=False).encode()


def base64url(data: bytes) -> str:
    """Base64 as JOSE has it, without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def protected(length: int, tail: bytes) -> str:
    """The protected header of a signature."""
    header = {"formatLength": length, "formatTail": base64url(tail), "time": CREATED}
    return base64url(json.dumps(header).encode())


def signature(length: int, tail: bytes) -> dict[str, Any]:
    """A signature that nobody can verify, as nobody does."""
    key = {"crv": "P-256", "kid": "AAAA", "kty": "EC", "x": "x", "y": "y"}
    header = {"jwk": key, "alg": "ES256"}
    return {"header": header, "signature": "c2lnbmVk", "protected": protected(length, tail)}


def sign(payload: bytes, signatures: Sequence[Any] | None = None) -> bytes:
    """``payload`` with signatures inside, as libtrust writes it: ``prettyjws``."""
    length = len(payload.rstrip(b"}").rstrip())
    tail = payload[length:]
    chosen = [signature(length, tail)] if signatures is None else signatures
    return payload[:length] + b',"signatures":' + json.dumps(chosen).encode() + tail


def dir_files(manifest: bytes, steps: Sequence[Version1] = STEPS) -> dict[str, bytes]:
    """The files of a ``dir:`` directory."""
    blobs = {digest_of(step.blob)[7:]: step.blob for step in steps}
    version = b"Directory Transport Version: 1.1\n"
    return {"version": version, "manifest.json": manifest, **blobs}


def saved(tags: Mapping[str, Mapping[str, str]], *images: Sequence[Version1]) -> dict[str, bytes]:
    """What Docker before 1.10 saved: ``tags`` is the content of ``repositories``.

    Images are numbered through: the ids of the second go on where those of the first end.
    """
    members: dict[str, bytes] = {}
    first = 0
    for steps in images:
        for i, step in enumerate(steps):
            found = v1_json(steps, i) | {"id": identity(first + i + 1)}
            if i:
                found["parent"] = identity(first + i)
            folder = identity(first + i + 1)
            members[f"{folder}/VERSION"] = b"1.0"
            members[f"{folder}/json"] = json.dumps(found).encode()
            members[f"{folder}/layer.tar"] = EMPTY_TAR if step.layer is None else step.layer.tar
        first += len(steps)
    return {**members, "repositories": json.dumps(tags).encode()} if tags else members
