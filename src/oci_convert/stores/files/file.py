"""Open files whose errors say which file it is, temporary ones, and moving bytes between them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO, Concatenate, Final, ParamSpec, TypeVar

from oci_convert import operating_system

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["File", "naming", "pump", "temporary", "write_all"]

_COPY: Final = 256 * 1024
"""Bytes of a file that are copied at a time: for fewer, more calls cost a tenth of the time."""
_FIRST: Final = 32 * 1024
"""Bytes that are copied first. A small file has no more, and a larger buffer costs more than it."""
_PIECE: Final = 64 * 1024
"""Bytes of larger chunks, as those of a network, that go to a file at a time. For more of them,
Linux takes larger parts of memory; on a virtual machine, these are often its host's again, and cost
seven times as much to get back."""

F = TypeVar("F")
P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let errors of the system that are raised inside name ``path``."""
    try:
        yield
    except OSError as error:
        error.filename = os.fspath(path)
        raise


def _named(method: Callable[Concatenate[F, P], R]) -> Callable[Concatenate[F, P], R]:
    """The same method of a file, whose errors name it."""

    def named(self: F, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except OSError as error:
            error.filename = getattr(self, "name", None)
            raise

    return named


class File(FileIO):
    """An unbuffered file that names itself in the errors of what moves bytes.

    ``name`` is what it is called where it is opened by its number; ``closefd`` as for ``open``.
    """

    name: str

    def __init__(
        self,
        file: str | os.PathLike[str] | int,
        mode: str = "rb",
        *,
        name: str | os.PathLike[str] | None = None,
        closefd: bool = True,
    ) -> None:
        opened = file if isinstance(file, int) else os.fspath(file)
        super().__init__(opened, mode, closefd)
        self.name = str(opened) if name is None else os.fspath(name)
        self._turn = Lock()

    @_named
    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size)

    @_named
    def readinto(self, buffer: WriteableBuffer, /) -> int:
        return super().readinto(buffer)

    @_named
    def write(self, data: ReadableBuffer, /) -> int:
        return super().write(data)

    @_named
    def truncate(self, size: int | None = None, /) -> int:
        return super().truncate(size)

    @_named
    def close(self) -> None:
        super().close()

    @property
    def size(self) -> int:
        """Bytes of it."""
        return os.fstat(self.fileno()).st_size

    @_named
    def read_at(self, buffer: memoryview, at: int) -> int:
        """Fill ``buffer`` from byte ``at``, wherever the file stands; how many bytes there were."""
        return operating_system.read_at(self.fileno(), buffer, at, self._turn)

    @_named
    def sync(self) -> None:
        """Bring the file to the disk."""
        operating_system.sync(self.fileno())


def temporary(tmpdir: str | os.PathLike[str] | None = None) -> BinaryIO:
    """An empty file to write and read in ``tmpdir``, by default the system's; gone once closed."""
    import tempfile

    folder = tmpdir or tempfile.gettempdir()
    with naming(folder), tempfile.TemporaryFile(dir=folder) as file:
        return File(os.dup(file.fileno()), "r+b", name=folder)


def pump(
    source: BinaryIO, seen: Callable[[memoryview], None], write: Callable[[memoryview], object]
) -> None:
    """Move the rest of a file in one buffer: its pages stay in the cache of the processor."""
    buffer = memoryview(bytearray(_FIRST))
    while size := source.readinto(buffer):  # type: ignore[attr-defined]  # an unbuffered file has it
        chunk = buffer[:size]
        seen(chunk)
        write(chunk)
        if size == _FIRST:
            buffer = memoryview(bytearray(_COPY))


def write_all(file: BinaryIO, chunk: bytes | memoryview) -> None:
    """Write a whole chunk to an unbuffered file: a pipe or a nearly full disk takes a part."""
    left = memoryview(chunk)
    most = _COPY if len(left) <= _COPY else _PIECE
    while left:
        left = left[file.write(left[:most]) :]
