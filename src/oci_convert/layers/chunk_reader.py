"""Chunks as a file object, for ``tarfile``, ``shutil`` and others."""

from __future__ import annotations

import io
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from oci_convert.layers.streams import CHUNK, end

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["ChunkReader"]


class ChunkReader(io.BufferedReader):
    """A file to read from, forwards only, whose bytes are those of ``chunks``.

    What the chunks raise, that read and every later one raises. Chunks that verify do so at their
    end, which few readers reach (``tarfile`` stops at the end of the archive, before its padding):
    leaving the ``with`` block of this file without an error reads what is left. :meth:`close` does
    not.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__(_Chunks(chunks), CHUNK)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            while kind is None and not self.closed and self.read1(CHUNK):
                pass
        finally:
            self.close()


class _Chunks(io.RawIOBase):
    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")
        self._error: BaseException | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if self._error is not None:
            raise self._error  # a generator that has raised is over, and would look like the end
        target = memoryview(buffer).cast("B")
        try:
            while not self._rest:
                chunk = next(self._chunks, None)
                if chunk is None:
                    return 0
                self._rest = memoryview(chunk)
        except BaseException as error:
            self._error = error
            raise
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        if not self.closed:
            chunks, self._chunks = self._chunks, iter(())
            self._rest = memoryview(b"")
            end(chunks)
        super().close()
