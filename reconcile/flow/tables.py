"""What a spec says of tables, in the words of the stores that hold them."""

from __future__ import annotations

from reconcile.spec.model import TableSpec
from reconcile.stores.data.file import Reading
from reconcile.stores.recipe import Recipe


def recipe_of(spec: TableSpec) -> Recipe:
    """How the files of a mapping become tables."""
    reading = Reading(
        format=spec.format,
        delimiter=spec.csv.delimiter,
        encoding=spec.csv.encoding,
        header=spec.csv.header,
        null_values=spec.csv.null_values,
        types=spec.types,
        index_column=spec.index_column,
        on_bad_rows=spec.on_bad_rows,
    )
    return Recipe(reading=reading, on_schema_change=spec.on_schema_change, key=spec.key, schema=spec.schema)
