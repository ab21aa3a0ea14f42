"""A place in memory: a dict from names to bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import BinaryIO

from oci_convert.stores.files.base import WritableFiles

__all__ = ["MemoryFiles"]


class MemoryFiles(WritableFiles):
    """Files in a dict. Several stores may share one place object."""

    def __init__(self, files: dict[str, bytes] | None = None, label: str = "memory") -> None:
        self.files = {} if files is None else files
        self.label = label
        self._written: list[str] = []
        self._lock = Lock()

    def names(self, folder: str = "") -> Iterator[str]:
        prefix = f"{folder}/" if folder else ""
        return iter([name for name in self.files if name.startswith(prefix)])

    def size(self, name: str) -> int | None:
        data = self.files.get(name)
        return None if data is None else len(data)

    def open(self, name: str) -> BinaryIO:
        try:
            return io.BytesIO(self.files[name])
        except KeyError:
            raise FileNotFoundError(name) from None

    def create(self, name: str, size: int | None = None) -> _PendingBytes:
        return _PendingBytes(self)

    def has(self, name: str, size: int) -> bool:
        return self.size(name) == size

    def remove(self, name: str) -> None:
        self.files.pop(name, None)

    def rename(self, name: str, new: str) -> None:
        self.publish(new, self.files.pop(name))

    def flush(self) -> None:
        """There is no disk."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self._lock:
            yield

    def publish(self, name: str, data: bytes) -> None:
        """Store a finished file."""
        if name not in self.files:
            self._written.append(name)
        self.files[name] = data

    def undo(self, sealed: Callable[[], bool]) -> None:
        for name in () if sealed() else self._written:
            self.remove(name)
        self._written.clear()


class _PendingBytes:
    def __init__(self, files: MemoryFiles) -> None:
        self._files = files
        self._parts: list[bytes] = []

    def write(self, chunk: bytes, /) -> None:
        self._parts.append(bytes(chunk))

    def take(self, file: BinaryIO, seen: Callable[[memoryview], None], *, link: bool) -> None:
        data = file.read()
        seen(memoryview(data))
        self.write(data)

    def publish(self, name: str, *, durable: bool = False) -> None:
        self._files.publish(name, b"".join(self._parts))

    def discard(self) -> None:
        self._parts.clear()
