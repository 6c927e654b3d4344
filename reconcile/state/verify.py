"""Whether a state is whole: every row against its check, every scope against its sum."""

from __future__ import annotations

import sqlite3

from reconcile.state import records, runs, scopes
from reconcile.state.codec import BadRowError


def verify(connection: sqlite3.Connection) -> scopes.Meta:
    """Reads everything; `BadRowError` or a SQLite error where anything is not as it was written."""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise BadRowError(found)
    rows = scopes.every(connection)
    for row in rows:
        for _ in records.read_all(connection, row.number, total=row.total, count=row.count):
            pass
    (strays,) = connection.execute("SELECT count(*) FROM records").fetchone()
    if strays != sum(row.count for row in rows):
        raise BadRowError("it holds records of no scope")
    for table in (runs.RUNS, runs.OUTCOMES, runs.INTENTS):
        for _ in table.select(connection):
            pass
    return scopes.meta(connection)
