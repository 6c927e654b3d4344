"""Reads one data file: finds its shape, then streams its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from reconcile.stores.data.file import (
    Column,
    DataError,
    DataFile,
    Grown,
    Reading,
    Reject,
    Shape,
    ShapeError,
    arrow_type,
)
from reconcile.stores.data.formats import open_format
from reconcile.stores.data.infer import Found, infer
from reconcile.stores.data.names import index_name
from reconcile.stores.data.relation import Opened, asked
from reconcile.stores.data.small import SmallTable
from reconcile.stores.data.stream import RowStream, numbers
from reconcile.stores.data.types import CANDIDATES, PANDAS_CANDIDATES, declared, is_value

if TYPE_CHECKING:
    import pyarrow as pa

PERHAPS_A_VALUE: Final = re.compile("[-0-9]|true$|false$", re.IGNORECASE)


def read_data(
    path: str,
    name: str,
    reading: Reading,
    *,
    pinned: Shape | None = None,
    grown: Grown | None = None,
    early: bool = False,
) -> DataFile:
    """Opens the data file `path` (which may be `/proc/self/fd/N`); `name` tells its format and stands in messages.

    Without `pinned` the whole file is read once to find types that lose nothing. With it the shape is taken as it is,
    and `ShapeError` (here or in the stream) says that the file no longer has it; declared types that differ from the
    pinned ones are such a case. `grown`, only with `pinned`, reads the appended rows alone.

    `early`, where the file lets it, gives rows in the first pass: the types are then those of its first rows, which
    `ShapeError` in the stream takes back, and `EarlyError` there says that it was too early.

    Raises `DataError` for a file that is not what it should be, and an error of the store for one that cannot be read.
    """
    opened = open_format(path, name, reading, pinned=pinned, grown=grown)
    try:
        early = early and opened.small is None and opened.relation.proof() is not None
        guess = _guess(opened, reading) if early and not pinned else None
        early = early and (pinned or guess) is not None
        shape = _held(opened, reading, pinned, early=early) if pinned else _found(opened, reading, guess)
    except BaseException:
        opened.relation.close()
        raise
    how = _How(pinned=pinned is not None, guessed=guess is not None, early=early, first=grown.rows if grown else 0)
    return _File(opened, shape, reading, how)


class _How(NamedTuple):
    """How rows are read: with types from before, or of the first rows; before all were seen; their first number."""

    pinned: bool
    guessed: bool
    early: bool
    first: int


class _File:
    """The `DataFile` of every format."""

    def __init__(self, opened: Opened, shape: Shape, reading: Reading, how: _How) -> None:
        self.shape = shape
        self.notes = opened.notes
        self.guessed = how.guessed
        self.failure: DataError | None = None
        self._opened = opened
        self._quarantine = reading.on_bad_rows == "quarantine"
        self._indexed = reading.index_column and bool(shape.columns)
        self._how = how
        self._stream = self._new_stream()
        self._reading: Iterator[pa.RecordBatch] = iter(())

    def batches(self) -> pa.RecordBatchReader:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        self._end_stream()
        self.failure = None
        self._stream = self._new_stream()
        schema = self._stream.schema
        if self._indexed:
            schema = schema.insert(0, pa.field(self.shape.columns[0].name, arrow_type(self.shape.columns[0].type)))
        self._reading = self._batches(schema)
        return pa.RecordBatchReader.from_batches(schema, self._reading)

    def values(self) -> list[Sequence[Any]] | None:
        self._end_stream()
        self.failure = None
        self._stream = self._new_stream()
        return None if self._indexed or not self.shape.columns else self._stream.values()

    @property
    def row_count(self) -> int:
        return self._stream.row_count

    @property
    def rejects(self) -> tuple[Reject, ...]:
        return tuple(self._stream.rejects())

    def close(self) -> None:
        self._end_stream()
        self._opened.relation.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _new_stream(self) -> RowStream:
        columns = self.shape.columns[1:] if self._indexed else self.shape.columns
        pinned = frozenset(self.shape.empty) if self._how.pinned or self._how.guessed else None
        early = self._how.early
        return RowStream(self._opened, columns, pinned_empty=pinned, quarantine=self._quarantine, early=early)

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        row = self._how.first
        try:
            for batch in self._stream if self.shape.columns else ():
                arrays = [numbers(row, batch.num_rows), *batch.columns] if self._indexed else batch.columns
                row += batch.num_rows
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        except DataError as error:
            self.failure = error
            raise

    def _end_stream(self) -> None:
        close = getattr(self._reading, "close", None)
        if close is not None:
            close()


def _guess(opened: Opened, reading: Reading) -> SmallTable | None:
    """The first rows of a file, whose types all others may have. Rows that are put aside would not be asked.

    Whether a header that looks like a row is one the types of all rows decide: a guess would refuse the file for good.
    """
    sample = opened.sample() if reading.on_bad_rows == "fail" and not _may_be_row(opened.header) else None
    return sample if sample is not None and sample.row_count else None


def _found(opened: Opened, reading: Reading, guess: SmallTable | None) -> Shape:
    """The shape of a file that nothing is known of."""
    names = opened.dialect.names
    if not names:
        return Shape((), opened.dialect)
    cells = opened.relation.cells
    columns = [
        declared(name, reading.types[name]) if name in reading.types else Column(name, cell.type)
        for name, cell in zip(names, cells, strict=True)
    ]
    found = _inferred(opened, [i for i, column in enumerate(columns) if not column.type], reading, guess)
    columns = [
        Column(column.name, found.types.get(i, "")) if not column.type else column for i, column in enumerate(columns)
    ]
    _refuse_doubtful_header(opened, columns, found.rows)
    empty = tuple(
        name for i, name in enumerate(names) if not columns[i].declared and (i in found.empty or cells[i].empty)
    )
    if reading.index_column:
        columns.insert(0, Column(index_name(names), "integer" if found.rows else "text"))
    return Shape(tuple(columns), opened.dialect, empty)


def _inferred(opened: Opened, positions: Sequence[int], reading: Reading, guess: SmallTable | None) -> Found:
    """The types of columns that neither the spec nor the format tells."""
    allowed = PANDAS_CANDIDATES if reading.index_column else CANDIDATES
    candidates = {i: [word for word in opened.candidates(i) if word in allowed] for i in positions}
    if (table := opened.small or guess) is not None:
        return table.infer(candidates)
    texts = [cell.other for cell in opened.relation.cells]
    cells = {i: texts[i] for i in positions}
    return infer(lambda questions: asked(opened.relation, questions), cells, candidates, opened.otherwise)


def _refuse_doubtful_header(opened: Opened, columns: Sequence[Column], rows: int) -> None:
    """Raises if the first record may be a row as well as a header: taken for a header, that row would be lost.

    A cell that is no value of its column, which is no text, proves a header; one that is a value speaks against it.
    """
    if not _may_be_row(opened.header):
        return
    cells = [(cell, column) for cell, column in zip(opened.header, columns, strict=False) if cell]
    typed = [(cell, column) for cell, column in cells if column.type != "text"]
    if rows == 0:
        values = [is_value(cell, CANDIDATES) for cell, _ in cells]
    else:
        values = [is_value(cell, (column.type,)) for cell, column in typed]
    if any(values) and (rows == 0 or all(values)):
        raise DataError(
            "the first record may be a header or a row",
            op="read",
            path=f"{opened.relation.name}:1:1",
            hint="declare table.csv.header: true or false",
        )


def _may_be_row(header: Sequence[str]) -> bool:
    return any(PERHAPS_A_VALUE.match(cell) for cell in header)


def _held(opened: Opened, reading: Reading, pinned: Shape, *, early: bool) -> Shape:
    """The pinned shape, if its columns are still those of the file and of what is declared."""
    names = opened.dialect.names
    index = (index_name(names),) if reading.index_column and names else ()
    columns = pinned.columns
    if tuple(column.name for column in columns) != (*index, *names):
        raise ShapeError("the columns are others than before", op="read", path=opened.relation.name)
    for position, column in enumerate(columns):
        words = reading.types.get(column.name) if position >= len(index) else None
        if (declared(column.name, words) != column) if words else column.declared:
            message = f"column `{column.name}` is declared otherwise than before"
            raise ShapeError(message, op="read", path=opened.relation.name)
    if index and columns[0].type != "integer":
        raise ShapeError("there were no rows before", op="read", path=opened.relation.name)
    if names and opened.small is None and not early:
        asked(opened.relation, ["count(*)"])  # no row may be given before all were seen to be rows
    return Shape(columns, opened.dialect, pinned.empty)
