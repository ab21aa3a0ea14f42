"""Moving bytes from one open file to another."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Final

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no clones of this kind
    fcntl = None  # type: ignore[assignment]

__all__ = ["clone", "pump", "write_all"]

_FICLONE: Final = 0x40049409
_COPY: Final = 256 * 1024


def clone(source: BinaryIO, target: BinaryIO) -> bool:
    """Let ``target`` share the blocks of ``source``, where the file system can (``FICLONE``)."""
    if fcntl is None:
        return False
    try:
        fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
    except OSError:
        return False
    return True


def pump(
    source: BinaryIO, seen: Callable[[memoryview], None], write: Callable[[memoryview], object]
) -> None:
    """Move the rest of a file in one buffer: its pages stay in the cache of the processor."""
    buffer = memoryview(bytearray(_COPY))
    while size := source.readinto(buffer):  # type: ignore[attr-defined]  # an unbuffered file has it
        chunk = buffer[:size]
        seen(chunk)
        write(chunk)


def write_all(file: BinaryIO, chunk: bytes | memoryview) -> None:
    """Write a whole chunk to an unbuffered file: a pipe or a nearly full disk takes a part."""
    written = file.write(chunk)
    while written < len(chunk):
        written += file.write(memoryview(chunk)[written:])
