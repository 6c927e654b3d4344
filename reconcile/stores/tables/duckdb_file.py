"""One DuckDB file in this process. It lets a process have a file open in one way only: for reading, or for writing.

So all stores on one file, those of several mappings, share its connection and take turns; who only reads after somebody
wrote reads through that one. It is closed when the last of them is.
"""

from __future__ import annotations

from contextlib import suppress
import os
from pathlib import Path
from threading import Lock, RLock
import time
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet, WeakValueDictionary

from reconcile.core.errors import NotFoundError, RefusedError, UsageError
from reconcile.stores.tables.duckdb_catalogue import Catalogue
from reconcile.stores.tables.duckdb_errors import is_busy
from reconcile.stores.tables.engine import BUSY_AGAIN_S, BUSY_TIMEOUT_S

if TYPE_CHECKING:
    import duckdb

_SQLITE: Final = b"SQLite format 3\0"
_NO_DOWNLOADS: Final[dict[str, Any]] = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
"""What a file or a query seems to ask for is not fetched from the internet."""

_ALONE: Final[dict[str, Any]] = {**_NO_DOWNLOADS, "custom_user_agent": "reconcile"}
"""A connection that is not opened with the very same words is refused in this process: no other shares ours."""

BUSY_ASK_S: Final = 0.2
"""How often it is asked for: DuckDB itself waits for nobody."""

_FILES: Final[WeakValueDictionary[str, DuckdbFile]] = WeakValueDictionary()
_FILES_LOCK: Final = Lock()


class DuckdbFile:
    """The connection, held by whoever used it and has not left; `lock` is held during a transaction."""

    def __init__(self, path: str, *, connection: duckdb.DuckDBPyConnection | None = None) -> None:
        self.lock = RLock()
        self._path = path
        self._given = connection is not None
        self._connection = connection
        self._catalogue: Catalogue | None = None
        self._waited_in_vain = False
        self._users: WeakSet[object] = WeakSet()
        self._seen: tuple[int, int] | None = None
        self._writes = False

    def connected(self, user: object, *, write: bool) -> tuple[duckdb.DuckDBPyConnection, Catalogue]:
        """A connection to the file that has the name now: one that was deleted behind our back is gone.

        With what is known of the file: while it is open here nobody else changes it, but who gave us a connection may.
        """
        if self._given and self._connection is not None:
            _check_given(self._connection, self._path)
            return self._connection, Catalogue(self._connection)
        self._users.add(user)
        try:
            found = Path(self._path).stat()
        except FileNotFoundError as error:
            raise NotFoundError("there is no such database", op="open", path=self._path) from error
        stale = self._seen != (found.st_dev, found.st_ino)
        if self._connection is None or self._catalogue is None or stale or (write and not self._writes):
            return self._open(write=write)
        return self._connection, self._catalogue

    def make(self, user: object) -> None:
        """The file, where there is none."""
        self._users.add(user)
        self._open(write=True)

    def leave(self, user: object) -> None:
        """The last one closes it."""
        with self.lock:
            self._users.discard(user)
            if not self._users:
                self._close()

    def _open(self, *, write: bool) -> tuple[duckdb.DuckDBPyConnection, Catalogue]:
        self._close()  # who waits holds nothing that another waits for
        _check_not_sqlite(self._path)
        self._connection = self._waited_for(write=write)
        self._catalogue = Catalogue(self._connection)
        self._writes = write
        seen = Path(self._path).stat()
        self._seen = seen.st_dev, seen.st_ino
        return self._connection, self._catalogue

    def _waited_for(self, *, write: bool) -> duckdb.DuckDBPyConnection:
        import duckdb  # noqa: PLC0415 - heavy

        ends = time.monotonic() + (BUSY_AGAIN_S if self._waited_in_vain else BUSY_TIMEOUT_S)
        while True:
            try:
                connection = duckdb.connect(self._path, read_only=not write, config=_ALONE)
            except duckdb.IOException as error:
                if not is_busy(str(error)):
                    raise
                if time.monotonic() >= ends:
                    self._waited_in_vain = True
                    raise
                time.sleep(BUSY_ASK_S)
            else:
                self._waited_in_vain = False
                return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = self._catalogue = None


def shared_file(path: str) -> DuckdbFile:
    """The file at a path, one and the same for all who ask while anybody has it."""
    real = os.path.realpath(path)
    with _FILES_LOCK:
        file = _FILES.get(real)
        if file is None:
            file = _FILES[real] = DuckdbFile(path)
        return file


def _check_not_sqlite(path: str) -> None:
    """DuckDB would open such a file by an extension, and find nothing in it that it could write."""
    with suppress(FileNotFoundError), Path(path).open("rb") as file:
        if file.read(len(_SQLITE)) == _SQLITE:
            raise RefusedError("is a SQLite file", op="duckdb", path=path, hint=f"write sqlite:///{path}")


def _check_given(connection: duckdb.DuckDBPyConnection, path: str) -> None:
    """What has the name of one of our tables must be that: neither one of another schema nor a temporary one."""
    temporary = "SELECT table_name FROM duckdb_tables() WHERE temporary UNION ALL SELECT view_name FROM duckdb_views() "
    [schema], *hidden = connection.execute(
        f"SELECT current_schema() UNION ALL ({temporary} WHERE temporary AND NOT internal LIMIT 1)"
    ).fetchall()
    if schema != "main" or hidden:
        told = (
            f"works in the schema {schema}" if schema != "main" else f"has a temporary table or view, `{hidden[0][0]}`"
        )
        hint = "it comes before what the database has: drop it, or hand out another connection"
        raise UsageError(f"the connection that was given {told}", op="duckdb", path=path, hint=hint)
