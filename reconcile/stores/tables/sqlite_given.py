"""A SQLite connection that a program hands out: used as ours are, and given back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
import sqlite3
from typing import Final

from reconcile.core.errors import BusyError, UsageError

RENAMES_ALONE: Final = {"legacy_alter_table": "ON", "foreign_keys": "OFF"}
"""A rename must not rewrite the views and keys that name the table."""


def check_threads(connection: sqlite3.Connection, url: str) -> None:
    """It must serve every thread: they take turns here. `UsageError` where it would fail only at the first change."""

    def ask() -> None:
        connection.cursor().close()

    with ThreadPoolExecutor(1) as another:
        try:
            another.submit(ask).result()
        except sqlite3.ProgrammingError as error:
            hint = "sqlite3.connect(…, check_same_thread=False): reconcile sees to it that one uses it at a time"
            raise UsageError("the connection serves only one thread", op="open", path=url, hint=hint) from error


@contextmanager
def given_as_ours(connection: sqlite3.Connection, path: str) -> Iterator[None]:
    """It behaves as one of ours for a transaction, and as its owner set it after that."""
    if connection.in_transaction:
        hint = "commit it first"
        raise BusyError("the connection that was given is in a transaction", op="sqlite", path=path, hint=hint)
    factories = connection.row_factory, connection.text_factory
    was: dict[str, object] = {}
    try:
        connection.row_factory, connection.text_factory = None, str
        _check_nothing_hidden(connection, path)
        for word, value in RENAMES_ALONE.items():
            [(was[word],)] = connection.execute(f"PRAGMA {word}").fetchall()
            connection.execute(f"PRAGMA {word}={value}")
        yield
    finally:
        for word, then in was.items():
            connection.execute(f"PRAGMA {word}={then}")
        connection.row_factory, connection.text_factory = factories


def _check_nothing_hidden(connection: sqlite3.Connection, path: str) -> None:
    """What is temporary comes before what the database has, and would be taken for it."""
    for kind, name in connection.execute("SELECT type, name FROM sqlite_temp_master LIMIT 1"):
        told = f"the connection that was given has a temporary {kind}, `{name}`"
        hint = "it comes before what the database has: drop it, or hand out another connection"
        raise UsageError(told, op="sqlite", path=path, hint=hint)
