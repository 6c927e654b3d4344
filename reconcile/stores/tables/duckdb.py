"""Tables in a DuckDB file. One process has the file to itself while it writes; several may read it meanwhile none does.

DuckDB does not tell cheaply whether rows were edited; a sum over all of them, which takes it a second for a gigabyte,
is noted with each load and compared before a table is replaced or dropped. Its hash may differ from release to release,
so a sum made by another release says nothing, and only rows and columns are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from zlib import crc32

from msgspec import structs

from reconcile.core.errors import RefusedError
from reconcile.stores.data.file import Column
from reconcile.stores.options import StoreOptions
from reconcile.stores.tables.duckdb_errors import forgiving, translated
from reconcile.stores.tables.duckdb_file import DuckdbFile, shared_file
from reconcile.stores.tables.engine import RESERVED, SCAN_ROWS, TRAITS, Limits, Seen, one_url, quoted
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
_HERE: Final = "database_name = current_database() AND schema_name = 'main'"


class DuckdbEngine:
    """One DuckDB file. One connection, one transaction at a time; all who have the file in this process take turns."""

    def __init__(self, path: str, *, connection: duckdb.DuckDBPyConnection | None = None) -> None:
        self.url = one_url("duckdb", path)
        self.traits = structs.replace(TRAITS, key="casefold")
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
        return _TYPES.get(column.type, column.type.upper())

    @contextmanager
    def session(self, *, write: bool) -> Iterator[DuckdbSession]:
        """Opened for writing only once somebody writes: until then other processes may read as well."""
        with self._file.lock, translated(self._path):
            connection = self._file.connected(self, write=write)
            connection.execute("BEGIN")
            try:
                yield DuckdbSession(connection)
                commit(lambda: connection.execute("COMMIT"))
            except BaseException:
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

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def lock(self) -> None:
        """There is no other writer."""

    def hold(self, name: str) -> None:
        """The same."""

    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """As it is."""
        return self._connection.execute(sql, list(values)).fetchall()

    def scan(self, name: str, where: str = "TRUE") -> Iterator[Sequence[tuple[Any, ...]]]:
        """In the order of loading."""
        cursor = self._connection.execute(f"SELECT * FROM {quoted(name)} WHERE {where}")
        while rows := cursor.fetchmany(SCAN_ROWS):
            yield rows

    def names(self, name: str | None = None) -> dict[str, bool]:
        """Of the schema `main`."""
        only = "" if name is None else " AND lower({0}) = lower($1)"
        told = () if name is None else (name,)
        kinds = (("duckdb_tables", "table_name", "TRUE"), ("duckdb_views", "view_name", "FALSE"))
        sql = " UNION ALL ".join(
            f"SELECT {column}, {is_table} FROM {source}() WHERE {_HERE} AND NOT internal{only.format(column)}"
            for source, column, is_table in kinds
        )
        return {str(one): bool(is_table) for one, is_table in self.run(sql, *told)}

    def look(self, made: Mapping[str, tuple[str, int]]) -> dict[str, Seen]:
        """Rows and columns; how many rows there are DuckDB knows without counting."""
        seen = {}
        for name, (noted, _) in made.items():
            if columns := self.columns(name):
                shape = "".join(f"{column} {kind}\0" for column, kind in columns)
                mark = f"{crc32(shape.encode('utf-8', 'replace')):08x}"
                seen[name] = Seen(self._count(name) if noted else -1, mark + "+" * noted.count("+"))
        return seen

    def columns(self, name: str) -> tuple[tuple[str, str], ...]:
        """In their order."""
        sql = f"SELECT column_name, data_type FROM duckdb_columns() WHERE {_HERE} AND table_name = $1"
        return tuple((str(column), str(kind)) for column, kind in self.run(f"{sql} ORDER BY column_index", name))

    def fill(self, name: str, batches: pa.RecordBatchReader) -> None:
        """As a stream."""
        self._connection.register(f"{RESERVED}batches", batches)
        try:
            self._connection.execute(f"INSERT INTO {quoted(name)} SELECT * FROM {RESERVED}batches")
        finally:
            with forgiving():
                self._connection.unregister(f"{RESERVED}batches")

    def checksum(self, name: str) -> str:
        """Of every row by itself, so that their order does not count."""
        columns = ", ".join(quoted(column) for column, _ in self.columns(name))
        [(version, total)] = self.run(f"SELECT version(), sum(hash({columns})::HUGEINT) FROM {quoted(name)}")
        return f"{version} {total or 0}"

    def settle(self, name: str, load: str) -> Seen:  # noqa: ARG002 - the database keeps no note of loads
        """Rows and columns."""
        return self.look({name: ("new", 0)})[name]

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
        """A table with indexes has no other name: they go, and are made again for the new one."""
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
        found = self.run(f"SELECT index_name, sql FROM duckdb_indexes() WHERE {_HERE} AND table_name = $1", name)
        return [(str(index), str(sql)) for index, sql in found]

    def hanging(self, name: str) -> list[str]:  # noqa: ARG002 - a view waits until its table is back
        """Nothing: a view works again when the table is back, and a foreign key refuses by itself."""
        return []

    def holding(self, name: str) -> list[str]:  # noqa: ARG002 - the new table has the columns it has
        """Nothing."""
        return []

    def obstacles(self, name: str) -> list[str]:
        """Constraints: no table gets one later."""
        sql = f"SELECT constraint_text FROM duckdb_constraints() WHERE {_HERE} AND table_name = $1"
        return [f"the constraint {text}" for (text,) in self.run(sql, name)]

    def _indexed(self, name: str, index: str, sql: str) -> None:
        import duckdb  # noqa: PLC0415 - heavy

        try:
            self.run(sql)
        except duckdb.Error as error:
            message = f"the new columns cannot bear the index {index} that hangs on the table ({error})"
            raise RefusedError(message, op="replace", path=name, hint="drop it, or keep the columns") from error

    def _comments(self, name: str) -> Iterator[tuple[str, str]]:
        """(column, statement) that makes each comment again; the column is "" for that of the table itself."""
        table = f"SELECT '', comment FROM duckdb_tables() WHERE {_HERE} AND table_name = $1 AND comment IS NOT NULL"
        column = table.replace("''", "column_name").replace("duckdb_tables", "duckdb_columns")
        for own, text in (*self.run(table, name), *self.run(column, name)):
            what = f"COLUMN {quoted(name)}.{quoted(own)}" if own else f"TABLE {quoted(name)}"
            yield own, f"COMMENT ON {what} IS '{text.replace(chr(39), chr(39) * 2)}'"

    def _defaults(self, name: str) -> Iterator[tuple[str, str]]:
        """(column, statement) that sets each default again."""
        sql = f"SELECT column_name, column_default FROM duckdb_columns() WHERE {_HERE} AND table_name = $1"
        for column, default in self.run(f"{sql} AND column_default IS NOT NULL", name):
            yield column, f"ALTER TABLE {quoted(name)} ALTER COLUMN {quoted(column)} SET DEFAULT {default}"

    def _count(self, name: str) -> int:
        [(rows,)] = self.run(f"SELECT count(*) FROM {quoted(name)}")
        return int(rows)
