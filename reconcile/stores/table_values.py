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
    """As Python writes them: no fraction where there is none, an offset and no `Z`."""
    import pyarrow as pa  # noqa: PLC0415 - as above
    from pyarrow import compute  # noqa: PLC0415

    texts = column.cast(pa.string())
    if pa.types.is_timestamp(column.type) or pa.types.is_time(column.type):
        texts = compute.replace_substring(texts, ".000000", "")
        texts = compute.replace_substring(texts, "Z", "+00:00")
    told: list[Any] = texts.to_pylist()
    return told
