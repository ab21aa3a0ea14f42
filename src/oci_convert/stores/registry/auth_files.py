"""Files with credentials: ``config.json`` of Docker, ``auth.json`` of podman and its kin.

Implements containers-auth.json(5), and what Docker writes: ``auths`` by host or by address, with
namespaced keys the most specific first; ``credHelpers``, then ``credsStore``, then ``auths``. No
error repeats what stands in such a file.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from oci_convert.errors import StoreError
from oci_convert.limits import limits
from oci_convert.stores.registry.reference import HUB, HUB_ALIASES, Repository
from oci_convert.stores.registry.secret import (
    Credential,
    IdentityToken,
    RegistryToken,
    Secret,
    UserPassword,
)

__all__ = ["AuthFile", "read_auth_file"]

_HUB_SERVER: Final = "https://index.docker.io/v1/"
"""What Docker calls Docker Hub in front of its credential helpers."""

Ask = Callable[[str, str], Credential | None]
"""Asks a helper by its name for a server; what it raises is passed on."""


@dataclass(frozen=True)
class AuthFile:
    """What a file with credentials says, by keys without scheme and version."""

    auths: Mapping[str, Credential] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str | None = None

    def find(self, repository: Repository, ask: Ask) -> tuple[Credential, str] | None:
        """The credentials for a repository, and the key or helper that has them."""
        for key in _keys(repository):
            if key in self.helpers:
                return _helped(self.helpers[key], repository, ask)
        if self.store is not None:
            helped = _helped(self.store, repository, ask)
            if helped is not None:
                return helped
        for key in _keys(repository):
            if key in self.auths:
                return self.auths[key], key
        return None


def _helped(name: str, repository: Repository, ask: Ask) -> tuple[Credential, str] | None:
    server = _HUB_SERVER if repository.host == HUB else repository.host
    credential = ask(name, server)
    return None if credential is None else (credential, f"docker-credential-{name}")


def _keys(repository: Repository) -> Iterator[str]:
    """The keys that speak for a repository, the most specific first."""
    key = str(repository)
    while "/" in key:
        yield key
        key = key.rpartition("/")[0]
    yield key
    if repository.host == HUB:
        yield from sorted(HUB_ALIASES - {HUB})


def _normal(key: str) -> str:
    """A key without its scheme and its version: ``quay.io`` for ``https://quay.io/v2/``."""
    bare = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    if bare.endswith(("/v1", "/v2")) and bare.count("/") == 1:
        bare = bare[:-3]
    host, slash, name = bare.partition("/")
    return host.lower() + slash + name


def read_auth_file(path: Path) -> AuthFile:
    """Read such a file, also one of before 2015, in which there is nothing but ``auths``.

    Raises :class:`StoreError` (``invalid-auth-file``) for one that is no such file, and OSError.
    """
    most = limits().document_size
    with path.open("rb") as file:
        raw = file.read(most + 1)
    if len(raw) > most:
        raise _broken(path, f"it is larger than {most} bytes")
    if not raw.strip():
        return AuthFile()
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        raise _broken(path, "it is not JSON") from None
    if not isinstance(content, dict):
        raise _broken(path, "it is not an object")
    if path.name == ".dockercfg":
        content = {"auths": content}
    store = content.get("credsStore")
    return AuthFile(
        auths=dict(_auths(_objects(content, "auths", path), path)),
        helpers={
            _normal(key): name
            for key, name in _objects(content, "credHelpers", path).items()
            if isinstance(name, str) and name
        },
        store=store if isinstance(store, str) and store else None,
    )


def _objects(content: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    value = content.get(name) or {}
    if not isinstance(value, dict):
        raise _broken(path, f"its {name} is not an object")
    return value


def _auths(auths: Mapping[str, Any], path: Path) -> Iterator[tuple[str, Credential]]:
    for key, entry in auths.items():
        if isinstance(entry, dict):
            credential = _credential(entry, key, path)
            if credential is not None:
                yield _normal(key), credential


def _credential(entry: Mapping[str, Any], key: str, path: Path) -> Credential | None:
    """What an entry holds; ``None`` where a helper or nobody has it."""

    def text(name: str) -> str:
        value = entry.get(name) or ""
        if not isinstance(value, str):
            raise _broken(path, f"the {name} of {key!r} is no text")
        return value

    if text("registrytoken"):
        return RegistryToken(Secret(text("registrytoken")))
    user, password = text("username"), text("password")
    if text("auth"):
        user, password = _pair(text("auth"), key, path)
    if text("identitytoken"):
        return IdentityToken(user, Secret(text("identitytoken")))
    return UserPassword(user, Secret(password)) if user or password else None


def _pair(encoded: str, key: str, path: Path) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        raise _broken(path, f"the auth of {key!r} is not base64 of USER:PASSWORD") from None
    user, colon, password = decoded.partition(":")
    if not colon:
        raise _broken(path, f"the auth of {key!r} is not base64 of USER:PASSWORD")
    return user, password.strip("\0")


def _broken(path: Path, why: str) -> StoreError:
    return StoreError(
        f"this is not a file with credentials: {why}",
        code="invalid-auth-file",
        where=str(path),
        remedy="write it anew with docker login or podman login",
    )
