"""What was counted in tables of PostgreSQL, for as long as nobody else can have changed them.

A snapshot says which transactions are seen by who holds it: all below its `xmax` that are not in its list of those
under way. So what has come to be seen between two snapshots is known by number. Where all of that is our own, and none
of it touched a table, the table has in the second the rows it has in the first, and need not be counted again. It takes
only a quiet server for that; where others commit, tables are counted as ever.
"""

from __future__ import annotations

from collections.abc import Collection
from threading import Lock
from typing import Final, NamedTuple

MOST_NEWS: Final = 1_000
"""Where more has happened, it was not we."""

MOST_OWN: Final = 10_000
"""Of so many of our own transactions the numbers are kept; whose number is forgotten counts as somebody else's."""


class Count(NamedTuple):
    """How many rows there are, and a text for those that others wrote."""

    rows: int
    edit: str


class Snapshot(NamedTuple):
    """Of PostgreSQL: the first transaction that is not seen yet, and those before it that are not either."""

    end: int
    under_way: frozenset[int]

    @classmethod
    def of(cls, told: str) -> Snapshot | None:
        """As `txid_current_snapshot` writes it; None for "", which tells nothing: that of a standby leaves out some."""
        if not told:
            return None
        _, end, under_way = told.split(":")
        return cls(int(end), frozenset(map(int, filter(None, under_way.split(",")))))

    def news(self, later: Snapshot) -> frozenset[int] | None:
        """The transactions that only a later one sees; None where they are too many."""
        if not 0 <= later.end - self.end <= MOST_NEWS:
            return None
        return frozenset((*range(self.end, later.end), *self.under_way)) - later.under_way


class Memo:
    """One for the sessions of an engine. A table is known by its name and by what it was counted for."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._own: dict[int, frozenset[str]] = {}
        self._counts: dict[str, tuple[str, Snapshot, Count]] = {}

    def ours(self, xid: int, touched: Collection[str]) -> None:
        """Said before a transaction of ours commits, with the tables whose rows, or names, it changed."""
        with self._lock:
            if len(self._own) >= MOST_OWN:
                self._own.clear()
            self._own[xid] = frozenset(touched)

    def keep(self, name: str, what: str, snapshot: Snapshot | None, count: Count) -> None:
        """What was counted by who held that snapshot."""
        if snapshot is not None:
            with self._lock:
                self._counts[name] = (what, snapshot, count)

    def recall(self, name: str, what: str, snapshot: Snapshot | None) -> Count | None:
        """What is there by this snapshot, where that is certain without counting."""
        if snapshot is None:
            return None
        with self._lock:
            known, before, count = self._counts.get(name, ("", snapshot, Count(0, "")))
            news = before.news(snapshot) if known == what else None
            if news is None or any(name in self._own.get(xid, (name,)) for xid in news):
                return None
            return count
