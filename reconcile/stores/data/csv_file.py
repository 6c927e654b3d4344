"""Opens a CSV or TSV file: its dialect, its columns, and what its first records say of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from reconcile.stores.data.csv import CsvRelation
from reconcile.stores.data.file import DataError, Dialect, Format, Grown, Reading
from reconcile.stores.data.infer import hinted
from reconcile.stores.data.lines import Line
from reconcile.stores.data.names import column_names
from reconcile.stores.data.plain import open_plain
from reconcile.stores.data.relation import Opened
from reconcile.stores.data.small import SmallTable
from reconcile.stores.data.sniff import sniff

_MOST_RENAMED: Final = 3
"""So many columns under other names are told one by one."""


class Beginning(NamedTuple):
    """The first rows of a file, or all of them."""

    rows: Sequence[Line]
    whole: bool
    nulls: Sequence[str]
    width: int

    def candidates(self, column: int) -> Sequence[str]:
        """The types that these rows leave to a column; none to one of which all is known and nothing is there.

        What is no row is put aside, or read by nobody, and has no say.
        """
        cells = (row.cells[column] for row in self.rows if len(row.cells) == self.width)
        filled = [cell for cell in cells if cell not in self.nulls]
        return hinted(filled) if filled or not self.whole else ()

    def table(self) -> SmallTable | None:
        """All cells of these rows, if there is nothing wrong with one."""
        clean = all(len(row.cells) == self.width for row in self.rows)
        return SmallTable(self.rows, self.width, self.nulls) if clean else None


def open_csv(
    path: str, found: Format, name: str, reading: Reading, *, pinned: Dialect | None, grown: Grown | None
) -> Opened:
    """Opens the file, or the part that has grown; that has no header, and its dialect is the pinned one."""
    known = pinned if grown else None
    plain = open_plain(path, name, encoding=known.encoding if known else reading.encoding, grown=grown)
    try:
        sniffed = sniff(plain.head(), known.delimiter if known else _delimiter(reading.delimiter, found))
        dialect = known or Dialect(
            format=found,
            compression=plain.compression,
            encoding=plain.encoding,
            delimiter=sniffed.delimiter,
            header=reading.header is not False,
            names=_names(sniffed.sample[:1], name, reading),
        )
        _check_nulls(reading.null_values, dialect.delimiter)
        own = replace(dialect, header=dialect.header and known is None)
        relation = CsvRelation(plain, own, name, reading=reading, sniffed=sniffed)
    except BaseException:
        plain.close()
        raise
    header = sniffed.sample[:1] if own.header else []
    start = Beginning(sniffed.sample[len(header) :], sniffed.whole, reading.null_values, len(dialect.names))
    doubtful = tuple(header[0].cells) if header and reading.header == "auto" and not reading.index_column else ()
    notes = (*_notes(dialect, reading), *_renamed(header[0].cells if header else (), dialect.names))
    small = start.table() if start.whole else None
    return Opened(relation, dialect, notes, doubtful, start.candidates, small=small, sample=start.table)


def _names(first: Sequence[Line], name: str, reading: Reading) -> tuple[str, ...]:
    """The columns' names by the first record, which may be no header."""
    for line in first:
        if line.fault is not None:
            raise DataError(line.fault.reason, op="read", path=f"{name}:{line.number}:{line.fault.column}")
        if reading.header is not False and "\0" in line.text:
            raise DataError("the header holds a NUL character", op="read", path=f"{name}:{line.number}")
    cells = first[0].cells if first else []
    return column_names(cells if reading.header is not False else [""] * len(cells), as_pandas=reading.index_column)


def _delimiter(asked: str, found: Format) -> str:
    if asked == "auto":
        return "\t" if found == "tsv" else "auto"
    if len(asked) != 1 or asked in '"\r\n\0':
        raise DataError(f"table.csv.delimiter: {asked!r} is not one character that may stand between cells", op="read")
    return asked


def _check_nulls(texts: Sequence[str], delimiter: str) -> None:
    """No cell that is not quoted can be such a text."""
    for text in texts:
        if delimiter in text:
            told = f"table.csv.null_values: {text!r} holds {delimiter!r}, which stands between the cells of this file"
            raise DataError(told, op="read")


def _notes(dialect: Dialect, reading: Reading) -> tuple[str, ...]:
    found = []
    if dialect.encoding != "utf-8" and reading.encoding == "auto":
        found.append(f"the text is {dialect.encoding}")
    if dialect.delimiter not in ",\t" and reading.delimiter == "auto":
        found.append(f"the delimiter is {dialect.delimiter!r}")
    return tuple(found)


def _renamed(header: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Which columns are not called what the file calls them, in one sentence."""
    told = [
        f"another column {cell!r} is called {name!r}"
        if cell.strip()
        else f"column {position} has no name, and is called {name!r}"
        for position, (cell, name) in enumerate(zip(header, names, strict=False), start=1)
        if cell != name
    ]
    more = len(told) - _MOST_RENAMED
    return ("; ".join([*told[:_MOST_RENAMED], *[f"and {more:,} more"] * (more > 0)]),) if told else ()
