"""Where lines of a file were seen, by a key: on disk if there are many, to take no memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from oci_convert.plain import spelled_out
from oci_convert.stores.base import Closing

if TYPE_CHECKING:
    import sqlite3

__all__ = ["KeyedLines", "temporary_database"]


def temporary_database() -> sqlite3.Connection:
    """A database in memory, and on disk when it grows, that is gone once it is closed."""
    import sqlite3

    # An empty name is a database that sqlite keeps to itself.
    database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
    database.execute("PRAGMA cache_size = -2000")
    database.execute("PRAGMA synchronous = OFF")
    return database


class KeyedLines(Closing):
    """Two numbers for each key, as JSON spells it; the last ones count. A context manager."""

    def __init__(self) -> None:
        self._database = temporary_database()
        self._database.execute(
            "CREATE TABLE lines (key TEXT PRIMARY KEY, at INTEGER, size INTEGER) WITHOUT ROWID"
        )

    def add(self, key: str, at: int, size: int = 0) -> None:
        """Note one key."""
        self.fill([(key, at, size)])

    def fill(self, lines: Iterable[tuple[str, int, int]]) -> None:
        """Note many."""
        self._database.execute("BEGIN")
        rows = ((spelled_out(key), at, size) for key, at, size in lines)
        self._database.executemany("INSERT OR REPLACE INTO lines VALUES (?, ?, ?)", rows)
        self._database.execute("COMMIT")

    def find(self, key: str) -> tuple[int, int] | None:
        """The numbers of a key."""
        query = "SELECT at, size FROM lines WHERE key = ?"
        row = self._database.execute(query, (spelled_out(key),)).fetchone()
        found: tuple[int, int] | None = row
        return found

    def close(self) -> None:
        """Forget it all."""
        self._database.close()
