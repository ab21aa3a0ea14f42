"""Open files whose errors say which file it is: a failed read or write of the system does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["File", "naming"]


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let errors of the system that are raised inside name ``path``."""
    try:
        yield
    except OSError as error:
        error.filename = os.fspath(path)
        raise


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

    def read(self, size: int | None = -1, /) -> bytes:
        with naming(self.name):
            return super().read(-1 if size is None else size)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        with naming(self.name):
            return super().readinto(buffer)

    def write(self, data: ReadableBuffer, /) -> int:
        with naming(self.name):
            return super().write(data)

    def truncate(self, size: int | None = None, /) -> int:
        with naming(self.name):
            return super().truncate(size)

    def close(self) -> None:
        with naming(self.name):
            super().close()

    def sync(self) -> None:
        """Bring the file to the disk."""
        with naming(self.name):
            os.fsync(self.fileno())
