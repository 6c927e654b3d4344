"""Tables in a SQLite file, through Python's own library.

There must be one SQLite library to a file in a process: file locks belong to the process, so two libraries do not see
each other's, and both would write at once. A program that calls `reconcile.apply` may have the file open through
`sqlite3` itself; so data and ledger go through `sqlite3` too. Another driver, which binds rows faster, only gets a file
of its own (`sqlite_bulk`).

Every edit by hand is noticed cheaply (`sqlite_edits`). Readers are never kept waiting and see one moment: the
file is in WAL mode.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
import re
import sqlite3
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Self

from msgspec import structs

from reconcile.core.errors import (
    NotFoundError,
    RefusedError,
    UsageError,
)
from reconcile.ports import Leftover
from reconcile.stores.data.file import Column
from reconcile.stores.options import StoreOptions
from reconcile.stores.tables.engine import (
    BESIDE,
    BUSY_AGAIN_S,
    BUSY_TIMEOUT_S,
    MOST_TABLES,
    RESERVED,
    SCAN_ROWS,
    TRAITS,
    Limits,
    Seen,
    one_url,
    quoted,
)
from reconcile.stores.tables.sqlite_bulk import Bulk, clear_beside, left_beside
from reconcile.stores.tables.sqlite_definition import constraints
from reconcile.stores.tables.sqlite_edits import look, settle
from reconcile.stores.tables.sqlite_errors import translated
from reconcile.stores.tables.sqlite_exchange import exchange, may_exchange
from reconcile.stores.tables.sqlite_given import RENAMES_ALONE, check_threads, given_as_ours
from reconcile.stores.tables.sqlite_hanging import hanging
from reconcile.stores.tables.steps import check_carried, commit, put_in_place, rename
from reconcile.stores.tables.values import plain_values, python_columns, with_doubles

if TYPE_CHECKING:
    import pyarrow as pa

_TYPES: Final = {
    "integer": "BIGINT",
    "double": "FLOAT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "blob": "BLOB",
}
"""Of what SQLite has no type for, the text is kept."""

DECIMAL_DIGITS: Final = 15
"""A decimal of so many digits is a number in SQLite, and exact; one of more digits would be rounded, and stays text.

