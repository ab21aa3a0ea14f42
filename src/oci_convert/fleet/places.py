"""What was seen where, by a key: on disk if there is much of it, so that it takes no memory."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

__all__ = ["Places"]


class Places:
    """Two numbers for each key; the last ones count. A context manager."""

    def __init__(self) -> None:
        import sqlite3

        # An empty name is a database that sqlite keeps to itself, and on disk when it grows.
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA cache_size = -2000")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(
            "CREATE TABLE places (key TEXT PRIMARY KEY, at INTEGER, size INTEGER) WITHOUT ROWID"
        )

    def add(self, key: str, at: int, size: int = 0) -> None:
        """Note one key."""
        self.fill([(key, at, size)])

    def fill(self, places: Iterable[tuple[str, int, int]]) -> None:
        """Note many."""
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO places VALUES (?, ?, ?)", places)
        self._database.execute("COMMIT")

    def find(self, key: str) -> tuple[int, int] | None:
        """The numbers of a key."""
        query = "SELECT at, size FROM places WHERE key = ?"
        found: tuple[int, int] | None = self._database.execute(query, (key,)).fetchone()
        return found

    def close(self) -> None:
        """Forget it all."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
