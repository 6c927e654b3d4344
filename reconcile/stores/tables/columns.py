"""Columns of a table against those of a file: whether they differ, and how both fit into one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from reconcile.core.errors import RefusedError
from reconcile.stores.data.file import Column, DataFile, arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

_WIDER: Final = {
    ("integer", "double"): "double",
    ("date", "timestamp"): "timestamp",
    ("integer", "boolean"): "integer",
}
"""Which type holds all that two hold; what is not here meets in `text`."""

Columns = Sequence[Column]


def same(old: Columns, new: Columns) -> bool:
    """Whether a table of the one looks like a table of the other."""
    return [(column.name, column.type) for column in old] == [(column.name, column.type) for column in new]


def differing(old: Columns, new: Columns) -> Iterator[Column]:
    """The columns of either side that the other does not have so; as they are in `new`, if they are there."""
    was, now = ({column.name: column for column in side} for side in (old, new))
    yield from (column for column in new if column.name not in was or was[column.name].type != column.type)
    yield from (column for column in old if column.name not in now)


def evolved(old: Columns, new: Columns) -> tuple[Column, ...]:
    """The old columns in their order, wide enough for both, then the new ones: none is ever lost or narrowed.

    A name that is spelled otherwise now is the same one: most databases could not hold both.
    """
    named = {column.name: column for column in new}
    spelled = {name.casefold(): named[name] for name in named.keys() - {column.name for column in old}}
    pairs = [(column, named.get(column.name) or spelled.pop(column.name.casefold(), column)) for column in old]
    kept = [_wider(column, other) for column, other in pairs]
    known = {column.name for column in kept}
    return (*kept, *(column for column in new if column.name not in known))


def _wider(one: Column, other: Column) -> Column:
    if one.type == other.type:
        return other
    wide = _WIDER.get((one.type, other.type)) or _WIDER.get((other.type, one.type)) or "text"
    return Column(other.name, wide)


def aligned(data: DataFile, columns: Columns) -> pa.RecordBatchReader:
    """The rows of a file as rows of a table with these columns: what the file does not have is NULL."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    batches = data.batches()
    schema = pa.schema([(column.name, arrow_type(column.type)) for column in columns])
    if batches.schema.equals(schema):
        return batches

    def rows() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            arrays = [_array(batch, field) for field in schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, rows())


def _array(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    import pyarrow as pa  # noqa: PLC0415 - heavy

    at = batch.schema.get_field_index(field.name)
    if at < 0:
        return pa.nulls(batch.num_rows, field.type)
    try:
        return batch.column(at).cast(field.type)
    except pa.ArrowInvalid as error:
        message = f"column {field.name} does not fit into {field.type} without loss ({error})"
        raise RefusedError(message, op="load", path=field.name, hint="declare its type in types:") from error
