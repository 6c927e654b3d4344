"""The seam between formats and types: a file as a relation of cells, whatever format it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from reconcile.stores.data.engine import cursor, failures, told
from reconcile.stores.data.file import DataError, Dialect, Reject
from reconcile.stores.data.lines import Line
from reconcile.stores.data.proof import Proof
from reconcile.stores.data.small import SmallTable
from reconcile.stores.disk import translated

if TYPE_CHECKING:
    import duckdb

MAX_REJECTS: Final = 100_000
"""More bad rows than this are no bad rows: the file is another than it is taken for, and reading ends."""


class Cell(NamedTuple):
    """One column of a relation, as expressions.

    `text` is what a column of text keeps, `other` what one of another type is read from (a quoted null is text, and
    nothing there). `type` is what the format says, "" if it does not; `value` is then the typed value, "" if it is the
    text that has the type. `empty`: it is known that there is nothing in the column.
    """

    text: str
    other: str
    type: str = ""
    value: str = ""
    empty: bool = False


def shown(text: str) -> str:
    """A record as it may be stored and printed: no NUL, which PostgreSQL has not, and no half of a character."""
    return text.replace("\0", "\ufffd").encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Opened(NamedTuple):
    """A file of a known format, ready to be asked for its rows.

    `header` are the cells of a first record that was taken for a header without being told; `candidates(i)` are the
    types that column `i` may have whose type the format does not tell, and `otherwise` is the one it has then.
    `small` holds all cells of a small file, `sample` gives those of the first rows of a larger one, if they are sound.
    """

    relation: Relation
    dialect: Dialect
    notes: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    candidates: Callable[[int], Sequence[str]] = lambda _: ()
    otherwise: str = "text"
    small: SmallTable | None = None
    sample: Callable[[], SmallTable | None] = lambda: None


class Relation(Protocol):
    """The rows of a file. Each adapter of a format is one.

    `rejects` are the records that are none and were left out, `row_count` says how many are none of them, once they
    were counted.
    """

    name: str
    rejects: list[Reject]
    row_count: int | None

    @property
    def cells(self) -> Sequence[Cell]:
        """Its columns, in the order of the file."""

    def source(self, connection: duckdb.DuckDBPyConnection, *, strict: bool = False) -> str:
        """What stands behind FROM; `strict` finds every broken row, and may not tell a null from an empty text."""

    def mend(self) -> bool:
        """Called when DuckDB cannot read it: makes it readable and is True, or raises; False if there is no more to do.

        What DuckDB gave before that are then the first rows of what it will give.
        """

    def proof(self) -> Proof | None:
        """What proves, after all rows were given, that they are all rows; None where only `asked` can tell."""

    def find(self, wanted: Sequence[int]) -> Iterator[Line]:
        """The records of rows, by their numbers: 0-based and ascending."""

    def close(self) -> None:
        """Gives back what is held."""


def asked(relation: Relation, questions: Sequence[str]) -> tuple[Any, ...]:
    """The one row of aggregates over the relation. The first of them counts the rows."""
    while True:
        try:
            return answered(relation, questions)
        except failures() as error:
            mend(relation, error)


def answered(relation: Relation, questions: Sequence[str]) -> tuple[Any, ...]:
    """The same, of a relation that need not be mended."""
    with closing(cursor()) as connection:
        source = relation.source(connection, strict=True)
        row = connection.execute(f"SELECT {', '.join(questions)} FROM {source}").fetchone()  # noqa: S608
    assert row is not None, "aggregates make one row"
    checked(relation, row[0])
    relation.row_count = row[0]
    return tuple(row)


def checked(relation: Relation, rows: int) -> None:
    """Raises if another number of rows was counted before: an engine that loses rows must not be believed."""
    if relation.row_count not in (None, rows):
        message = f"{rows:,} rows were read, where there had been {relation.row_count:,}"
        raise DataError(message, op="read", path=relation.name, hint="did it change? else please report this")


def mend(relation: Relation, error: BaseException) -> None:
    """Mends the relation after `error`, or raises."""
    with translated("read", relation.name):
        mended = relation.mend()
    if not mended:
        first = told(error, relation.name).partition(": ")[2] or told(error, relation.name)
        raise DataError(first, op="read", path=relation.name) from error
