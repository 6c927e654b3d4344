"""From one version of the schema to the next: numbered steps, all in one transaction, after a backup."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache
import sqlite3
from typing import Final

from reconcile.state.codec import check, wrap
from reconcile.state.connection import connect_memory
from reconcile.state.schema import V1, V2, V3

MIGRATIONS: Final[Sequence[str]] = (V1, V2, V3)
"""Step *n* leads from version *n* to *n + 1*; a new state walks all of them. Steps are only ever added."""


def version_of(connection: sqlite3.Connection) -> int:
    """The schema's version of an open state; 0 for an empty file."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def is_old(connection: sqlite3.Connection) -> bool:
    """Whether the schema is not today's."""
    return version_of(connection) < len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Brings the schema up to date inside the transaction the caller has begun."""
    _walk(connection, MIGRATIONS[version_of(connection) :])
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _walk(connection: sqlite3.Connection, scripts: Sequence[str]) -> None:
    connection.create_function("row_check", -1, lambda *fields: check(fields), deterministic=True)
    connection.create_aggregate("sum_of_checks", 1, _SumOfChecks)
    for script in scripts:
        for statement in filter(str.strip, script.split(";\n")):
            connection.execute(statement)


class _SumOfChecks:
    """The sum of checks as SQL knows it."""

    def __init__(self) -> None:
        self._total = 0

    def step(self, row_check: int | None) -> None:
        """One more row; None where an outer join found none."""
        self._total += row_check or 0

    def finalize(self) -> int:
        """The sum."""
        return wrap(self._total)


def tables(version: int) -> frozenset[tuple[str, str]]:
    """The tables of a version, as (name, SQL)."""
    return _tables(tuple(MIGRATIONS[:version]))


@lru_cache(maxsize=8)
def _tables(scripts: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    with closing(connect_memory()) as connection:
        _walk(connection, scripts)
        return tables_of(connection)


def tables_of(connection: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    """What an open state consists of, SQLite's own tables apart."""
    return frozenset(
        connection.execute("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
    )


def modern(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The connection, or a copy of an old state in memory with today's schema."""
    if not is_old(connection):
        return connection
    copy = connect_memory()
    connection.backup(copy)
    migrate(copy)
    return copy
