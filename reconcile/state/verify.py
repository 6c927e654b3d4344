"""Whether a state is whole: every row against its check, every scope against its sum."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
import os
from pathlib import Path
import sqlite3
from typing import Final

from reconcile.state import past, records, runs, scopes
from reconcile.state.codec import DamageError
from reconcile.state.connection import log_size, looking
from reconcile.state.migrations import modern

UNREADABLE: Final = (sqlite3.Error, DamageError, OSError, UnicodeDecodeError)
"""What reading a damaged file raises; SQLite's own messages may quote bytes that are no text."""

_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100


def verify_file(path: Path) -> None:
    """Reads the whole state file, whatever its head says, and changes nothing."""
    verify_header(path)
    with looking(path) as connection, closing(modern(connection)) as current:
        verify(current)


def verify_header(path: Path) -> None:
    """What the first hundred bytes and the size tell; SQLite would take an empty file for an empty database."""
    with path.open("rb") as file:
        header = file.read(_HEADER)
        size = os.fstat(file.fileno()).st_size
    if len(header) < _HEADER or not header.startswith(_MAGIC):
        raise DamageError("this is no SQLite file")
    page = int.from_bytes(header[16:18], "big")
    whole = int.from_bytes(header[28:32], "big") * (page if page != 1 else 65536)
    if size < whole and not log_size(path):
        raise DamageError(f"{size} of {whole} bytes are left")


def verify(connection: sqlite3.Connection) -> scopes.Meta:
    """Reads everything; `DamageError` or a SQLite error where anything is not as it was written."""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise DamageError(found)
    rows = scopes.every(connection)
    for row in rows:
        _exhaust(records.read_all(connection, row.number, total=row.total, count=row.count))
    _no_more(connection, "records", sum(row.count for row in rows))
    runs.RUNS.verify(connection, (0,))
    runs.INTENTS.verify(connection, (0,))
    runs.OUTCOMES.verify(connection, runs.numbers(connection))
    for table in (past.PAST, past.REACHED):
        table.verify(connection, [row.number for row in rows])
    return scopes.meta(connection)


def _exhaust(rows: Iterable[object]) -> None:
    """Reads all, for the sake of its checks."""
    for _ in rows:
        pass


def _no_more(connection: sqlite3.Connection, table: str, count: int) -> None:
    """No row of a table belongs to nothing."""
    (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - our own names
    if found != count:
        raise DamageError(f"`{table}` holds {found - count} rows of nothing that is known")
