"""What each run found before it changed it: the way back. A path that was neither there nor recorded leaves no row.

What a run *left* at a path is what the next run to change it found there, else what is recorded now; so it needs no
row of its own, and a first upload of a million files writes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
import sqlite3
from typing import Any

import msgspec
from msgspec import Struct

from reconcile.core.entry import ABSENT, Version
from reconcile.core.record import Record
from reconcile.ports import Past
from reconcile.state import records
from reconcile.state.codec import Table


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


PAST = Table("past", PastRow)
REACHED = Table("reached", Reached)

_ONE = "WHERE scope = ? AND key = ? AND run = ?"
_NEXT = "WHERE scope = ? AND key = ? AND run > ? ORDER BY run LIMIT 1"


def keep(connection: sqlite3.Connection, run: int, scope: int, found: Mapping[str, Version]) -> None:
    """Before records are changed: keeps each as it is, with the version found in the target (`found`, by key).

    What a run finds first stands: a later change of the same path by the same run was of its own making.
    """
    rows = []
    for key, there in found.items():
        record = records.read_one(connection, scope, key)
        if (record is not None or there != ABSENT) and _row(connection, _ONE, scope, key, run) is None:
            rows.append(PastRow(scope, key, run, there, _told(record)))
    PAST.put(connection, rows)


def reach(connection: sqlite3.Connection, run: int, scopes: Iterable[int]) -> None:
    """Remembers that a run wrote in these scopes, whether or not it changed a record there."""
    REACHED.put(connection, [Reached(run, scope) for scope in scopes])


def reached(connection: sqlite3.Connection, run: int, scope: int) -> bool:
    """Whether a run wrote in a scope."""
    return next(REACHED.select(connection, "WHERE run = ? AND scope = ?", (run, scope)), None) is not None


def of(connection: sqlite3.Connection, run: int, scope: int, key: str) -> Past:
    """A path as a run found it, and as it left it."""
    before = _row(connection, _ONE, scope, key, run)
    after = _row(connection, _NEXT, scope, key, run)
    return Past(
        key,
        Version(before.there) if before else ABSENT,
        _record(before) if before else None,
        _record(after) if after else records.read_one(connection, scope, key),
        after.run if after else 0,
    )


def _row(connection: sqlite3.Connection, where: str, *which: Any) -> PastRow | None:
    return next(PAST.select(connection, where, which), None)


def _told(record: Record | None) -> dict[str, Any]:
    return msgspec.to_builtins(record) if record is not None else {}


def _record(row: PastRow) -> Record | None:
    return msgspec.convert(row.record, Record) if row.record else None
