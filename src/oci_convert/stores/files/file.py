"""Open files whose errors say which file it is: a failed read or write of the system does not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from threading import Lock
from typing import Concatenate, ParamSpec, TypeVar

__all__ = ["File", "naming"]

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

    read = _named(FileIO.read)
    readinto = _named(FileIO.readinto)
    write = _named(FileIO.write)
    truncate = _named(FileIO.truncate)
    close = _named(FileIO.close)

    @property
    def size(self) -> int:
        """Bytes of it."""
        return os.fstat(self.fileno()).st_size

    @_named
    def read_at(self, buffer: memoryview, at: int) -> int:
        """Fill ``buffer`` from byte ``at``, wherever the file stands; how many bytes there were."""
        if hasattr(os, "preadv"):
            return os.preadv(self.fileno(), [buffer], at)
        with self._turn:  # pragma: no cover - Windows
            self.seek(at)
            return self.readinto(buffer) or 0

    @_named
    def sync(self) -> None:
        """Bring the file to the disk."""
        os.fsync(self.fileno())
