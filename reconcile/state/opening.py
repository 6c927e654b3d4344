"""How a state file comes to be, and what is proven of it before anything may be written.

A new state is made whole under another name and renamed into place, so a crash never leaves half a file that looks like
an empty state. An old one is first looked at without any right to write: what is damaged, foreign, newer than us or
older than its head is refused and left byte for byte as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
import os
from pathlib import Path
from secrets import token_hex
import sqlite3
from stat import S_ISREG
from typing import Final

from reconcile.core.errors import CorruptStateError, LineageError, NewerStateError
from reconcile.state import migrations
from reconcile.state.codec import DamageError
from reconcile.state.connection import IMMUTABLE, begin, commit, connect, connect_memory, log_size, looking
from reconcile.state.database import Database, translated
from reconcile.state.files import alone_in, beside, make_directory, replacing, sync_directory, unlink
from reconcile.state.generations import copy, outlive
from reconcile.state.head import compare, head_of, read_head
from reconcile.state.schema import APPLICATION_ID
from reconcile.state.scopes import METAS, Meta, every, meta
from reconcile.state.verify import verify, verify_header

_SIDE_FILES: Final = ("-wal", "-shm", ".head")
"""What lies beside a state and is nothing without it."""

_SMALL: Final = 8 << 20
"""A state up to this size is read completely before it is opened for writing (50 ms); the march reads any other."""


def open_database(path: Path, *, write: bool) -> Database:
    """The database of a state: made if it is missing and `write`, else an empty one in memory."""
    if not _is_there(path):
        if not write:
            return empty_database(path)
        create(path)
    inspect(path, thorough=write)
    return _writable(path) if write else _readable(path)


def _is_there(path: Path) -> bool:
    """Whether anything has this name; what may not be looked at is not taken for a state that is not there."""
    with translated(path):
        try:
            path.lstat()
        except FileNotFoundError:
            return False
    return True


def create(path: Path) -> None:
    """Makes an empty state of a new family, unless somebody else just did."""
    with translated(path):
        make_directory(path.absolute().parent)
        with alone_in(path.absolute().parent):
            if os.path.lexists(path):
                return
            outlive(path)
            clear_side_files(path)
            with replacing(path) as temporary, closing(connect(temporary)) as connection:
                found(connection, token_hex(16))


def found(connection: sqlite3.Connection, lineage: str) -> None:
    """Fills an empty database with the tables and the first line of a new family."""
    begin(connection)
    migrations.migrate(connection)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    METAS.put(connection, [Meta(1, lineage, 0, 0)])
    commit(connection)
    connection.execute("PRAGMA journal_mode = WAL")


def clear_side_files(path: Path) -> None:
    """Durably removes what a lost state left: its log would be played into the next, its head would call that one old.

    All names that were changed before in the same directory last from now on, too.
    """
    for suffix in _SIDE_FILES:
        unlink(beside(path, suffix))
    sync_directory(path.absolute().parent)


def inspect(path: Path, *, thorough: bool = False) -> None:
    """Refuses a state that is damaged, foreign, newer than us or older than its head; writes nothing.

    A look at a file that another process changed meanwhile proves nothing and is taken again.
    """
    while True:
        before = _stamp(path)
        try:
            _inspect(path, thorough=thorough and before[1] <= _SMALL)
        except (CorruptStateError, LineageError):
            if _stamp(path) == before:
                raise
        else:
            return


def examine(path: Path) -> None:
    """Refuses a file that is not a whole state by itself, whatever its head says; writes nothing."""
    with _examined(path) as current:
        verify(current)


def _inspect(path: Path, *, thorough: bool) -> None:
    head = read_head(path)
    with _examined(path) as current:
        if thorough:
            verify(current)
        compare(head, head_of(meta(current), every(current)), path)


@contextmanager
def _examined(path: Path) -> Iterator[sqlite3.Connection]:
    """A look at a state that is ours, with today's schema."""
    with translated(path):
        verify_header(path)
        with looking(path) as connection:
            _inspect_version(connection, path)
            with closing(migrations.modern(connection)) as current:
                yield current


def _inspect_version(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise DamageError("this SQLite file is not one of ours")
    version, known = migrations.version_of(connection), len(migrations.MIGRATIONS)
    if version > known:
        told = f"a newer version of reconcile wrote it (schema {version}, this one knows {known})"
        raise NewerStateError(told, op="state", path=str(path), hint="pip install --upgrade reconcile")
    if migrations.tables_of(connection) != migrations.tables(version):  # a trigger or a view would do what it likes
        raise DamageError("its tables are not ours")


def _stamp(path: Path) -> tuple[int, int, int]:
    """What changes when anybody writes the state."""
    with translated(path):
        found = path.stat()
        if not S_ISREG(found.st_mode):  # reading a pipe would wait for ever
            raise DamageError("this is no file")
    return found.st_mtime_ns, found.st_size, log_size(path)


def _writable(path: Path) -> Database:
    with translated(path):
        connection = connect(path)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            if migrations.is_old(connection):
                _modernise(path, connection)
        except BaseException:
            connection.close()
            raise
    return Database(path, connection, query="mode=rw", writable=True)


def _modernise(path: Path, connection: sqlite3.Connection) -> None:
    """Brings an old state up to date, all or nothing; as it was, it stays as `….schema-N`, which no run removes."""
    copy(connection, beside(path, f".schema-{migrations.version_of(connection)}"))
    begin(connection)
    migrations.migrate(connection)
    commit(connection)


def _readable(path: Path) -> Database:
    """For reading only.

    With a log, a read-only connection: it never moves the log into the file. Without one, a connection that could write
    the side files, for it also removes them; where the directory is read-only, the file as it stands.
    """
    query = "mode=ro" if log_size(path) else "mode=rw"
    with translated(path):
        connection = connect(path, query)
        try:
            connection.execute("SELECT 1 FROM meta")
        except sqlite3.OperationalError:
            connection.close()
            if log_size(path):
                raise
            query = IMMUTABLE
            connection = connect(path, query)
        connection.execute("PRAGMA query_only = ON")
        if migrations.is_old(connection):
            with closing(connection):
                return Database(path, migrations.modern(connection), query=None, writable=False)
    return Database(path, connection, query=query, writable=False)


def empty_database(path: Path) -> Database:
    """A state that is not there: in memory, of no family."""
    connection = connect_memory()
    found(connection, "")
    return Database(path, connection, query=None, writable=False)
