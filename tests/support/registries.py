"""The fake registry with images in it, and a client without much patience."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from oci_convert.spec.digest import Digest
from oci_convert.stores.registry.auth import Auth
from oci_convert.stores.registry.client import RegistryClient, RemoteRepository
from oci_convert.stores.registry.image import RegistryImage, set_images
from oci_convert.stores.registry.options import RegistryOptions
from oci_convert.stores.registry.proxies import Proxies
from oci_convert.stores.registry.reference import Repository
from registry import FakeRegistry
from support.images import Image

__all__ = ["chunks_of", "client", "documents", "load", "push", "quick", "repository", "use"]

PATIENCE: Final[dict[str, Any]] = {
    "retries": 3,
    "backoff": 0.001,
    "read_timeout": 5,
    "certs_folders": (),
}


def quick(**options: Any) -> RegistryOptions:
    """Options that lose no time."""
    return RegistryOptions(**{**PATIENCE, **options})


def client(
    auth: Auth | None = None, proxies: Proxies | None = None, **options: Any
) -> RegistryClient:
    """A client that loses no time."""
    return RegistryClient(auth, quick(**options), proxies)


def use(client: RegistryClient | None = None) -> None:
    """Let references that are given as text be those of this client, or again anonymous."""

    def image(reference: str) -> RegistryImage:
        return RegistryImage(reference, client)

    set_images(image, image)


def repository(fake: FakeRegistry, name: str = "team/app") -> Repository:
    """A repository of a registry."""
    return Repository(fake.host, name)


def documents(image: Image) -> list[tuple[bytes, str]]:
    """The manifests and indexes of an image with their types, children first, the root last."""
    children = [raw for raw in image.documents.values() if raw != image.manifest]
    return [(raw, json.loads(raw)["mediaType"]) for raw in children] + [
        (image.manifest, image.media_type)
    ]


def load(fake: FakeRegistry, name: str, tag: str, image: Image) -> None:
    """Put an image into a registry, past the protocol."""
    *children, _ = documents(image)
    fake.content.push(name, tag, image.manifest, image.media_type, image.blobs, children)


def chunks_of(data: bytes, size: int = 1000) -> Callable[[], Iterable[bytes]]:
    """The chunks of a blob, as often as they are asked for."""
    return lambda: [data[start : start + size] for start in range(0, len(data), size)]


def push(remote: RemoteRepository, tag: str, image: Image) -> None:
    """Put an image into a registry, the way a store does: blobs, children, and the root last."""
    for digest, data in image.blobs.items():
        if digest not in image.documents:
            remote.put_blob(Digest(digest), len(data), chunks_of(data))
    *children, (root, media_type) = documents(image)
    for raw, kind in children:
        remote.put_manifest(raw, kind)
    remote.put_manifest(root, media_type, tag=tag)
