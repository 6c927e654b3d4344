"""Which format a file has, and the relation that reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from reconcile.stores.data_csv import CsvRelation
from reconcile.stores.data_file import DataError, Dialect, Format, Grown, Reading, ShapeError
from reconcile.stores.data_infer import hinted
from reconcile.stores.data_json import NUMBER_TYPES, JsonRelation
from reconcile.stores.data_names import column_names
from reconcile.stores.data_parquet import ParquetRelation
from reconcile.stores.data_plain import Plain, open_plain
from reconcile.stores.data_relation import Relation
from reconcile.stores.data_sniff import sniff
from reconcile.stores.data_types import CANDIDATES

SUFFIXES: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
}
PACKED: Final = (".gz", ".zst")


class Opened(NamedTuple):
    """A file of a known format, ready to be asked for its rows.

    `header` are the cells of a first record that was taken for a header without being told; `candidates(i)` are the
    types that column `i` may have whose type the format does not tell, and `otherwise` is the one it has then.
    """

    relation: Relation
    dialect: Dialect
    notes: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    candidates: Callable[[int], tuple[str, ...]] = lambda _: CANDIDATES
    otherwise: str = "text"


def format_of(name: str) -> Format:
    """The format that a name tells by its suffixes, in any case; `DataError` if it tells none."""
    bare = name.lower()
    for packed in PACKED:
        bare = bare.removesuffix(packed)
    for suffix, found in SUFFIXES.items():
        if bare.endswith(suffix):
            return found
    hint = "set table.format, or name it .csv .tsv .jsonl .json .parquet (and .gz, .zst)"
    raise DataError("the name does not tell the format", op="read", path=name, hint=hint)


def open_format(path: str, name: str, reading: Reading, *, pinned: Dialect | None, grown: Grown | None) -> Opened:
    """Opens a file in its format; `pinned` is how it was written before."""
    found = format_of(name) if reading.format == "auto" else reading.format
    if pinned is not None and pinned.format != found:
        raise ShapeError(f"it was {pinned.format} before and is {found}", op="read", path=name)
    if found in ("csv", "tsv"):
        return open_csv(path, name, reading, pinned=pinned, grown=grown, tab=found == "tsv")
    encoding = "" if found == "parquet" else "auto"
    plain = open_plain(path, name, encoding=encoding, grown=grown)
    try:
        return open_parquet(plain, name) if found == "parquet" else open_json(plain, found, name, reading, pinned)
    except BaseException:
        plain.close()
        raise


def open_parquet(plain: Plain, name: str) -> Opened:
    """Opens a Parquet file."""
    relation = ParquetRelation(plain, name)
    names = column_names(relation.columns)
    return Opened(relation, Dialect(format="parquet", compression=plain.compression, names=names))


def open_json(plain: Plain, found: Format, name: str, reading: Reading, pinned: Dialect | None) -> Opened:
    """Opens a file of JSON objects. Pinned columns that are in none of them are nulls."""
    relation = JsonRelation(plain, found, name, quarantine=reading.on_bad_rows == "quarantine")
    names = relation.names
    if pinned is not None and set(names) <= set(pinned.names):
        names = pinned.names
    declared_json = [column for column in names if reading.types.get(column, "").lower() in ("json", "jsonb")]
    mixed = [
        column for i, column in enumerate(relation.names) if relation.kind(i) == "json" and column not in reading.types
    ]
    relation.arrange(names, [*declared_json, *mixed])
    dialect = Dialect(format=found, compression=plain.compression, encoding=plain.encoding, names=names)
    notes = (f"the text is {plain.encoding}",) if plain.encoding != "utf-8" else ()
    return Opened(relation, dialect, notes, candidates=lambda _: NUMBER_TYPES, otherwise="json")


def open_csv(
    path: str, name: str, reading: Reading, *, tab: bool, pinned: Dialect | None, grown: Grown | None
) -> Opened:
    """Opens a CSV or TSV file."""
    encoding = pinned.encoding if pinned and grown else reading.encoding
    plain = open_plain(path, name, encoding=encoding, grown=grown)
    try:
        return _opened_csv(plain, name, reading, tab=tab, pinned=pinned if grown else None)
    except BaseException:
        plain.close()
        raise


def _opened_csv(plain: Plain, name: str, reading: Reading, *, tab: bool, pinned: Dialect | None) -> Opened:
    delimiter = pinned.delimiter if pinned else _delimiter(reading.delimiter, tab=tab)
    sniffed = sniff(plain.head(), delimiter)
    first = sniffed.sample[0] if sniffed.sample else None
    if first and first.fault and not pinned:
        raise DataError(first.fault.reason, op="read", path=f"{name}:{first.number}:{first.fault.column}")
    header = () if first is None else tuple(first.cells)
    dialect = pinned or Dialect(
        format="tsv" if tab else "csv",
        compression=plain.compression,
        encoding=plain.encoding,
        delimiter=sniffed.delimiter,
        header=reading.header is not False,
        names=_names(header, reading),
    )
    relation = CsvRelation(
        plain,
        replace(dialect, header=False) if pinned else dialect,
        name,
        newline=sniffed.newline,
        nulls=reading.null_values,
    )
    empty_lines = len(dialect.names) == 1 and plain.has_empty_lines()  # DuckDB takes some of them for rows of nothing
    if first is not None and (empty_lines or not sniffed.readable):
        relation.mend(quarantine=reading.on_bad_rows == "quarantine")
    doubtful = header if reading.header == "auto" and not reading.index_column else ()
    body = sniffed.sample[1:] if dialect.header and not pinned else sniffed.sample

    def candidates(position: int) -> tuple[str, ...]:
        cells = [line.cells[position] for line in body if position < len(line.cells)]
        filled = [cell for cell in cells if cell not in reading.null_values]
        return () if sniffed.whole and not filled else hinted(filled)

    return Opened(relation, dialect, _notes(dialect, reading), doubtful, candidates)


def _names(first: Sequence[str], reading: Reading) -> tuple[str, ...]:
    """The columns' names by the first record, which may be no header."""
    if any("\0" in cell for cell in first):
        raise DataError("the header holds a NUL character", op="read")
    return column_names(first if reading.header is not False else [""] * len(first), as_pandas=reading.index_column)


def _delimiter(asked: str, *, tab: bool) -> str:
    if asked == "auto":
        return "\t" if tab else "auto"
    if len(asked) != 1 or asked in '"\r\n\0':
        raise DataError(f"csv.delimiter: {asked!r} is not one character that may stand between cells", op="read")
    return asked


def _notes(dialect: Dialect, reading: Reading) -> tuple[str, ...]:
    found = []
    if dialect.encoding != "utf-8" and reading.encoding == "auto":
        found.append(f"the text is {dialect.encoding}")
    if dialect.delimiter not in ",\t" and reading.delimiter == "auto":
        found.append(f"the delimiter is {dialect.delimiter!r}")
    return tuple(found)
