"""The stream of typed rows: asks DuckDB for them, looks at every batch, and says which row is bad, where and why."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from reconcile.stores.data.engine import AHEAD, BATCH_ROWS, cursor, failures
from reconcile.stores.data.file import Column, DataError, EarlyError, Reject, ShapeError, arrow_type
from reconcile.stores.data.lines import Line
from reconcile.stores.data.relation import MAX_REJECTS, Cell, Opened, answered, checked, mend, shown
from reconcile.stores.data.types import Judged, certain, judge
from reconcile.stores.disk import translated

if TYPE_CHECKING:
    import pyarrow as pa

BAD: Final = "bad"


class RowStream:
    """One pass over a relation. `columns` are those of the file, in its order.

    Where the types were pinned and not found in this very content, `pinned_empty` are the columns that are pinned as
    empty: what does not fit an undeclared type, or stands in an empty column, is then no bad row but another shape.
    `early`: rows are given though nobody saw yet that all records are some; `EarlyError` when they turn out not to be.
    """

    def __init__(
        self,
        opened: Opened,
        columns: Sequence[Column],
        *,
        pinned_empty: frozenset[str] | None,
        quarantine: bool,
        early: bool,
    ) -> None:
        self.row_count = 0
        self._relation = opened.relation
        meant = any(column.declared and column.type != "text" for column in columns)
        self._at_hand = None if meant else opened.small
        self._columns = columns
        self._pinned = pinned_empty is not None
        self._empty = pinned_empty or frozenset()
        self._quarantine = quarantine
        self._early = early
        self._proof = opened.relation.proof() if early and opened.relation.row_count is None else None
        self._bad: list[tuple[int, int]] = []
        self._named: list[Reject] = []

    @cached_property
    def schema(self) -> pa.Schema:
        """That of every batch."""
        import pyarrow as pa  # noqa: PLC0415 - heavy

        return pa.schema([(column.name, arrow_type(column.type)) for column in self._columns])

    def values(self) -> list[Sequence[Any]] | None:
        """All of it by column, as Python has it, where the file is small and nothing is wrong in it."""
        found = self._at_hand.values(self._columns, self._empty) if self._at_hand is not None else None
        if found is not None and self._at_hand is not None:
            self.row_count = self._at_hand.row_count
        return found

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        seen = 0
        with ExitStack() as beside:
            if self._proof is not None:
                beside.callback(self._proof.close)
            while True:
                try:
                    for batch in self._ask(seen):
                        good = self._good(batch, seen)
                        seen += batch.num_rows
                        self.row_count += good.num_rows
                        yield good
                except failures() as error:
                    if self._proof is not None:
                        raise self._too_early() from error
                    mend(self._relation, error)
                else:
                    if self._proof is not None and not self._proof.holds():
                        self._prove()
                    checked(self._relation, seen)
                    self._relation.row_count = seen
                    return

    def _prove(self) -> None:
        """Sees that all records are rows where that was not seen before the first of them was given."""
        if self._proof is None:
            return
        self._proof.close()
        try:
            answered(self._relation, ["count(*)"])
        except failures() as error:
            raise self._too_early() from error
        self._proof = None

    def _too_early(self) -> EarlyError:
        return EarlyError("not all of its records are rows", op="read", path=self._relation.name)

    def rejects(self) -> list[Reject]:
        """The rows that were put aside, by line."""
        if len(self._named) != len(self._bad):
            with translated("read", self._relation.name):
                lines = list(self._relation.find([row for row, _ in self._bad]))
            self._named = [self._reject(at, line) for (_, at), line in zip(self._bad, lines, strict=True)]
        return sorted([*self._relation.rejects, *self._named], key=lambda reject: reject.line)

    def _reject(self, at: int, line: Line) -> Reject:
        return Reject(line.number, self._columns[at].name, self._reason(at, line), shown(line.text))

    def _ask(self, offset: int) -> Iterator[pa.RecordBatch]:
        """The rows from `offset` on, typed, and for each the position of a cell that does not fit."""
        if self._at_hand is not None:
            yield self._at_hand.batch(self._columns, self._empty)
            return
        judged = [self._judged(*pair) for pair in zip(self._columns, self._relation.cells, strict=True)]
        values = "".join(f", {one.value} AS v{position}" for position, one in enumerate(judged))
        wanted = [f"v{position}" for position in range(len(judged))]
        bads = [_by_name(*each) for each in zip(judged, wanted, self._relation.cells, strict=True)]
        bad = "".join(f" WHEN {one} THEN {position}" for position, one in enumerate(bads) if one)
        wanted.append(f"CASE{bad} END AS {BAD}" if bad else f"NULL::INTEGER AS {BAD}")
        skip = f" OFFSET {offset}" if offset else ""
        with closing(cursor()) as connection:
            connection.execute(f"SET streaming_buffer_size = '{AHEAD}'")
            source = self._relation.source(connection)
            query = f"SELECT {', '.join(wanted)} FROM (SELECT *{values} FROM {source}){skip}"  # noqa: S608
            yield from connection.sql(query).to_arrow_reader(BATCH_ROWS)

    def _judged(self, column: Column, cell: Cell) -> Judged:
        if column.name in self._empty:
            return Judged(cell.text, f"{cell.other} IS NOT NULL")
        if cell.value and cell.type == column.type:
            return Judged(cell.value, "")
        text = cell.text if column.type == "text" else cell.other
        return judge(column, text) if self._pinned or column.declared else certain(column.type, text)

    def _good(self, batch: pa.RecordBatch, before: int) -> pa.RecordBatch:
        """The rows of a batch that fit; the others are put aside, or raised."""
        import pyarrow as pa  # noqa: PLC0415 - heavy

        marks = batch.column(len(self._columns))
        if self._proof is not None:
            self._proof.add(batch)
        if marks.null_count < len(marks):
            self._prove()
            for row, at in enumerate(marks.to_pylist()):
                if at is not None:
                    self._put_aside(before + row, at)
            batch = batch.filter(marks.is_null())
        arrays = [array.cast(kind) for array, kind in zip(batch.columns, self.schema.types, strict=False)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _put_aside(self, row: int, at: int) -> None:
        column = self._columns[at]
        retyped = self._pinned and not column.declared and (column.type != "text" or column.name in self._empty)
        if retyped or not self._quarantine or len(self._bad) + len(self._relation.rejects) >= MAX_REJECTS:
            if retyped and self._early:  # another reading follows, and looking for the line may take longer
                raise ShapeError(f"column `{column.name}` is another", op="read", path=self._relation.name)
            with translated("read", self._relation.name):
                line = next(self._relation.find([row]))
            number, character = line.where(at)
            path = f"{self._relation.name}:{number}:{character}"
            kind = ShapeError if retyped else DataError
            hint = "fix the row, set types:, or on_bad_rows: quarantine"
            raise kind(self._reason(at, line), op="read", path=path, hint=hint)
        self._bad.append((row, at))

    def _reason(self, at: int, line: Line) -> str:
        column, cell = self._columns[at], line.cells[at]
        if "\0" in cell:
            return f"column `{column.name}` holds a NUL character"
        shown = cell if len(cell) <= 80 else cell[:80] + "…"
        return f'column `{column.name}` is {column.type.upper()}, found "{shown}"'


def _by_name(judged: Judged, name: str, cell: Cell) -> str:
    """Whether a cell is bad, by the name of its value: in the branches of a CASE a value would be made once more."""
    return judged.bad if judged.value in (cell.text, cell.other) else judged.bad.replace(judged.value, name)


def numbers(start: int, count: int) -> Any:
    """An Arrow array of `count` whole numbers from `start` on."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    return pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(array("q", range(start, start + count)))])
