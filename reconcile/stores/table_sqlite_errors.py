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
        raise _meant(getattr(error, "sqlite_errorcode", 0), str(error), path) from error
    except OSError as error:
        kind = DeniedError if isinstance(error, PermissionError) else StoreError
        raise kind(os.strerror(error.errno or 0).lower(), op="sqlite", path=path) from error


@contextmanager
def driver_translated(path: str) -> Iterator[None]:
    """Those that the other driver tells of its private file."""
    import adbc_driver_manager  # noqa: PLC0415 - only for who loads many rows

    try:
        yield
    except adbc_driver_manager.Error as error:
        raise _meant(getattr(error, "vendor_code", None) or 0, str(error), path) from error


def _meant(code: int, told: str, path: str) -> StoreError:
    kind, words = _MEANT.get(code & 0xFF, (RefusedError, told))
    hint = "close what has it open, and run it again" if kind is BusyError else ""
    return kind(words, op="sqlite", path=path, hint=hint)
