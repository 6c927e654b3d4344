"""One SQLite file: how a transaction is made, and what its errors mean.

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
from reconcile.state.codec import DamageError
from reconcile.state.connection import backup, begin, commit, connect
from reconcile.state.files import busy
from reconcile.state.generations import way_out
from reconcile.state.verify import UNREADABLE

_DAMAGED: Final = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_ERROR,  # our statements are fixed: it is the schema they do not fit
}
_FATAL: Final = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}
_FULL: Final = sqlite3.SQLITE_IOERR_SHMSIZE
"""How SQLite calls a disk that is too full even for the index of its log."""

_TOLD: Final = {
    sqlite3.SQLITE_FULL: "the disk is full; the last committed state is whole",
    sqlite3.SQLITE_IOERR: "the disk failed; the last committed state is whole",
    sqlite3.SQLITE_READONLY: "it cannot be written here",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
}

_HINTS: Final = {sqlite3.SQLITE_FULL: "make room on this disk; the next run goes on from there"}


def translate(error: Exception, path: Path) -> StateError:
    """What an error of SQLite, of the disk, or a row whose check fails means to us."""
    kind = _kind(error)
    undecodable = isinstance(error, UnicodeDecodeError) or (isinstance(error, sqlite3.OperationalError) and not kind)
    if isinstance(error, DamageError) or kind in _DAMAGED or undecodable:
        return damaged(str(error), path)
    if kind == sqlite3.SQLITE_BUSY:
        return busy(f"state {path}: another process is in the middle of a commit")
    told = f"{_TOLD[kind]} ({error})" if kind in _TOLD else str(error)
    return StateError(told, op="state", path=str(path), hint=_HINTS.get(kind, ""))


def damaged(told: str, path: Path) -> CorruptStateError:
    """The refusal of a damaged state, with the generation that could take its place."""
    told = f"the state is damaged and was left as it is: {told}"
    return CorruptStateError(told, op="state", path=str(path), hint=way_out(path))


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turns what SQLite and the disk raise inside into our errors."""
    try:
        yield
    except UNREADABLE as error:
        raise translate(error, path) from error


class Database:
    """One connection, shared by the threads of a process under one lock.

    `query` is how the file was opened, so that long readings get a connection of their own; None for one in memory,
    which nobody writes.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, *, query: str | None, writable: bool) -> None:
        self.path = path
        self.lock = threading.RLock()
        self._connection = connection
        self._query = query
        self._writable = writable
        self._failed: sqlite3.Error | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is committed and durable at the end, or nothing is."""
        if not self._writable:
            raise StateError("it was opened for reading only", op="state", path=str(self.path))
        with self.lock, self._watched():
            begin(self._connection)
            try:
                yield self._connection
                commit(self._connection)
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection for a few quick questions, all answered of one commit."""
        with self.lock, self._watched():
            within = self._connection.in_transaction
            if not within:
                self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                if not within and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """One consistent view for a long reading: it blocks no writer and sees none."""
        if self._query is None:
            with translated(self.path):
                yield self._connection
            return
        with translated(self.path), closing(connect(self.path, self._query)) as connection:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            yield connection

    def overwrite(self, source: sqlite3.Connection) -> None:
        """Becomes a copy of another database, in one transaction."""
        with self.lock, self._watched():
            backup(source, self._connection)

    def close(self) -> None:
        """Closes the connection; idempotent."""
        with self.lock:
            self._connection.close()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Errors of SQLite become ours; after one of the disk, nothing goes through this connection again."""
        if self._failed is not None:
            hint = _HINTS.get(_kind(self._failed), "")
            raise StateError(f"the disk failed before ({self._failed})", op="state", path=str(self.path), hint=hint)
        with translated(self.path):
            try:
                yield
            except sqlite3.Error as error:
                if _kind(error) in _FATAL:
                    self._failed = error
                raise


def _kind(error: Exception) -> int:
    """SQLite's primary result code; 0 where there is none (Python's own complaints)."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return sqlite3.SQLITE_FULL if code == _FULL else code & 0xFF
