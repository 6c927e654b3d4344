"""Bare SQLite connections to a state file: for work, and for looking without changing a byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
import sqlite3
from typing import Final

from reconcile.ports import io_step
from reconcile.state.files import BUSY_S, beside

IMMUTABLE: Final = "mode=ro&immutable=1"
"""How a file is opened that nobody writes: no side files are looked at or made."""


def connect(path: Path, query: str = "mode=rw", *, timeout_s: float | None = None) -> sqlite3.Connection:
    """A connection in autocommit mode that any thread may use, one at a time; makes no file."""
    uri = f"{path.absolute().as_uri()}?{query}"
    wait_s = BUSY_S if timeout_s is None else timeout_s
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=wait_s)


def connect_memory() -> sqlite3.Connection:
    """A connection to an empty database in memory."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


@io_step("state.begin")
def begin(connection: sqlite3.Connection) -> None:
    """Starts a transaction that writes."""
    connection.execute("BEGIN IMMEDIATE")


@io_step("state.commit")
def commit(connection: sqlite3.Connection) -> None:
    """Returns when all of the transaction is durable."""
    connection.execute("COMMIT")


@io_step("state.backup")
def backup(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Makes `target` a copy of what `source` sees, in one transaction."""
    source.backup(target)


@contextmanager
def looking(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that changes no byte of the state: without a log the file itself is all there is."""
    with closing(connect(path, "mode=ro" if log_size(path) else IMMUTABLE)) as connection:
        connection.execute("BEGIN")
        yield connection


def log_size(path: Path) -> int:
    """Bytes in the write-ahead log of a state; 0 where there is none."""
    try:
        return beside(path, "-wal").stat().st_size
    except FileNotFoundError:
        return 0
