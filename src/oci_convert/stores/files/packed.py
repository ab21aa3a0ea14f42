"""Archives that are compressed as a whole while they are written, as their names ask for."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from queue import Queue
from threading import Thread
from typing import BinaryIO, Final, cast

from oci_convert.layers.compression import compress
from oci_convert.spec.media_types import Compression
from oci_convert.stores.files.file import write_all
from oci_convert.stores.files.outputs import Output

__all__ = ["Packed"]

_QUEUED: Final = 8
"""Chunks that wait to be compressed."""


class Packed(Output):
    """Another output, to which an archive goes compressed.

    The same archive gives the same bytes, as for layers. Nothing of it can be changed once it is
    written.
    """

    rewritable = False

    def __init__(self, output: Output, compression: Compression) -> None:
        self._output = output
        self._compression = compression
        self._file: _Compressor | None = None

    def begin(self) -> BinaryIO:
        self._file = _Compressor(self._output.begin(), self._compression)
        return cast("BinaryIO", self._file)  # what is not rewritable is only written

    def scratch(self) -> BinaryIO:
        return self._output.scratch()

    def finish(self) -> None:
        if self._file is not None:
            self._file.finish()
        self._output.finish()

    def undo(self) -> None:
        self._stop()
        self._output.undo()

    def close(self) -> None:
        self._stop()
        self._output.close()

    def _stop(self) -> None:
        if self._file is not None:
            self._file.stop()


class _Compressor:
    """A file to write, whose bytes a thread of its own compresses into another one."""

    def __init__(self, file: BinaryIO, compression: Compression) -> None:
        self._file = file
        self._compression = compression
        self._chunks: Queue[bytes | None] = Queue(_QUEUED)
        self._error: BaseException | None = None
        self._stopped = False
        self._ended = False
        self._thread = Thread(target=self._run, name="pack")
        self._thread.start()

    def write(self, chunk: bytes | memoryview) -> int:
        """Take a chunk, which may be used again at once; raises what compressing others raised."""
        if self._error is not None:
            raise self._error
        self._chunks.put(bytes(chunk))
        return len(chunk)

    def finish(self) -> None:
        """Bring everything into the file; the archive is complete."""
        self._end()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Forget what still waits. After :meth:`finish` this does nothing."""
        self._stopped = True
        self._end()

    def _end(self) -> None:
        if self._thread.is_alive():
            self._chunks.put(None)
            self._thread.join()

    def _run(self) -> None:
        try:
            packed = compress(self._taken(), self._compression, None, os.cpu_count() or 1)
            # Closed here, so that its threads end whatever happens.
            with closing(cast("Generator[bytes, None, None]", packed)) as chunks:
                for chunk in chunks:
                    write_all(self._file, chunk)
        except BaseException as error:
            self._error = error
            for _ in self._taken():
                pass  # whoever writes must not wait for ever

    def _taken(self) -> Iterator[bytes]:
        """The chunks up to the end, which is seen once."""
        while not self._ended:
            chunk = self._chunks.get()
            self._ended = chunk is None
            if chunk is not None and not self._stopped:
                yield chunk
