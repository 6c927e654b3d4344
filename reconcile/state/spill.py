"""Rows put in any order and read back by key: in memory while they are few, then in a temporary file."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
import sqlite3
from typing import Final

from reconcile.state.database import translated

_BATCH: Final = 2_000
_PLACE: Final = Path("temporary rows")


def make_spill(limit: int = 20_000) -> SortedSpill:
    """A spill that keeps up to `limit` rows in memory."""
    return SortedSpill(limit)


class SortedSpill:
    """`ports.Spill`: a list, then an unnamed SQLite database that the system removes when it is closed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._memory: list[tuple[str, bytes]] = []
        self._spilled = 0
        self._connection: sqlite3.Connection | None = None

    def put(self, key: str, value: bytes) -> None:
        """Adds a row; a key may come more than once."""
        self._memory.append((key, value))
        if len(self._memory) > (self._limit if self._connection is None else _BATCH):
            self._write()

    def rows(self) -> Iterator[tuple[str, bytes]]:
        """All rows by key, equal keys in the order they came."""
        if self._connection is None:
            self._memory.sort(key=itemgetter(0))
            yield from self._memory
            return
        self._write()
        with translated(_PLACE):
            yield from self._connection.execute("SELECT key, value FROM rows ORDER BY key, rowid")

    def __len__(self) -> int:
        return len(self._memory) + self._spilled

    def close(self) -> None:
        """Frees it."""
        self._memory, self._spilled = [], 0
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write(self) -> None:
        """Moves what is in memory to the file."""
        with translated(_PLACE):
            if self._connection is None:
                self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
                self._connection.execute("PRAGMA journal_mode = OFF")
                self._connection.execute("CREATE TABLE rows (key TEXT NOT NULL, value BLOB NOT NULL)")
                self._connection.execute("BEGIN")
            self._connection.executemany("INSERT INTO rows VALUES (?, ?)", self._memory)
        self._spilled += len(self._memory)
        self._memory = []
