"""Tables in a DuckDB file. One process has the file to itself while it writes; several may read it meanwhile none does.

DuckDB does not tell cheaply whether rows were edited; a sum over all of them, which takes it a second for a gigabyte,
is noted with each load and compared before a table is replaced or dropped. Its hash may differ from release to release,
so a sum made by another release says nothing, and only rows and columns are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from zlib import crc32

from msgspec import structs

from reconcile.core.errors import RefusedError
from reconcile.stores.data.file import Column
from reconcile.stores.options import StoreOptions
from reconcile.stores.tables.duckdb_catalogue import Catalogue
from reconcile.stores.tables.duckdb_errors import forgiving, translated
from reconcile.stores.tables.duckdb_file import DuckdbFile, shared_file
from reconcile.stores.tables.duckdb_hanging import views_on
from reconcile.stores.tables.engine import (
    AT_ONCE,
    LEDGER,
    MOST_TABLES,
    RESERVED,
    SCAN_ROWS,
    TRAITS,
    Limits,
    Seen,
    one_url,
    quoted,
)
from reconcile.stores.tables.ledger import Row
from reconcile.stores.tables.steps import check_carried, commit, put_in_place, rename

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_TYPES: Final = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "blob": "BLOB",
    "json": "JSON",
}
_OF_LEDGER: Final = f"SELECT {', '.join(Row.__struct_fields__)} FROM {LEDGER} "
"""Such questions are asked again and again in one transaction."""


class DuckdbEngine:
    """One DuckDB file. One connection, one transaction at a time; all who have the file in this process take turns."""

    def __init__(self, path: str, *, connection: duckdb.DuckDBPyConnection | None = None) -> None:
        self.url = one_url("duckdb", path)
        self.traits = structs.replace(TRAITS, key="casefold", together=MOST_TABLES)
        self.limits = Limits()
        self.exclusive = True
        self._path = path
        self._given = connection is not None
        self._file = DuckdbFile(path, connection=connection) if connection is not None else shared_file(path)

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        """`duckdb:///relative.db`, `duckdb:////absolute.db`; `client` is an open connection to use instead."""
        return cls(url.removeprefix("duckdb:///"), connection=options.client)

    def type_of(self, column: Column) -> str:
        """Every type has its like."""
        return type_of(column)

    @contextmanager
    def session(self, *, write: bool) -> Iterator[DuckdbSession]:
        """Opened for writing only once somebody writes: until then other processes may read as well."""
        with self._file.lock, translated(self._path):
            connection, catalogue = self._file.connected(self, write=write)
            connection.execute("BEGIN")
            try:
                yield DuckdbSession(connection, catalogue)
                commit(lambda: connection.execute("COMMIT"))
            except BaseException:
                catalogue.forget()
                with forgiving():
                    connection.execute("ROLLBACK")
                raise

    def ensure(self, *, dry: bool) -> list[str]:
        """The file, and the directories above it."""
        path = Path(self._path)
        if self._given or path.exists():
            return []
        if not dry:
            with self._file.lock, translated(self._path):
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file.make(self)
        return [f"DuckDB file {self._path}"]

    def close(self) -> None:
        """A connection that was given stays open: it is not ours."""
        if not self._given:
            self._file.leave(self)


class DuckdbSession:
    """One transaction of DuckDB."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
        self._connection = connection
        self._catalogue = catalogue

    def lock(self) -> None:
        """There is no other writer."""

    def hold(self, name: str) -> None:
        """The same."""

    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """As it is."""
        if not sql.startswith(_OF_LEDGER):
            found = self._connection.execute(sql, list(values)).fetchall()
            self._catalogue.ran(sql)
            return found
        known = self._catalogue.answers
        if (sql, values) not in known:
            known[sql, values] = self._connection.execute(sql, list(values)).fetchall()
        return list(known[sql, values])

    def scan(self, name: str, where: str = "TRUE") -> Iterator[Sequence[tuple[Any, ...]]]:
        """In the order of loading."""
        cursor = self._connection.execute(f"SELECT * FROM {quoted(name)} WHERE {where}")
        while rows := cursor.fetchmany(SCAN_ROWS):
            yield rows

    def names(self, name: str | None = None) -> dict[str, bool]:
        """Of the schema `main`."""
        return self._catalogue.names(name)

    def look(self, made: Mapping[str, tuple[str, int]]) -> dict[str, Seen]:
        """Rows and columns; how many rows there are DuckDB knows without counting."""
        shapes = {name: columns for name in made if (columns := self.columns(name))}
        counts = {name: rows for name, rows, _ in self._summed([name for name in shapes if made[name][0]])}
        return {name: _seen(columns, counts.get(name, -1), made[name][0]) for name, columns in shapes.items()}

    def columns(self, name: str) -> tuple[tuple[str, str], ...]:
        """In their order."""
        return self._catalogue.columns(name)

    def fill(self, name: str, batches: pa.RecordBatchReader) -> None:
        """As a stream."""
        self._connection.register(f"{RESERVED}batches", batches)
        try:
            self._connection.execute(f"INSERT INTO {quoted(name)} SELECT * FROM {RESERVED}batches")
        finally:
            with forgiving():
                self._connection.unregister(f"{RESERVED}batches")

    def bind(self, name: str, columns: Sequence[Column], values: Sequence[Sequence[Any]]) -> None:
        """Appends the rows of a small file, column by column as lists: no Arrow need be loaded for them."""
        if not values or not values[0]:
            return
        lists = ", ".join(f"unnest(${at}::{type_of(column)}[])" for at, column in enumerate(columns, start=1))
        self.run(f"INSERT INTO {quoted(name)} SELECT {lists}", *map(list, values))

    def checksum(self, name: str) -> str:
        """Of every row by itself, so that their order does not count."""
        [(_, _, total)] = self._summed([name], sums=True)
        return total

    def settle(self, name: str, load: str) -> Seen:  # noqa: ARG002 - the database keeps no note of loads
        """Rows and columns."""
        return self.look({name: ("new", 0)})[name]

    def settle_all(self, loads: Mapping[str, str]) -> dict[str, tuple[Seen, str]]:
        """All in one statement."""
        return {
            name: (_seen(self.columns(name), rows, ""), total) for name, rows, total in self._summed(loads, sums=True)
        }

    def _summed(self, names: Iterable[str], *, sums: bool = False) -> Iterator[tuple[str, int, str]]:
        """How many rows each table has, and if asked for a sum over them: a statement takes longer than a table."""
        left = iter(names)
        while some := list(islice(left, AT_ONCE)):
            total = "version(), sum(hash({columns})::HUGEINT)" if sums else "'', 0"
            parts = (self._summing(at, name, total) for at, name in enumerate(some))
            for at, rows, version, found in self.run(" UNION ALL ".join(parts)):
                yield some[at], int(rows), f"{version} {found or 0}"

    def _summing(self, at: int, name: str, total: str) -> str:
        columns = ", ".join(quoted(column) for column, _ in self.columns(name))
        return f"SELECT {at}, count(*), {total.replace('{columns}', columns)} FROM {quoted(name)}"

    def append(self, name: str, new: str, mark: str, load: str) -> Seen:  # noqa: ARG002 - nothing of it stays
        """The sum over all content is made anew."""
        self.run(f"INSERT INTO {quoted(name)} SELECT * FROM {quoted(new)}")
        return self.settle(name, load)

    def first(self, name: str, rows: int, mark: str) -> str:  # noqa: ARG002 - rows are numbered as they come
        """By rowid, which counts from 0."""
        if any(column.lower() == "rowid" for column, _ in self.columns(name)):
            raise RefusedError("a column hides the numbers of its rows", op="read", path=name)
        return f"rowid < {rows}"

    def replace(self, new: str, name: str, aside: str, mark: str) -> tuple[str, str]:
        """Views find their table by its name; indexes, comments and defaults are made anew, constraints cannot be."""
        check_carried(self, name)
        indexes = self._indexes(name)
        said = [*self._comments(name), *self._defaults(name)]
        for index, _ in indexes:
            self.run(f"DROP INDEX {quoted(index)}")
        put_in_place(self, new, name, aside)
        kept = {column for column, _ in self.columns(name)}
        for column, sql in said:
            if not column or column in kept:
                self.run(sql)
        for index, sql in indexes:
            self._indexed(name, index, sql)
        return mark, ""

    def rename(self, name: str, new: str) -> None:
        """A table with indexes has no other name: they go, and are made again for the new one. No view goes along."""
        if hanging := self.hanging(name):
            told = f"others hang on it: {', '.join(hanging)}"
            raise RefusedError(told, op="rename", path=name, hint="drop them first, and make them anew afterwards")
        indexes = self._indexes(name)
        for index, _ in indexes:
            self.run(f"DROP INDEX {quoted(index)}")
        rename(self, name, new)
        for index, sql in indexes:
            head, on, tail = sql.partition(f" ON {quoted(name)}(")
            if not on:
                head, on, tail = sql.partition(f" ON {name}(")
            if not on:
                message = f"the index {index} cannot be made again under another name: {sql}"
                raise RefusedError(message, op="rename", path=name, hint="drop it first")
            self.run(f"{head} ON {quoted(new)}({tail}")

    def _indexes(self, name: str) -> list[tuple[str, str]]:
        """The indexes of a table, and how each was made."""
        return self._catalogue.hanging("index", name)

    def hanging(self, name: str) -> list[str]:
        """Views; a foreign key refuses by itself."""
        return list(views_on(self._connection, name))

    def holding(self, name: str) -> list[str]:  # noqa: ARG002 - the new table has the columns it has
        """Nothing."""
        return []

    def obstacles(self, name: str) -> list[str]:
        """Constraints: no table gets one later."""
        return [f"the constraint {text}" for text, _ in self._catalogue.hanging("constraint", name)]

    def _indexed(self, name: str, index: str, sql: str) -> None:
        import duckdb  # noqa: PLC0415 - heavy

        try:
            self.run(sql)
        except duckdb.Error as error:
            message = f"the new columns cannot bear the index {index} that hangs on the table ({error})"
            raise RefusedError(message, op="replace", path=name, hint="drop it, or keep the columns") from error

    def _comments(self, name: str) -> Iterator[tuple[str, str]]:
        """(column, statement) that makes each comment again; the column is "" for that of the table itself."""
        for own, text in self._catalogue.hanging("comment", name):
            what = f"COLUMN {quoted(name)}.{quoted(own)}" if own else f"TABLE {quoted(name)}"
            yield own, f"COMMENT ON {what} IS '{text.replace(chr(39), chr(39) * 2)}'"

    def _defaults(self, name: str) -> Iterator[tuple[str, str]]:
        """(column, statement) that sets each default again."""
        for column, default in self._catalogue.hanging("default", name):
            yield column, f"ALTER TABLE {quoted(name)} ALTER COLUMN {quoted(column)} SET DEFAULT {default}"


def type_of(column: Column) -> str:
    """The type of a column, as DuckDB names it."""
    return _TYPES.get(column.type, column.type.upper())


def _seen(columns: tuple[tuple[str, str], ...], rows: int, noted: str) -> Seen:
    """The mark stands for the columns, and for the edits that were written down."""
    shape = "".join(f"{column} {kind}\0" for column, kind in columns)
    return Seen(rows, f"{crc32(shape.encode('utf-8', 'replace')):08x}" + "+" * noted.count("+"))
