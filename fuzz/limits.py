"""Limits of time and memory for each input, where no fuzzer watches over them."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

__all__ = ["MEMORY", "SECONDS", "TooSlow", "limited"]

SECONDS: Final = 10
"""How long one input may take: a thousand times what most take."""
MEMORY: Final = 2 * 1024**3
"""How much memory the process may ask for while it works on one input, beside what it has."""


class TooSlow(BaseException):
    """An input takes too long. Nobody who catches exceptions catches it."""


@contextmanager
def limited() -> Iterator[None]:
    """Raise :class:`TooSlow`, or let Python raise :class:`MemoryError`, for what knows no end."""

    def stop(_: int, __: FrameType | None) -> None:
        raise TooSlow(f"an input takes more than {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _used() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, before)


def _used() -> int:
    """The address space that the process has."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
