"""A repository of a registry keeps the contract of stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oci_convert.stores import RegistryImage
from oci_convert.stores.base import Store
from registry import FakeRegistry
from support.registries import client
from support.registry_contract import RegistryContract


class TestTags(RegistryContract):
    """Images under all tags of a repository, of the registry in which one can look."""

    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path) -> Iterator[None]:
        with FakeRegistry() as self.fake, client() as self.client:
            self.host = self.fake.host
            self.store = self.make(tmp_path)
            yield

    def contents(self) -> dict[str, bytes]:
        content = self.fake.content
        with content.lock:
            held = content.repository(self.name)
            found = {digest: content.data[digest] for digest in held.blobs}
            found |= {digest: stored.raw for digest, stored in held.manifests.items()}
            found |= {f"tag {tag}": digest.encode() for tag, digest in held.tags.items()}
            return found | {f"upload {name}": bytes(it) for name, it in content.uploads.items()}

    def is_unfinished(self, name: str) -> bool:
        return name.startswith("upload ")

    def damage(self, digest: str, data: bytes) -> None:
        self.fake.content.data[digest] = data


class TestOneTag(TestTags):
    """The image under one tag."""

    grows = False

    def make(self, tmp_path: Path) -> Store:
        super().make(tmp_path)
        return RegistryImage(f"docker://{self.called('1')}", self.client)
