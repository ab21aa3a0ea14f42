"""What went over the wire: requests, and the bytes of their bodies both ways."""

from __future__ import annotations

from threading import Lock
from typing import Final

from oci_convert.text.printable import printable

__all__ = ["Traffic"]

_MOST_WARNINGS: Final = 100
_LONGEST_WARNING: Final = 300


class Traffic:
    """Counts what was sent and received; several threads may count at once.

    A request is one that was sent, whatever came of it: those that were tried again, redirected, or
    asked for a token, too. Bytes are those of bodies, without headers.
    """

    __slots__ = ("_lock", "_warnings", "bytes_down", "bytes_up", "requests")

    def __init__(self) -> None:
        self.requests: int = 0
        self.bytes_up: int = 0
        self.bytes_down: int = 0
        self._warnings: dict[str, None] = {}
        self._lock = Lock()

    def sent(self, size: int = 0) -> None:
        """Count a request, and the bytes of its body so far as they are known."""
        with self._lock:
            self.requests += 1
            self.bytes_up += size

    def up(self, size: int) -> None:
        """Count bytes of a body that were sent."""
        with self._lock:
            self.bytes_up += size

    def down(self, size: int) -> None:
        """Count bytes of a body that were received."""
        with self._lock:
            self.bytes_down += size

    def warn(self, text: str) -> None:
        """Keep what a registry warns of: once, bounded, and fit to be shown."""
        with self._lock:
            if len(self._warnings) < _MOST_WARNINGS:
                self._warnings.setdefault(printable(text[:_LONGEST_WARNING]))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What registries warned of (``Warning: 299``), each text once, in its order."""
        with self._lock:
            return tuple(self._warnings)

    def __repr__(self) -> str:
        return f"Traffic({self.requests} requests, {self.bytes_up} up, {self.bytes_down} down)"
