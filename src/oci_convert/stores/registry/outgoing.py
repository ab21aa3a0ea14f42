"""What is sent: the chunks of a blob, verified on their way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from oci_convert.layers.streams import Tally
from oci_convert.spec.digest import CANONICAL, Digest
from oci_convert.stores.traffic import Traffic

__all__ = ["Chunks", "Outgoing", "ReadingError"]

Chunks = Callable[[], Iterable[bytes]]
"""Gives the chunks of a blob from its beginning; called again for every other try."""


class ReadingError(Exception):
    """What reading or verifying has raised, wrapped: it is none of the network.

    Whoever sends takes an OSError for one, and a BrokenPipeError for an early answer.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Outgoing:
    """The chunks of a blob, to be gone through once; what they raise is a :class:`ReadingError`.

    One chunk is always held back: the last one leaves only when everything was verified.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        traffic: Traffic,
        where: str,
        *,
        expected: tuple[Digest, int] | None = None,
        algorithm: str = CANONICAL,
    ) -> None:
        self._chunks = chunks
        self._traffic = traffic
        self._where = where
        self._expected = expected
        self._tally = Tally(expected[0].algorithm if expected else algorithm)
        self.finished: bool = False
        """Whether the last chunk has left."""

    @property
    def digest(self) -> Digest:
        """The digest of everything that was read so far."""
        return self._tally.digest

    @property
    def size(self) -> int:
        """The bytes that were read so far."""
        return self._tally.size

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._held():
            self._traffic.up(len(chunk))
            yield chunk

    def _held(self) -> Iterator[bytes]:
        held = b""
        for chunk in self._verified():
            if held:
                yield held
            held = chunk
        if held:
            yield held
        self.finished = True

    def _verified(self) -> Iterator[bytes]:
        try:
            for chunk in self._tally.through(self._chunks, self._expected, self._where):
                if chunk:
                    yield chunk
        except Exception as error:
            raise ReadingError(error) from error

    def pieces(self, size: int) -> Iterator[bytes]:
        """The same bytes in pieces of ``size``, each sent, and counted, as a body of its own.

        The last one may be smaller.
        """
        waiting = bytearray()
        for chunk in self._held():
            waiting += chunk
            while len(waiting) > size:
                yield bytes(waiting[:size])
                del waiting[:size]
        if waiting:
            yield bytes(waiting)
