"""The scopes of a state and its one line about itself, each under the check of its row."""

from __future__ import annotations

from collections.abc import Mapping
import sqlite3

from msgspec import Struct
from msgspec.structs import replace

from reconcile.core.errors import StateError
from reconcile.core.record import Record, Scope
from reconcile.state import records
from reconcile.state.codec import DamageError, Table, wrap


class Meta(Struct, frozen=True):
    """The state's line about itself: its family, how many commits it has seen, the last run's number."""

    id: int
    lineage: str
    serial: int
    last_run: int


class ScopeRow(Struct, frozen=True):
    """A scope as it is kept: `number` stands for it in the records, `total` is the sum of their checks."""

    number: int
    id: str
    mapping: str
    source: str
    target: str
    layout: str
    direction: str
    serial: int = 0
    total: int = 0
    count: int = 0
    completed: bool = False

    @property
    def scope(self) -> Scope:
        """The scope as the rest of the program knows it."""
        return Scope(self.mapping, self.source, self.target, self.layout, self.direction)


METAS = Table("meta", Meta)
SCOPES = Table("scopes", ScopeRow)


def meta(connection: sqlite3.Connection) -> Meta:
    """The state's line about itself; `DamageError` without one."""
    for found in METAS.select(connection):
        return found
    raise DamageError("`meta` is empty")


def find(connection: sqlite3.Connection, scope: str) -> ScopeRow | None:
    """A scope by its id."""
    return next((row for row in every(connection) if row.id == scope), None)


def known(connection: sqlite3.Connection, scope: str) -> ScopeRow:
    """A scope by its id; `StateError` when it was never opened."""
    row = find(connection, scope)
    if row is None:
        raise StateError(f"the scope {scope} was never opened", op="state")
    return row


def every(connection: sqlite3.Connection) -> list[ScopeRow]:
    """All scopes, in the order they were made."""
    return list(SCOPES.select(connection, "ORDER BY number"))


def add(connection: sqlite3.Connection, scope: Scope) -> int | None:
    """Makes a scope known and returns its number; None when it was known."""
    if find(connection, scope.id) is not None:
        return None
    (highest,) = connection.execute("SELECT coalesce(max(number), 0) FROM scopes").fetchone()
    fields = (scope.mapping, scope.source, scope.target, scope.layout, scope.direction)
    SCOPES.put(connection, [ScopeRow(highest + 1, scope.id, *fields)])
    return int(highest) + 1


def change(connection: sqlite3.Connection, row: ScopeRow, wanted: Mapping[str, Record | None]) -> None:
    """Puts or drops (None) records of a scope by key, with their sum, their count and the scope's serial."""
    total, count = records.change(connection, row.number, wanted)
    fields = {"serial": row.serial + 1, "total": wrap(row.total + total), "count": row.count + count}
    SCOPES.put(connection, [replace(row, **fields)])
