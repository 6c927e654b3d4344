"""Whether a state is whole: every row against its check, every scope against its sum."""

from __future__ import annotations

from contextlib import closing
import os
from pathlib import Path
import sqlite3
from typing import Final

from reconcile.state import records, runs, scopes
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
        for _ in records.read_all(connection, row.number, total=row.total, count=row.count):
            pass
    (strays,) = connection.execute("SELECT count(*) FROM records").fetchone()
    if strays != sum(row.count for row in rows):
        raise DamageError("it holds records of no scope")
    for table in (runs.RUNS, runs.OUTCOMES, runs.INTENTS):
        for _ in table.select(connection):
            pass
    return scopes.meta(connection)
