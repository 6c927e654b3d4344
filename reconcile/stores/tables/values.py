"""Arrow columns as the values that a database without Arrow stores, losing nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import chain
from struct import pack
from typing import TYPE_CHECKING, Any, Final

from reconcile.stores.data.file import Column, scalar

if TYPE_CHECKING:
    import pyarrow as pa

_FORMS: Final[dict[str, Callable[[Any], Any]]] = {
    "boolean": int,
    "date": lambda day: day.isoformat(),
    "timestamp": lambda moment: moment.isoformat(" "),
    "timestamptz": lambda moment: moment.isoformat(" "),
}
"""What of a small file is stored in another form than Python has it; a time, or bytes, come from no such file."""


def python_columns(batch: pa.RecordBatch) -> list[list[Any]]:
    """Each column as a list: int, float, str, bytes, None. What has no such type is text, as ISO writes it.

    Not-a-number is the text `NaN`: a database that takes it for NULL would lose it.
    """
    return [_values(_plain(column)) for column in batch.columns]


def plain_values(columns: Sequence[Column], values: Sequence[Sequence[Any]], digits: int) -> list[Sequence[Any]]:
    """The same of values that Python has, with a double for a decimal of at most so many digits, as `with_doubles`."""
    return [_stored(column.type, cells, digits) for column, cells in zip(columns, values, strict=True)]


def _stored(kind: str, cells: Sequence[Any], digits: int) -> Sequence[Any]:
    form = _FORMS.get(kind)
    if kind.startswith("decimal("):
        form = float if int(kind[len("decimal(") :].partition(",")[0]) <= digits else "{:f}".format
    return cells if form is None else [None if cell is None else form(cell) for cell in cells]


def plain_rows(batches: Iterator[pa.RecordBatch]) -> pa.RecordBatchReader:
    """The same rows in columns `c0`, `c1` … of whole numbers, doubles, text and bytes alone. There is one batch."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    def plain(batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [_plain(column) for column in batch.columns]
        return pa.RecordBatch.from_arrays(columns, [f"c{position}" for position in range(len(columns))])

    first = plain(next(batches))
    return pa.RecordBatchReader.from_batches(first.schema, chain([first], map(plain, batches)))


def with_doubles(batch: pa.RecordBatch, digits: int) -> pa.RecordBatch:
    """The same with a double for every decimal of at most so many digits (15 are the most): the nearest there is."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import types  # noqa: PLC0415

    columns = [
        _doubles(column) if types.is_decimal(column.type) and column.type.precision <= digits else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _doubles(column: pa.Array) -> pa.Array:
    """A division is rounded to the nearest; what is divided, and the power of ten it is divided by, are exact here."""
    import pyarrow as pa  # noqa: PLC0415 - as above
    from pyarrow import compute  # noqa: PLC0415

    digits, scale = column.type.precision, column.type.scale
    whole = pa.Array.from_buffers(pa.decimal128(digits, 0), len(column), column.buffers(), offset=column.offset)
    return compute.divide(whole.cast(pa.int64()).cast(pa.float64()), scalar(pa.float64(), pack("=d", 10.0**scale)))


def has_nan(batch: pa.RecordBatch) -> bool:
    """Whether a cell is not a number."""
    from pyarrow import compute, types  # noqa: PLC0415 - as above

    floats = [column for column in batch.columns if types.is_floating(column.type)]
    return any(compute.any(compute.is_nan(column)).as_py() for column in floats)


def _values(column: pa.Array) -> list[Any]:
    import pyarrow.types as kinds  # noqa: PLC0415 - heavy

    values: list[Any] = column.to_pylist()
    if kinds.is_floating(column.type):
        return [value if value == value else "NaN" for value in values]  # noqa: PLR0124 - NaN alone is not itself
    return values


def _plain(column: pa.Array) -> pa.Array:
    import pyarrow as pa  # noqa: PLC0415 - as above
    import pyarrow.types as kinds  # noqa: PLC0415

    kind = column.type
    if kinds.is_boolean(kind):
        return column.cast(pa.int64())
    if kinds.is_timestamp(kind) or kinds.is_date(kind) or kinds.is_time(kind) or kinds.is_decimal(kind):
        return _texts(column)
    return column


def _texts(column: pa.Array) -> pa.Array:
    """As Python writes them: no fraction where there is none, an offset and no `Z`."""
    import pyarrow as pa  # noqa: PLC0415 - as above
    from pyarrow import compute  # noqa: PLC0415

    zone = column.type.tz if pa.types.is_timestamp(column.type) else None
    if pa.types.is_timestamp(column.type):
        with suppress(pa.ArrowInvalid):  # a fraction in one of them
            column = column.cast(pa.timestamp("s", zone))
    texts = column.cast(pa.string())
    if pa.types.is_decimal(column.type):
        return _without_exponents(texts)
    if pa.types.is_time(column.type) or (pa.types.is_timestamp(column.type) and column.type.unit != "s"):
        texts = compute.replace_substring(texts, ".000000", "")
    return compute.replace_substring(texts, "Z", "+00:00") if zone is not None else texts


def _without_exponents(texts: pa.Array) -> pa.Array:
    """A small decimal as its file has it: like Python, Arrow writes 1E-7 for 0.0000001."""
    import pyarrow as pa  # noqa: PLC0415 - as above
    from pyarrow import compute  # noqa: PLC0415

    short = compute.and_kleene(compute.is_valid(texts), compute.match_substring(texts, "E"))
    long = [f"{Decimal(text):f}" for text in texts.filter(short).to_pylist()]
    return compute.replace_with_mask(texts, short, pa.array(long, pa.string())) if long else texts
