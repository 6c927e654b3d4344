"""One data file as exactly typed rows: what is asked for, what was found, and the stream of them.

What goes in: a `Reading` (what the spec says) and, for a file that was loaded before, its `Shape` (what was found
then). What comes out: a `DataFile`, with its `Shape` and a stream of Arrow record batches, each column of the one type
that `arrow_type` names. Everything here is a value that can stand in a ledger as JSON; `data_reading.read_data` makes
a `DataFile` of an opened file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from msgspec import Struct

from reconcile.core.errors import StoreError

if TYPE_CHECKING:
    import pyarrow as pa

Format = Literal["csv", "tsv", "jsonl", "json", "parquet"]
Compression = Literal["", "gz", "zst"]


class DataError(StoreError):
    """A data file cannot be read as the table it should be; `path` is ``file:line:column`` as far as it is known."""


class ShapeError(DataError):
    """A pinned shape does not hold the file any more: read it again without the pin, and the shape is found anew."""


class EarlyError(ShapeError):
    """Rows were given before all records were seen to be rows, and it cannot be said that they are: read it again."""


class Column(Struct, frozen=True):
    """One column: its name in the table and its type.

    `type` is a word of a small closed vocabulary: `text`, `integer` (64 bits), `double`, `decimal(p,s)` (up to 38
    digits), `boolean`, `date`, `time`, `timestamp`, `timestamptz` (all to the microsecond, the last in UTC), `blob`,
    `json` (text that is valid JSON). `declared` says that the spec named the type: a value of another spelling is then
    taken for what it means (`007` is 7), and a value that does not fit is a bad row. `form` is the declared pattern of
    a date or timestamp that is not written as ISO has it.
    """

    name: str
    type: str
    declared: bool = False
    form: str = ""


class Dialect(Struct, frozen=True, kw_only=True):
    """How the file is written. `encoding` is a name of Python's; what JSON and Parquet do not have stays "".

    `names` are the columns as the file has them, in its order: an added, dropped or reordered one is another shape.
    """

    format: Format
    compression: Compression = ""
    encoding: str = ""
    delimiter: str = ""
    header: bool = False
    names: tuple[str, ...] = ()


class Shape(Struct, frozen=True):
    """Everything that was found out about a file, to be pinned for its next reading.

    `columns` are those of the table, in its order (the index column, where one is asked for, is the first of them); an
    empty file has none, and then there is no table. `empty` names the columns in which there is nothing: they are text
    only until there is something, so whoever pins them pins their emptiness.
    """

    columns: tuple[Column, ...]
    dialect: Dialect
    empty: tuple[str, ...] = ()


class Reading(Struct, frozen=True, kw_only=True):
    """What is asked of the reading: `table:` of the spec, in the words it uses there."""

    format: Format | Literal["auto"] = "auto"
    delimiter: str = "auto"
    encoding: str = "auto"
    header: bool | Literal["auto"] = "auto"
    null_values: tuple[str, ...] = ("",)
    types: Mapping[str, str] = {}
    index_column: bool = False
    on_bad_rows: Literal["fail", "quarantine"] = "fail"


class Grown(Struct, frozen=True):
    """The part of a file that was appended: bytes `[start, end)`, after `rows` rows that were loaded before."""

    start: int
    end: int
    rows: int


class Reject(Struct, frozen=True):
    """One row that was put aside: its line (of the file, 1-based), the column if it is known, why, and its text."""

    line: int
    column: str
    reason: str
    text: str


class DataFile(Protocol):
    """An opened data file. Close it; it is a context manager as well."""

    @property
    def shape(self) -> Shape:
        """Columns and dialect, whole and final: no row read later changes them."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was detected and not declared and may surprise, in words (an encoding, a delimiter)."""

    @property
    def guessed(self) -> bool:
        """Whether the types are those of the first rows, which the stream proves, or takes back."""

    def batches(self) -> pa.RecordBatchReader:
        """The good rows from the first, in the order of the file; each call starts anew, and ends the call before.

        A bad row raises `DataError` and ends the stream, or with `on_bad_rows: quarantine` is put aside. Who hands the
        stream on to a library gets that library's error instead; `failure` then has ours.
        """

    def values(self) -> list[Sequence[Any]] | None:
        """What `batches` gives, by column and as Python has it, where the file is small and nothing is wrong in it."""

    @property
    def failure(self) -> DataError | None:
        """What ended the last stream before its end, None while nothing did."""

    @property
    def row_count(self) -> int:
        """How many rows the last stream has given so far."""

    @property
    def rejects(self) -> tuple[Reject, ...]:
        """The rows put aside by the last stream, by line; complete when the stream has ended."""

    def close(self) -> None:
        """Gives back memory, handles and temporary files."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


@cache
def arrow_type(type_name: str) -> pa.DataType:
    """The one Arrow type that a column of this type has in every batch."""
    import pyarrow as pa  # noqa: PLC0415 - heavy, only for who reads data files

    if type_name.startswith("decimal("):
        precision, scale = type_name[len("decimal(") : -1].split(",")
        return pa.decimal128(int(precision), int(scale))
    return {
        "text": pa.string(),
        "integer": pa.int64(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "time": pa.time64("us"),
        "timestamp": pa.timestamp("us"),
        "timestamptz": pa.timestamp("us", "UTC"),
        "blob": pa.binary(),
        "json": pa.string(),
    }[type_name]


def scalar(kind: pa.DataType, value: bytes) -> pa.Scalar:
    """One value of a kind of fixed width, by its bytes: what Arrow makes of a Python value loads pandas if it can."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    return pa.Array.from_buffers(kind, 1, [None, pa.py_buffer(value)])[0]
