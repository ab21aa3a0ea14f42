"""Files in memory: a dict from names to bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import BinaryIO

from oci_convert.stores.files.base import WritableFiles

__all__ = ["Held", "MemoryFiles"]


class Held:
    """The files of one store, which every run shares: its lock, and the runs that are writing."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.lock: RLock = RLock()
        self.living: list[MemoryFiles] = []


class MemoryFiles(WritableFiles):
    """Files in a dict, as one run sees them."""

    def __init__(
        self, files: dict[str, bytes] | None = None, label: str = "memory", held: Held | None = None
    ) -> None:
        self._held = Held({} if files is None else files) if held is None else held
        self.files: dict[str, bytes] = self._held.files
        self.label = label
        self._written: list[str] = []
        """What was not there before this run."""

    def names(self, folder: str = "") -> Iterator[str]:
        prefix = f"{folder}/" if folder else ""
        with self._held.lock:  # a dict must not grow while it is iterated
            return iter([name for name in self.files if name.startswith(prefix)])

    def size(self, name: str) -> int | None:
        data = self.files.get(name)
        return None if data is None else len(data)

    def open(self, name: str) -> BinaryIO:
        try:
            return io.BytesIO(self.files[name])
        except KeyError:
            raise FileNotFoundError(name) from None

    def begin(self) -> None:
        with self._held.lock:
            if self not in self._held.living:
                self._held.living.append(self)

    def create(self, name: str, size: int | None = None) -> _PendingBytes:
        self.begin()
        return _PendingBytes(self)

    def has(self, name: str, size: int) -> bool:
        return self.size(name) == size

    def remove(self, name: str) -> None:
        with self._held.lock:
            self.files.pop(name, None)

    def rename(self, name: str, new: str) -> None:
        with self._held.lock:
            self.publish(new, self.files.pop(name))

    def flush(self) -> None:
        """There is no disk."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self._held.lock:
            yield

    def publish(self, name: str, data: bytes) -> None:
        """Store a finished file."""
        with self._held.lock:
            if name not in self.files:
                self._written.append(name)
            self.files[name] = data

    def undo(self, holds_image: Callable[[], bool]) -> None:
        with self._held.lock:
            self.close()
            if not holds_image():
                if self._held.living:  # it may count on them, and inherits them
                    self._held.living[0]._written += self._written
                else:
                    for name in self._written:
                        self.remove(name)
            self._written.clear()

    def close(self) -> None:
        with self._held.lock:
            if self in self._held.living:
                self._held.living.remove(self)


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
