"""A sink that only hashes: what a dry run writes to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from oci_convert.layers.streams import Tally, verified
from oci_convert.spec.digest import CANONICAL, Digest
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Capabilities, Root, Sink, Source, unwatched, watched

__all__ = ["HashingSink", "in_dry_run"]


def in_dry_run(
    source: Source, descriptor: Descriptor, where: str, watch: Callable[[int], None]
) -> Iterator[bytes]:
    """A blob, verified, so that what is wrong with it shows; where reading sends requests, none.

    What these would cost is counted.
    """
    if not source.remote:
        chunks = watched(source.stream(descriptor), watch)
        return verified(chunks, descriptor.name, descriptor.size, where)
    if source.traffic is not None:
        source.traffic.sent()
        source.traffic.down(descriptor.size)
    return iter(())


class HashingSink(Sink):
    """Gives the digests that writing to ``target`` would give, and writes nothing."""

    def __init__(self, target: Sink) -> None:
        self._target = target
        self.label: str = target.label
        self.capabilities: Capabilities = target.capabilities

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
        described = None if expected is None else (expected.name, expected.size)
        deque(tally.through(chunks, described, where), maxlen=0)
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
        deque(in_dry_run(source, descriptor, where, watch), maxlen=0)
        return descriptor.size

    def commit(self, roots: Sequence[Root]) -> None:
        """Nothing was written, so nothing appears."""

    def abort(self) -> None:
        """Nothing was written, so nothing is undone."""

    def close(self) -> None:
        """The target is closed by the caller who opened it."""
