"""SQLite's errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
import sqlite3
from typing import Final

from reconcile.core.errors import BusyError, DamagedError, DeniedError, RefusedError, StoreError

_MEANT: Final[dict[int, tuple[type[StoreError], str]]] = {
    sqlite3.SQLITE_BUSY: (BusyError, "is locked by another program"),
    sqlite3.SQLITE_LOCKED: (BusyError, "is locked by another program"),
    sqlite3.SQLITE_FULL: (StoreError, "the disk is full"),
    sqlite3.SQLITE_READONLY: (DeniedError, "may only be read"),
    sqlite3.SQLITE_PERM: (DeniedError, "may not be opened"),
    sqlite3.SQLITE_CANTOPEN: (DeniedError, "cannot be opened"),
    sqlite3.SQLITE_AUTH: (DeniedError, "may not be used so"),
    sqlite3.SQLITE_CORRUPT: (DamagedError, "is damaged"),
    sqlite3.SQLITE_NOTADB: (DamagedError, "is no SQLite file"),
    sqlite3.SQLITE_IOERR: (StoreError, "the disk could not be read or written"),
}


@contextmanager
def translated(path: str) -> Iterator[None]:
    """SQLite's errors, and the system's, as ours."""
    try:
        yield
    except sqlite3.Error as error:
        kind, words = _MEANT.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, (RefusedError, str(error)))
        hint = "close what has it open, and run it again" if kind is BusyError else ""
        raise kind(words, op="sqlite", path=path, hint=hint) from error
    except OSError as error:
        kind = DeniedError if isinstance(error, PermissionError) else StoreError
        raise kind(os.strerror(error.errno or 0).lower(), op="sqlite", path=path) from error


@contextmanager
def driver_translated(path: str) -> Iterator[None]:
    """What the other driver tells of its private file: words, and not always the right ones, for it has no codes."""
    import adbc_driver_manager  # noqa: PLC0415 - only for who loads many rows

    try:
        yield
    except adbc_driver_manager.Error as error:
        told = str(error).strip().partition("\n")[0]
        raise StoreError(f"cannot be written ({told})", op="sqlite", path=path, hint="is the disk full?") from error
