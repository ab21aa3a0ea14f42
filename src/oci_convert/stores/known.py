"""What is where, as far as those who share this memory know, and who is putting it there."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

__all__ = ["Known"]

_MOST: Final = 100_000
"""Things that are remembered: what is forgotten is asked for, or put, once more."""


class _Alone:
    """A lock, and how many want it."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = Lock()
        self.users = 0


class Known:
    """A memory of what was seen or put, shared by all threads; one at a time works on one thing.

    Two who put the same blob or manifest at once make some registries lose it for a moment, just
    when the other's manifest is checked.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._known: dict[Hashable, object] = {}
        self._working: dict[Hashable, _Alone] = {}
        self._lock = Lock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._known

    def add(self, key: Hashable, value: object = None) -> None:
        """It is there, and ``value`` is what else is known of it."""
        with self._lock:
            self._known[key] = value
            if len(self._known) > self._most:
                del self._known[next(iter(self._known))]

    def get(self, key: Hashable) -> object:
        """What was said of it; ``None`` if nothing was."""
        return self._known.get(key)

    def discard(self, key: Hashable) -> None:
        """It is not there, whatever was thought."""
        with self._lock:
            self._known.pop(key, None)

    @contextmanager
    def alone(self, key: Hashable) -> Iterator[None]:
        """Let nobody else work on the same thing: others wait here until it is done, or failed."""
        with self._lock:
            alone = self._working.setdefault(key, _Alone())
            alone.users += 1
        try:
            with alone.lock:
                yield
        finally:
            with self._lock:
                alone.users -= 1
                if not alone.users:
                    del self._working[key]
