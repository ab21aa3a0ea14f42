"""A sink that only hashes: what a dry run writes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from oci_convert.layers.streams import Tally
from oci_convert.spec.digest import CANONICAL, Digest
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Root, Sink, Source, unwatched

__all__ = ["HashingSink"]


class HashingSink(Sink):
    """Gives the digests that writing to ``target`` would give, and writes nothing."""

    def __init__(self, target: Sink) -> None:
        self._target = target
        self.label = target.label
        self.capabilities = target.capabilities

    def has(
        self,
        descriptor: Descriptor,
        *,
        document: bool = False,
        verify: bool = False,
        watch: Callable[[int], None] = unwatched,
    ) -> bool:
        return self._target.has(descriptor, document=document, verify=verify, watch=watch)

    def put(
        self,
        chunks: Iterable[bytes],
        where: str,
        *,
        expected: Descriptor | None = None,
        algorithm: str = CANONICAL,
        document: bool = False,
    ) -> tuple[Digest, int]:
        tally = Tally(expected.name.algorithm if expected is not None else algorithm)
        for chunk in chunks:
            tally.update(chunk)
        if expected is not None:
            tally.check(expected.name, expected.size, where)
        return tally.digest, tally.size

    def shares(self, source: Source) -> bool:
        return self._target.shares(source)

    def take(
        self,
        source: Source,
        descriptor: Descriptor,
        where: str,
        *,
        watch: Callable[[int], None] = unwatched,
        link: bool = False,
    ) -> int:
        """Read the blob, so that what is wrong with it shows, unless that costs requests."""
        if not source.remote:
            super().take(source, descriptor, where, watch=watch, link=link)
        return descriptor.size

    def commit(self, roots: Sequence[Root]) -> None:
        """Nothing was written, so nothing appears."""

    def abort(self) -> None:
        """Nothing was written, so nothing is undone."""

    def close(self) -> None:
        """The target is closed by the caller who opened it."""
