"""The rows of a Parquet file, which knows its types: what a table can hold exactly stays, the rest becomes text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Final

from reconcile.stores.data.engine import cursor, failures, literal, told
from reconcile.stores.data.file import DataError, Dialect, Reject
from reconcile.stores.data.lines import Line
from reconcile.stores.data.names import column_names
from reconcile.stores.data.plain import Plain
from reconcile.stores.data.relation import Cell, Opened
from reconcile.stores.data.types import sql_type

if TYPE_CHECKING:
    import duckdb

SAME: Final = {
    "TINYINT": "integer",
    "SMALLINT": "integer",
    "INTEGER": "integer",
    "BIGINT": "integer",
    "UTINYINT": "integer",
    "USMALLINT": "integer",
    "UINTEGER": "integer",
    "UBIGINT": "decimal(20,0)",
    "FLOAT": "double",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "BLOB": "blob",
}
"""Types that hold every value of theirs; those of nanoseconds do if no value has any."""

NESTED: Final = ("STRUCT(", "MAP(", "UNION(", "JSON", "VARIANT")


class ParquetRelation:
    """A Parquet file as a relation of `c0`, `c1`, …, in its own types."""

    def __init__(self, plain: Plain, name: str) -> None:
        self.name = name
        self.rejects: list[Reject] = []
        self.row_count: int | None = None
        self._plain = plain
        path = f"read_parquet({literal(plain.path)})"
        try:
            with closing(cursor()) as connection:
                described = connection.execute(f"DESCRIBE SELECT * FROM {path}").fetchall()  # noqa: S608
                self.columns = tuple(str(row[0]) for row in described)
                self._source = f"{path} AS parquet({', '.join(f'c{i}' for i in range(len(described)))})"
                nanos = [f"c{i}" for i, row in enumerate(described) if row[1] == "TIMESTAMP_NS"]
                finer = {cell for cell in nanos if self._has_nanoseconds(connection, cell)}
        except failures() as error:
            raise DataError(told(error, name), op="read", path=name, hint="is it whole?") from error
        self.cells: Sequence[Cell] = [_cell(f"c{i}", row[1], finer) for i, row in enumerate(described)]

    def source(self, _: duckdb.DuckDBPyConnection, *, strict: bool = False) -> str:  # noqa: ARG002 - of the port
        """What stands behind FROM."""
        return self._source

    def mend(self) -> bool:
        """There is nothing to mend."""
        return False

    def proof(self) -> None:
        """None is needed: what is no row is found while they are read."""

    def find(self, wanted: Sequence[int]) -> Iterator[Line]:
        """The rows, by their numbers: a Parquet file has no lines."""
        texts = ", ".join(cell.text for cell in self.cells)
        with closing(cursor()) as connection:
            for row in wanted:
                query = f"SELECT {texts} FROM {self._source} LIMIT 1 OFFSET {row}"  # noqa: S608
                cells = ["" if cell is None else str(cell) for cell in connection.execute(query).fetchall()[0]]
                yield Line(row + 1, "\t".join(cells), cells, [0] * len(cells))

    def close(self) -> None:
        """Closes the file."""
        self._plain.close()

    def _has_nanoseconds(self, connection: duckdb.DuckDBPyConnection, cell: str) -> bool:
        query = f"SELECT bool_or(epoch_ns({cell}) % 1000 <> 0) FROM {self._source}"  # noqa: S608
        return bool(connection.execute(query).fetchall()[0][0])


def _cell(cell: str, native: str, finer: set[str]) -> Cell:
    """The column of that native type; `finer` are those whose values have nanoseconds."""
    text = f"CAST({cell} AS VARCHAR)"
    if native.startswith(NESTED) or native.endswith("]"):
        json = f"CAST(to_json({cell}) AS VARCHAR)"
        return Cell(json, json, "json")
    known = SAME.get(native) or (native.lower() if native.startswith("DECIMAL(") else "")
    if native == "TIMESTAMP_NS" and cell not in finer:
        known = "timestamp"
    return Cell(text, text, known, f"CAST({cell} AS {sql_type(known)})") if known else Cell(text, text, "text")


def open_parquet(plain: Plain, name: str) -> Opened:
    """Opens a Parquet file."""
    relation = ParquetRelation(plain, name)
    names = column_names(relation.columns)
    return Opened(relation, Dialect(format="parquet", compression=plain.compression, names=names))