It is given as a number: of text SQLite makes one that may be the next to the nearest, in some of its versions.
"""

_DEFINITION: Final = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = $1 COLLATE NOCASE"
_PLACE: Final = re.compile(r'"(?:[^"]|"")*"|\$(\d+)')


class SqliteEngine:
    """One SQLite file. One connection, one transaction at a time; threads take turns."""

    def __init__(self, path: str, *, connection: sqlite3.Connection | None = None) -> None:
        self.url = one_url("sqlite", path)
        self.traits = structs.replace(
            TRAITS, key="casefold", reserved_prefixes=(RESERVED, "sqlite_"), together=MOST_TABLES
        )
        self.limits = Limits(columns=2_000)
        self.exclusive = True
        self._path = path
        self._given = connection
        self._connection = connection
        self._file: tuple[int, int] | None = None
        self._is_wal = False
        self._waited_in_vain = False
        self._lock = RLock()

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        """`sqlite:///relative.db`, `sqlite:////absolute.db`; `client` is an open connection to use instead."""
        path = url.removeprefix("sqlite:///")
        if path == ":memory:" and options.client is None:
            hint = "name a file, or hand out a connection: clients={...}"
            raise UsageError("a database in memory is gone when the run ends", op="open", path=url, hint=hint)
        if options.client is not None:
            check_threads(options.client, url)
        return cls(path, connection=options.client)

    def type_of(self, column: Column) -> str:
        """The words pandas writes, where it has one."""
        if column.type.startswith("decimal(") and int(column.type[8:].partition(",")[0]) <= DECIMAL_DIGITS:
            return column.type.upper()
        return _TYPES.get(column.type, "TEXT")

    @contextmanager
    def session(self, *, write: bool) -> Iterator[SqliteSession]:
        """Writers wait for each other from the start."""
        with self._lock, translated(self._path):
            connection = self._connected(write=write)
            with self._around(connection) as bulk:
                self._begin(connection, write=write)
                try:
                    yield SqliteSession(connection, bulk)
                    commit(lambda: connection.execute("COMMIT"))
                except BaseException:
                    with suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                    raise

    @contextmanager
    def _around(self, connection: sqlite3.Connection) -> Iterator[Bulk | None]:
        """Around a transaction. To a connection that was given nothing is attached: its owner may not allow it."""
        if self._given is not None:
            with given_as_ours(connection, self._path):
                yield None
        else:
            with closing(Bulk(connection, self._path)) as bulk:
                yield bulk

    def _begin(self, connection: sqlite3.Connection, *, write: bool) -> None:
        timeout_s = BUSY_AGAIN_S if self._waited_in_vain else BUSY_TIMEOUT_S
        if self._given is None:
            connection.execute(f"PRAGMA busy_timeout={int(timeout_s * 1_000)}")
        try:
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        except sqlite3.OperationalError:
            self._waited_in_vain = True
            raise
        self._waited_in_vain = self._waited_in_vain and not write

    def ensure(self, *, dry: bool) -> list[str]:
        """The file, and the directories above it."""
        path = Path(self._path)
        if self._given is not None or path.exists():
            return []
        if not dry:
            with translated(self._path):
                path.parent.mkdir(parents=True, exist_ok=True)
                connection = sqlite3.connect(self._path)
                connection.execute("PRAGMA journal_mode=WAL")
                connection.close()
        return [f"SQLite file {self._path}"]

    def left_beside(self) -> Leftover | None:
        """By its mark; a connection that was given has none."""
        found = left_beside(self._path) if self._given is None else None
        return Leftover(BESIDE, "", found.st_mtime_ns, found.st_size) if found is not None else None

    def clear_beside(self) -> None:
        """Whoever fills it holds the right to write, so nobody does who lets us have that."""
        if self.left_beside() is not None:
            with self.session(write=True):
                clear_beside(self._path)

    def close(self) -> None:
        """A connection that was given stays open: it is not ours."""
        with self._lock:
            if self._connection is not None and self._given is None:
                self._connection.close()
                self._connection = None

    def _connected(self, *, write: bool) -> sqlite3.Connection:
        """The connection, to the file that has the name now: one that was deleted behind our back is gone."""
        if self._given is not None:
            return self._given
        try:
            seen = Path(self._path).stat()
        except FileNotFoundError as error:
            raise NotFoundError("there is no such database", op="open", path=self._path) from error
        if self._connection is None or self._file != (seen.st_dev, seen.st_ino):
            self.close()
            self._connection, self._is_wal = self._open(), False
            self._file = seen.st_dev, seen.st_ino
        if write and not self._is_wal:  # nobody changes that while we have the file open
            [(mode,)] = self._connection.execute("PRAGMA journal_mode=WAL").fetchall()
            self._is_wal = mode == "wal"
        return self._connection

    def _open(self) -> sqlite3.Connection:
        uri = f"{Path(self._path).absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        for word, value in {**RENAMES_ALONE, "synchronous": "FULL", "cache_size": "-32768"}.items():
            connection.execute(f"PRAGMA {word}={value}")
        return connection


class SqliteSession:
    """One transaction of SQLite."""

    def __init__(self, connection: sqlite3.Connection, bulk: Bulk | None = None) -> None:
        self._connection = connection
        self._bulk = bulk

    def lock(self) -> None:
        """A transaction that writes has the file to itself."""

    def hold(self, name: str) -> None:
        """The same."""

    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """`$1` is written `?1` here. Whoever edits by hand may have put bytes into a text that are none."""
        try:
            return self._connection.execute(_with_places(sql), values).fetchall()
        except sqlite3.OperationalError as error:
            if "decode to UTF-8" not in str(error):
                raise
            self._connection.text_factory = _tolerant
            return self._connection.execute(_with_places(sql), values).fetchall()

    def names(self, name: str | None = None) -> dict[str, bool]:
        """Without SQLite's own. A name that nothing has is found out without reading the whole catalogue."""
        if name is not None and not self._has_columns(name):
            return {}
        rows = self.run(
            "SELECT name, type, sql FROM sqlite_schema WHERE type IN ('table', 'view') "
            "AND substr(name, 1, 7) <> 'sqlite_' AND ($1 IS NULL OR name = $1 COLLATE NOCASE)",
            name,
        )
        return {name: kind == "table" and not _is_virtual(sql) for name, kind, sql in rows}

    def _has_columns(self, name: str) -> bool:
        """Whether a table or view may have the name; a view that is broken says nothing of its columns."""
        try:
            return bool(self.run("SELECT 1 FROM pragma_table_info($1, 'main') LIMIT 1", name))
        except sqlite3.Error:
            return True

    def look(self, made: Mapping[str, tuple[str, int]]) -> dict[str, Seen]:
        """Read where they are small; of a larger one no row is, while its triggers saw no edit."""
        return look(self, made)

    def scan(self, name: str, where: str = "TRUE") -> Iterator[Sequence[tuple[Any, ...]]]:
        """By rowid."""
        self._connection.text_factory = _tolerant
        cursor = self._connection.execute(f"SELECT * FROM {quoted(name)} WHERE {where}")
        while rows := cursor.fetchmany(SCAN_ROWS):
            yield rows

    def columns(self, name: str) -> tuple[tuple[str, str], ...]:
        """As declared."""
        return tuple(self.run("SELECT name, type FROM pragma_table_info($1, 'main') ORDER BY cid", name))

    def fill(self, name: str, batches: pa.RecordBatchReader) -> None:
        """Many at once, or bound row by row where they are few or must be."""
        places = ", ".join("?" * len(batches.schema))
        insert = f"INSERT INTO {quoted(name)} VALUES ({places})"
        told = (with_doubles(batch, DECIMAL_DIGITS) for batch in batches)
        left = self._bulk.fill(name, told) if self._bulk is not None else told
        for batch in left:
            self._connection.executemany(insert, zip(*python_columns(batch), strict=True))

    def bind(self, name: str, columns: Sequence[Column], values: Sequence[Sequence[Any]]) -> None:
        """Appends the rows of a small file, which Python has already."""
        insert = f"INSERT INTO {quoted(name)} VALUES ({', '.join('?' * len(columns))})"
        rows = zip(*plain_values(columns, values, DECIMAL_DIGITS), strict=True)
        self._connection.executemany(insert, rows)

    def checksum(self, name: str) -> str:  # noqa: ARG002 - the triggers see every edit
        """None is needed."""
        return ""

    def append(self, name: str, new: str, mark: str, load: str) -> Seen:  # noqa: ARG002 - nothing of it stays
        """No trigger fires: ours do not count what we do, those of others would do to rows what no file says.

        Those of the new rows go with them: their names are those that the whole table's get.
        """
        triggers = self.run(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' "
            "AND (tbl_name = $1 COLLATE NOCASE OR tbl_name = $2)",
            name,
            new,
        )
        for trigger, _ in triggers:
            self.run(f"DROP TRIGGER {quoted(trigger)}")
        self.run(f"INSERT INTO {quoted(name)} SELECT * FROM {quoted(new)}")
        for trigger, sql in triggers:
            if not trigger.startswith(RESERVED):
                self.run(sql)
        return self.settle(name, load)

    def first(self, name: str, rows: int, mark: str) -> str:  # noqa: ARG002 - rows are numbered as they come
        """By the number of a row, under a name that no column has."""
        taken = {column.lower() for column, _ in self.columns(name)}
        number = next((word for word in ("rowid", "_rowid_", "oid") if word not in taken), "")
        if not number:
            raise RefusedError("its columns hide the numbers of its rows", op="read", path=name)
        return f"{number} <= {rows}"

    def replace(self, new: str, name: str, aside: str, mark: str) -> tuple[str, str]:
        """Views and foreign keys name their table, so they take the new one by themselves."""
        check_carried(self, name)
        if may_exchange(self, new, name):
            exchange(self, new, name, aside)
            return mark, ""
        hanging = self._hanging(name)
        for kind, own, _ in hanging:
            self.run(f"DROP {kind.upper()} {quoted(own)}")
        put_in_place(self, new, name, aside)
        for kind, own, sql in hanging:
            try:
                self.run(sql)
            except sqlite3.Error as error:
                message = f"the new columns cannot bear the {kind} {own} that hangs on the table ({error})"
                raise RefusedError(message, op="replace", path=name, hint="drop it, or keep the columns") from error
        return mark, ""

    def rename(self, name: str, new: str) -> None:
        """What names the table goes along, but where something is broken already; our own names take nothing along."""
        if RESERVED in (name[: len(RESERVED)], new[: len(RESERVED)]):
            rename(self, name, new)
            return
        self._connection.execute("PRAGMA legacy_alter_table=OFF")
        try:
            rename(self, name, new)
        except sqlite3.OperationalError:
            self._connection.execute("PRAGMA legacy_alter_table=ON")
            rename(self, name, new)
        finally:
            self._connection.execute("PRAGMA legacy_alter_table=ON")  # a swap leaves them to the name

    def hanging(self, name: str) -> list[str]:
        """Views, and foreign keys of others."""
        return list(hanging(self, name))

    def holding(self, name: str) -> list[str]:  # noqa: ARG002 - the new table has the columns it has
        """Nothing."""
        return []

    def obstacles(self, name: str) -> list[str]:
        """What its definition says beside its columns: somebody made it so. Indexes and triggers are made again."""
        return [word for (sql,) in self.run(_DEFINITION, name) for word in constraints(sql)]

    def _hanging(self, name: str) -> list[tuple[str, str, str]]:
        """The indexes and triggers of a table that are not ours: kind, name, and how each was made."""
        found = self.run(
            "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name = $1 COLLATE NOCASE "
            "AND type IN ('index', 'trigger') AND sql IS NOT NULL AND substr(name, 1, $3) <> $2",
            name,
            RESERVED,
            len(RESERVED),
        )
        return [(str(kind), str(own), str(sql)) for kind, own, sql in found]

    def settle(self, name: str, load: str) -> Seen:
        """From here on every edit is noticed."""
        return settle(self, {name: load})[name]

    def settle_all(self, loads: Mapping[str, str]) -> dict[str, tuple[Seen, str]]:
        """Each of them; no sum is needed."""
        return {name: (seen, "") for name, seen in settle(self, loads).items()}


def _tolerant(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


@lru_cache(256)
def _with_places(sql: str) -> str:
    return _PLACE.sub(lambda found: f"?{found[1]}" if found[1] else found[0], sql)


def _is_virtual(sql: str | None) -> bool:
    return (sql or "")[:21].upper().startswith("CREATE VIRTUAL TABLE")
