"""What each run found before it changed it: the way back. A path that was neither there nor recorded leaves no row.

What a run *left* at a path is what the next run to change it found there, else what is recorded now; so it needs no
row of its own, and a first upload of a million files writes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
import sqlite3
from typing import Any

import msgspec
from msgspec import Struct

from reconcile.core.entry import ABSENT, Version
from reconcile.core.record import Record
from reconcile.ports import Past
from reconcile.state import records, scopes
from reconcile.state.sums import Summed


class PastRow(Struct, frozen=True):
    """One path of the scope `scope` (a number) as `run` found it; `record` is empty where there was none."""

    scope: int
    key: str
    run: int
    there: str
    record: dict[str, Any]


class Reached(Struct, frozen=True):
    """A run that wrote in a scope."""

    run: int
    scope: int


PAST = Summed("past", PastRow, key=("scope", "key", "run"), part="scope")
REACHED = Summed("reached", Reached, key=("run", "scope"), part="scope")


def begin(connection: sqlite3.Connection, scope: int) -> None:
    """Of a new scope nothing is known yet."""
    PAST.found(connection, scope)
    REACHED.found(connection, scope)


def forget(connection: sqlite3.Connection, scope: int) -> None:
    """Forgets what runs found in a scope."""
    PAST.forget(connection, scope)
    REACHED.forget(connection, scope)


def forget_before(connection: sqlite3.Connection, scope: int, run: int) -> None:
    """Forgets what the runs before `run` found in a scope."""
    PAST.drop_from(connection, scope, "run < ?", (run,))
    REACHED.drop_from(connection, scope, "run < ?", (run,))


def keep(connection: sqlite3.Connection, run: int, scope: int, found: Mapping[str, Version]) -> None:
    """Before records are changed: keeps each as it is, with the version found in the target (`found`, by key).

    What a run finds first stands: a later change of the same path by the same run was of its own making.
    """
    rows = []
    recorded = {record.key: record for record in records.read_some(connection, scope, found)}
    for key, there in found.items():
        record = recorded.get(key)
        if (record is not None or there != ABSENT) and not _is_kept(connection, scope, key, run):
            rows.append(PastRow(scope, key, run, there, _told(record)))
    PAST.put(connection, rows)


def reach(connection: sqlite3.Connection, run: int, scopes: Iterable[int]) -> None:
    """Remembers that a run wrote in these scopes, whether or not it changed a record there."""
    REACHED.put(connection, [Reached(run, scope) for scope in scopes])


def of(connection: sqlite3.Connection, run: int, scope: scopes.ScopeRow, keys: Sequence[str]) -> Iterator[Past]:
    """Each path as a run found it, and as it left it; none at all when the run never wrote in this scope.

    All that is remembered of the scope is read: who acts on it must not take a lost row for one that never was.
    """
    if run not in {one.run for one in REACHED.every(connection, scope.number, order="run")}:
        return
    wanted = set(keys)
    before: dict[str, PastRow] = {}
    after: dict[str, PastRow] = {}
    for row in PAST.every(connection, scope.number, order="key, run"):
        if row.key in wanted and row.run >= run:
            (before if row.run == run else after).setdefault(row.key, row)
    rows = records.read_all(connection, scope.number, total=scope.total, count=scope.count)
    now = {record.key: record for record in rows if record.key in wanted}
    for key in keys:
        found, then = before.get(key), after.get(key)
        there = Version(found.there) if found else ABSENT
        left = _record(then) if then else now.get(key)
        yield Past(key, there, _record(found) if found else None, left, then.run if then else 0)


def _is_kept(connection: sqlite3.Connection, *which: Any) -> bool:
    return next(PAST.select(connection, "WHERE scope = ? AND key = ? AND run = ?", which), None) is not None


def _told(record: Record | None) -> dict[str, Any]:
    return msgspec.to_builtins(record) if record is not None else {}


def _record(row: PastRow) -> Record | None:
    return msgspec.convert(row.record, Record) if row.record else None
