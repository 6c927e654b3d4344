"""Arrow columns as the Python values that a database without Arrow binds, losing nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def python_columns(batch: pa.RecordBatch) -> list[list[Any]]:
    """Each column as a list: int, float, bool, str, bytes, None. What has no such type is text, as ISO writes it.

    Not-a-number is the text `NaN`: a database that takes it for NULL would lose it.
    """
    return [_values(column) for column in batch.columns]


def _values(column: pa.Array) -> list[Any]:
    import pyarrow.types as kinds  # noqa: PLC0415 - heavy

    kind = column.type
    if kinds.is_timestamp(kind) or kinds.is_date(kind) or kinds.is_time(kind) or kinds.is_decimal(kind):
        return _texts(column)
    values: list[Any] = column.to_pylist()
    if kinds.is_floating(kind):
        return [value if value == value else "NaN" for value in values]  # noqa: PLR0124 - NaN alone is not itself
    return values


def _texts(column: pa.Array) -> list[Any]:
    import pyarrow as pa  # noqa: PLC0415 - as above

    texts: list[Any] = column.cast(pa.string()).to_pylist()
    return texts
