"""Streams are iterators of chunks; digest and length are checked while they flow.

Nothing here keeps more than one chunk in memory. Whoever goes through chunks, and may raise on the
way, ends them (:func:`end`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from oci_convert.errors import BlobError
from oci_convert.spec.digest import CANONICAL, Digest, new_hash

__all__ = ["CHUNK", "Tally", "end", "read_chunks", "verified"]

CHUNK: Final = 1024 * 1024
"""Bytes read at a time: a block of the gzip writer, which then need not be put together."""


def end(chunks: Iterable[bytes]) -> None:
    """Let chunks close the file that they come from, if they have one and are not at its end.

    To drop them is not enough after an error: it knows the frames that it has passed, and so the
    chunks, and the file is open for as long as anybody keeps the error.
    """
    close = getattr(chunks, "close", None)  # a generator has it
    if close is not None:
        close()


class Tally:
    """Hashes and counts the chunks that pass through it."""

    def __init__(self, algorithm: str = CANONICAL) -> None:
        self.algorithm = algorithm
        self._hash = new_hash(algorithm)
        self.size: int = 0

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Count ``chunk`` in."""
        self._hash.update(chunk)
        self.size += len(chunk)

    @property
    def digest(self) -> Digest:
        """The digest of everything so far."""
        return Digest(f"{self.algorithm}:{self._hash.hexdigest()}")

    def through(
        self,
        chunks: Iterable[bytes],
        expected: tuple[Digest, int | None] | None = None,
        where: str = "",
    ) -> Iterator[bytes]:
        """The same chunks, counted as they pass.

        Those of a blob that is ``expected`` are checked (:meth:`check`): at the end, or as soon as
        they are too many.
        """
        size = None if expected is None else expected[1]
        try:
            for chunk in chunks:
                self.update(chunk)
                if expected is not None and size is not None and self.size > size:
                    self.check(*expected, where)
                yield chunk
        finally:
            end(chunks)
        if expected is not None:
            self.check(*expected, where)

    def check(self, digest: Digest, size: int | None, where: str) -> None:
        """Raise :class:`BlobError` unless exactly the described bytes have passed."""
        if size is not None and self.size != size:
            code = "blob-truncated" if self.size < size else "wrong-size"
            raise BlobError(
                f"the blob {digest.short()} has {self.size} bytes, but its descriptor says {size}"
                if self.size < size
                else f"the blob {digest.short()} is longer than the {size} bytes of its descriptor",
                code=code,
                where=where,
                remedy="fetch the image again",
                digest=digest,
                expected=size,
                actual=self.size,
            )
        if self.digest != digest:
            raise BlobError(
                f"digest mismatch: expected {digest.short()}, found {self.digest.short()}",
                code="digest-mismatch",
                where=where,
                remedy="fetch the image again",
                digest=digest,
                expected=digest,
                actual=self.digest,
            )


def read_chunks(file: BinaryIO) -> Iterator[bytes]:
    """The chunks of an open file, from where it stands to its end."""
    while chunk := file.read(CHUNK):
        yield chunk


def verified(
    chunks: Iterable[bytes], digest: Digest, size: int | None, where: str
) -> Iterator[bytes]:
    """The same chunks; raises :class:`BlobError` at the end, or as soon as they are too many."""
    yield from Tally(digest.algorithm).through(chunks, (digest, size), where)
