"""How a state file comes to be, and what is proven of it before anything may be written.

A new state is made whole under another name and linked into place, so a crash never leaves half a file that looks like
an empty state. An old one is first looked at without any right to write: what is damaged, foreign, newer than us or
older than its head is refused and left byte for byte as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
import os
from pathlib import Path
from secrets import token_hex
import sqlite3
from typing import Final

from reconcile.core.errors import CorruptStateError, NewerStateError, StateError
from reconcile.state.database import Database, connect, translated
from reconcile.state.files import alone_in, make_directory, make_private, sync_directory, sync_file, temporary_beside
from reconcile.state.head import compare, head_of, read_head
from reconcile.state.migrations import MIGRATIONS, migrate, version_of
from reconcile.state.schema import APPLICATION_ID
from reconcile.state.scopes import METAS, Meta, every, meta

_MAGIC: Final = b"SQLite format 3\0"
_IMMUTABLE: Final = "mode=ro&immutable=1"
SIDE_FILES: Final = ("-wal", "-shm")


def open_database(path: str, *, write: bool) -> Database:
    """The database of a state: made if it is missing and `write`, else an empty one in memory."""
    if not os.path.lexists(path):
        if not write:
            return _empty(path)
        create(path)
    inspect(path)
    return _writable(path) if write else _readable(path)


def create(path: str) -> None:
    """Makes an empty state of a new family, unless somebody else just did."""
    directory = os.path.dirname(os.path.abspath(path))
    make_directory(Path(directory))
    temporary = temporary_beside(path)
    try:
        with translated(path), alone_in(directory):
            make_private(temporary)
            with closing(connect(temporary)) as connection:
                found(connection, token_hex(16))
            sync_file(temporary)
            if not os.path.lexists(path):
                _clear_side_files(path)
                os.rename(temporary, path)
                sync_directory(directory)
    except OSError as error:
        raise StateError(f"it cannot be made: {error}", op="state", path=path) from error
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def found(connection: sqlite3.Connection, lineage: str) -> None:
    """Fills an empty database with the tables and the line of a new family."""
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("BEGIN IMMEDIATE")
    migrate(connection)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    METAS.put(connection, [Meta(1, lineage, 0, 0)])
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")


def inspect(path: str) -> None:
    """Refuses a state that is damaged, foreign, newer than us or older than its head; writes nothing."""
    _inspect_header(path)
    head = read_head(path)
    with looking(path) as connection:
        _inspect_version(connection, path)
        compare(head, head_of(meta(connection), every(connection)), path)


@contextmanager
def looking(path: str) -> Iterator[sqlite3.Connection]:
    """A connection that changes no byte of the state: without a log the file itself is all there is."""
    query = "mode=ro" if _log_size(path) else _IMMUTABLE
    with translated(path), closing(connect(path, query)) as connection:
        connection.execute("BEGIN")
        yield connection


def _inspect_header(path: str) -> None:
    """What the first hundred bytes and the size tell; SQLite would take an empty file for an empty database."""
    try:
        with open(path, "rb") as file:
            header = file.read(100)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise StateError(f"it cannot be read: {error}", op="state", path=path) from error
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise CorruptStateError("it is damaged: this is not a state file", op="state", path=path)
    page = int.from_bytes(header[16:18], "big")
    whole = int.from_bytes(header[28:32], "big") * (page if page != 1 else 65536)
    if size < whole and not _log_size(path):
        raise CorruptStateError(f"it is damaged: {size} of {whole} bytes are left", op="state", path=path)


def _inspect_version(connection: sqlite3.Connection, path: str) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise CorruptStateError("this SQLite file is not a state of reconcile", op="state", path=path)
    version = version_of(connection)
    if version > len(MIGRATIONS):
        told = f"a newer version of reconcile wrote it (schema {version}, this one knows {len(MIGRATIONS)})"
        raise NewerStateError(told, op="state", path=path, hint="pip install --upgrade reconcile")


def _writable(path: str) -> Database:
    with translated(path):
        connection = connect(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return Database(path, connection, query="mode=rw", writable=True)


def _readable(path: str) -> Database:
    """For reading: with the right to write the log's index where we have it, else the file as it stands."""
    with translated(path):
        for query in ("mode=rw", _IMMUTABLE):
            connection = connect(path, query)
            connection.execute("PRAGMA query_only = ON")
            try:
                connection.execute("SELECT 1 FROM meta")
            except sqlite3.OperationalError:
                connection.close()
                if query == _IMMUTABLE or _log_size(path):
                    raise
            else:
                break
    return Database(path, connection, query=query, writable=False)


def _empty(path: str) -> Database:
    connection = connect_memory()
    found(connection, "")
    return Database(path, connection, query=None, writable=False)


def connect_memory() -> sqlite3.Connection:
    """A database in memory."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def _log_size(path: str) -> int:
    """Bytes in the write-ahead log; 0 where there is none."""
    try:
        return os.stat(path + "-wal").st_size
    except FileNotFoundError:
        return 0


def _clear_side_files(path: str) -> None:
    """A log without its database would be played into the new one; a head would call it old."""
    for suffix in (*SIDE_FILES, ".head"):
        with suppress(FileNotFoundError):
            os.unlink(path + suffix)
