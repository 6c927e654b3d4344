"""What stands in a DuckDB file, remembered: asked about one table, DuckDB goes through the definitions of them all.

Invariant: what is remembered is what the next statement of the connection would find. It holds while nobody else can
change a definition: for as long as the file is open here, which other processes and other connections of this one are
refused (`duckdb_file`); or within one transaction, on a connection that was given. What our own statements change is
followed where they are of a kind that is made for every table; after any other kind, and after a rollback, all is asked
anew.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from reconcile.stores.tables.engine import quoted

if TYPE_CHECKING:
    import duckdb

Columns = tuple[tuple[str, str], ...]

_HERE: Final = "database_name = current_database() AND schema_name = 'main'"
_NAME: Final = r'"((?:[^"]|"")*)"'
_READS: Final = re.compile(r"SELECT ")
_ROWS: Final = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM) ")
_CREATE: Final = re.compile(rf"CREATE TABLE {_NAME}")
_DROP: Final = re.compile(rf"DROP TABLE IF EXISTS {_NAME}$")
_RENAME: Final = re.compile(rf"ALTER TABLE {_NAME} RENAME TO {_NAME}$")
_HANGS: Final = re.compile(rf"(CREATE|DROP) INDEX|COMMENT ON|ALTER TABLE {_NAME} ALTER COLUMN {_NAME} SET DEFAULT")

_NAMES: Final = " UNION ALL ".join(
    f"SELECT {column}, lower({column}), {is_table} FROM {source}() WHERE {_HERE} AND NOT internal"
    for source, column, is_table in (("duckdb_tables", "table_name", "TRUE"), ("duckdb_views", "view_name", "FALSE"))
)
_COLUMNS: Final = f"SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE {_HERE}"
_HANGING: Final = {
    "constraint": f"SELECT table_name, constraint_text, '' FROM duckdb_constraints() WHERE {_HERE}",
    "index": f"SELECT table_name, index_name, sql FROM duckdb_indexes() WHERE {_HERE}",
    "comment": f"SELECT table_name, '', comment FROM duckdb_tables() WHERE {_HERE} AND comment IS NOT NULL UNION ALL "
    f"SELECT table_name, column_name, comment FROM duckdb_columns() WHERE {_HERE} AND comment IS NOT NULL",
    "default": f"SELECT table_name, column_name, column_default FROM duckdb_columns() WHERE {_HERE} "
    "AND column_default IS NOT NULL",
}


class Catalogue:
    """The definitions in one file, as one connection sees them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._database = ""
        self.forget()

    def forget(self) -> None:
        """The next question is asked of the database."""
        self._names: dict[str, dict[str, bool]] | None = None
        self._columns: dict[str, Columns] | None = None
        self._hanging: dict[str, list[tuple[str, str, str]]] | None = None
        self.answers: dict[tuple[str, tuple[object, ...]], list[tuple[Any, ...]]] = {}
        """By question (statement and values): what the rows said that are ours alone, until the next is written."""

    def names(self, name: str | None = None) -> dict[str, bool]:
        """As `Session.names`."""
        named = self._named()
        if name is not None:
            return dict(named.get(self._lower(name), {}))
        return {one: is_table for some in named.values() for one, is_table in some.items()}

    def columns(self, name: str) -> Columns:
        """Of a table or view that is spelled so; none where there is none."""
        if self._columns is None:
            found: dict[str, list[tuple[str, str]]] = {}
            for table, column, kind in self._run(f"{_COLUMNS} ORDER BY table_name, column_index"):
                found.setdefault(table, []).append((column, kind))
            self._columns = {table: tuple(columns) for table, columns in found.items()}
        if name not in self._columns and self._named().get(self._lower(name), {}).get(name):
            self._columns[name] = self._columns_of(name)
        return self._columns.get(name, ())

    def hanging(self, kind: str, name: str) -> list[tuple[str, str]]:
        """What of a kind hangs on a table: (constraint, ""), (index, statement), (column or "", comment or default)."""
        if self._hanging is None:
            self._hanging = {}
            for each, sql in _HANGING.items():
                for table, own, text in self._run(sql):
                    self._hanging.setdefault(table, []).append((each, own, text))
        return [(own, text) for each, own, text in self._hanging.get(name, ()) if each == kind]

    def ran(self, sql: str) -> None:
        """A statement of ours was run."""
        if _READS.match(sql):
            return
        self.answers.clear()
        if _ROWS.match(sql):
            return
        if _HANGS.match(sql):
            self._hanging = None
        elif made := _CREATE.match(sql):
            self._add(_unquoted(made[1]))
        elif gone := _DROP.match(sql):
            self._remove(_unquoted(gone[1]))
        elif (moved := _RENAME.match(sql)) and self.names(old := _unquoted(moved[1])).get(old):
            new = _unquoted(moved[2])
            columns = (self._columns or {}).get(old)
            self._remove(old)
            self._add(new)
            if columns is not None and self._columns is not None:
                self._columns[new] = columns
        else:
            self.forget()

    def _add(self, name: str) -> None:
        if self._names is not None:
            self._names.setdefault(self._lower(name), {})[name] = True

    def _remove(self, name: str) -> None:
        """Under another spelling it is the same table to the database, not here; and what hung on it is gone."""
        some = self._named().get(self._lower(name), {})
        if set(some) - {name}:
            self.forget()
            return
        some.pop(name, None)
        if self._columns is not None:
            self._columns.pop(name, None)
        if self._hanging is not None and name in self._hanging:
            self._hanging = None

    def _named(self) -> dict[str, dict[str, bool]]:
        """By the name in small letters: those that are spelled so or otherwise."""
        if self._names is None:
            self._names = {}
            for name, lower, is_table in self._run(_NAMES):
                self._names.setdefault(lower, {})[name] = is_table
        return self._names

    def _columns_of(self, name: str) -> Columns:
        """Of one table that is there, without a look at the others: of one that is not, the transaction would break."""
        self._database = self._database or str(self._run("SELECT current_database()")[0][0])
        if '"' in name + self._database:  # how that is quoted within a text the database does not say
            found = self._run(f"{_COLUMNS} AND table_name = $1 ORDER BY column_index", name)
            return tuple((column, kind) for _, column, kind in found)
        place = f"{quoted(self._database)}.main.{quoted(name)}"
        return tuple(self._run("SELECT name, type FROM pragma_table_info($1) ORDER BY cid", place))

    def _lower(self, text: str) -> str:
        """As the database does it."""
        return text.lower() if text.isascii() else str(self._run("SELECT lower($1)", text)[0][0])

    def _run(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, list(values)).fetchall()


def _unquoted(name: str) -> str:
    return name.replace('""', '"')
