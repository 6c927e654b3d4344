"""One SQLite file: how it is opened, how a transaction is made, how its errors become ours.

Durable means committed with `synchronous=FULL` in WAL mode. A connection that met an I/O error is never used again:
after a failed fsync the kernel may have dropped the very pages that a second fsync would call safe.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
import sqlite3
import threading
from typing import Final

from reconcile.core.errors import CorruptStateError, StateError
from reconcile.state.codec import BadRowError

BUSY_S: Final = 10.0
"""How long one commit waits for another process's commit."""

_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_FATAL: Final = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}
_TELL: Final = {
    sqlite3.SQLITE_FULL: "the disk is full; the last committed state is whole",
    sqlite3.SQLITE_IOERR: "the disk failed; the last committed state is whole",
    sqlite3.SQLITE_READONLY: "it cannot be written here",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_BUSY: "another process keeps it busy",
    sqlite3.SQLITE_LOCKED: "another process keeps it busy",
}


def connect(path: str, query: str = "mode=rw") -> sqlite3.Connection:
    """A bare connection in autocommit mode that any thread may use, one at a time; makes no file."""
    uri = f"{Path(path).absolute().as_uri()}?{query}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_S)


def _kind(error: Exception) -> int:
    """The primary result code; 0 where there is none (Python's own complaints)."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def translate(error: Exception, path: str, op: str = "state") -> StateError:
    """What an error of SQLite (or a row whose check fails) means to us."""
    kind = _kind(error)
    if isinstance(error, BadRowError) or kind in _DAMAGED:
        return CorruptStateError(f"it is damaged ({error}) and was left as it is", op=op, path=path)
    return StateError(f"{_TELL[kind]} ({error})" if kind in _TELL else str(error), op=op, path=path)


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turns what SQLite raises inside into our errors."""
    try:
        yield
    except (sqlite3.Error, BadRowError) as error:
        raise translate(error, path) from error


class Database:
    """One connection, shared by the threads of a process under one lock; `query` is how its file was opened."""

    def __init__(self, path: str, connection: sqlite3.Connection, *, query: str | None, writable: bool) -> None:
        self.path = path
        self.writable = writable
        self.lock = threading.RLock()
        self._connection = connection
        self._query = query
        self._failed: sqlite3.Error | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is committed and durable at the end, or nothing is."""
        if not self.writable:
            raise StateError("it was opened for reading only", op="state", path=self.path)
        with self.lock, self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection for a few quick questions."""
        with self.lock, self._translated():
            yield self._connection

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """One consistent view for a long reading, on a connection of its own: it blocks no writer and sees none."""
        if self._query is None:
            with self.reading() as connection:
                yield connection
            return
        with translated(self.path), closing(connect(self.path, self._query)) as connection:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            yield connection

    def close(self) -> None:
        """Closes the connection; idempotent."""
        with self.lock:
            self._connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of SQLite become ours; after one of the disk, nothing goes through this connection again."""
        if self._failed is not None:
            raise StateError(f"the disk failed before ({self._failed})", op="state", path=self.path)
        with translated(self.path):
            try:
                yield
            except sqlite3.Error as error:
                if _kind(error) in _FATAL:
                    self._failed = error
                raise
