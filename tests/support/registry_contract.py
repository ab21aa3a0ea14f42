"""The contract of stores for repositories of registries, of whatever registry."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Final

from oci_convert.stores import RegistryClient, RegistryImage
from oci_convert.stores.base import Sink, SinkOptions, Source, SourceOptions, Store
from oci_convert.testing.contract import StoreContract

__all__ = ["EveryTag", "RegistryContract"]

_NUMBERS: Final = count(1)


class EveryTag:
    """All tags of a repository, as a store to read from and to write to."""

    ref = None
    default_family = None

    def __init__(self, repository: str, client: RegistryClient) -> None:
        self._read = RegistryImage(f"{repository}:*", client)
        self._written = RegistryImage(f"{repository}:{{tag}}", client)

    def source(self, options: SourceOptions) -> Source:
        return self._read.source(options)

    def sink(self, options: SinkOptions) -> Sink:
        return self._written.sink(options)


class RegistryContract(StoreContract):
    """What a repository keeps: one for each test, at :attr:`host`, asked by :attr:`client`."""

    undoes = False
    host: str
    client: RegistryClient

    def make(self, tmp_path: Path) -> Store:
        self.name = f"team/app{next(_NUMBERS)}"
        return EveryTag(f"docker://{self.host}/{self.name}", self.client)

    def called(self, name: str) -> str:
        return f"{self.host}/{self.name}:{name}"
