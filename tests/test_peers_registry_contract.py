"""A repository of Debian's docker-registry keeps the contract of stores, whoever may come in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from oci_convert.stores import RegistryClient
from oci_convert.stores.registry.auth import Auth
from support.certificates import OPENSSL, make_certificates
from support.docker_registry import HTPASSWD, docker_registry, memory_folder
from support.registries import client
from support.registry_contract import RegistryContract
from support.signed_tokens import token_server

pytestmark = pytest.mark.peers

ME = Auth.basic("me", "s3cr3t")


class TestPlain(RegistryContract):
    """Over http, and everybody may write."""

    @pytest.fixture(scope="class")
    @classmethod
    def running(
        cls, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
    ) -> Iterator[tuple[str, RegistryClient, Path]]:
        program = shutil.which("docker-registry")
        if program is None and request.config.getoption("--require-peers"):
            pytest.fail("docker-registry is not installed", pytrace=False)
        if program is None or OPENSSL is None:
            pytest.skip("docker-registry or openssl is not installed")
        folder = tmp_path_factory.mktemp("registry")
        with ExitStack() as stack:
            config, one_of_us = cls.configured(folder, stack)
            storage = stack.enter_context(memory_folder(folder))
            host = stack.enter_context(docker_registry(program, folder, config, storage))
            yield host, stack.enter_context(one_of_us), storage

    @classmethod
    def configured(
        cls,
        folder: Path,  # noqa: ARG003 - others keep files there
        stack: ExitStack,  # noqa: ARG003 - others keep servers there
    ) -> tuple[dict[str, Any], RegistryClient]:
        """What the registry is told, and a client that it lets in."""
        return {}, client()

    @pytest.fixture(autouse=True)
    def _store(self, running: tuple[str, RegistryClient, Path], tmp_path: Path) -> Iterator[None]:
        self.host, self.client, self.storage = running
        self.store = self.make(tmp_path)
        self.sound: dict[Path, bytes] = {}
        yield
        for file, data in self.sound.items():
            file.write_bytes(data)  # all repositories share their blobs

    def damage(self, digest: str, data: bytes) -> None:
        algorithm, _, encoded = digest.partition(":")
        blobs = self.storage / "docker/registry/v2/blobs"
        file = blobs / algorithm / encoded[:2] / encoded / "data"
        self.sound.setdefault(file, file.read_bytes())
        file.write_bytes(data)


class TestSecure(TestPlain):
    """Over TLS, with an authority of its own."""

    @classmethod
    def configured(
        cls,
        folder: Path,
        stack: ExitStack,  # noqa: ARG003 - others keep servers there
    ) -> tuple[dict[str, Any], RegistryClient]:
        made = make_certificates(folder)
        files = {"certificate": str(made.server), "key": str(made.server_key)}
        return {"http": {"tls": files}}, client(ca_file=made.authority)


class TestPassword(TestPlain):
    """With a file of passwords."""

    @classmethod
    def configured(
        cls,
        folder: Path,
        stack: ExitStack,  # noqa: ARG003 - others keep servers there
    ) -> tuple[dict[str, Any], RegistryClient]:
        file = folder / "htpasswd"
        file.write_text(HTPASSWD, encoding="utf-8")
        return {"auth": {"htpasswd": {"realm": "basic-realm", "path": str(file)}}}, client(ME)


class TestToken(TestPlain):
    """With tokens of a token server."""

    @classmethod
    def configured(cls, folder: Path, stack: ExitStack) -> tuple[dict[str, Any], RegistryClient]:
        _, config = stack.enter_context(token_server(folder))
        return dict(config), client(ME)
