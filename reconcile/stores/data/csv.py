"""The rows of a CSV file, as text: DuckDB reads them in place, and what it cannot read is looked at line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from reconcile.stores.data.engine import literal
from reconcile.stores.data.file import DataError, Dialect, Reading, Reject
from reconcile.stores.data.lines import Line, Lines
from reconcile.stores.data.plain import Plain, temporary
from reconcile.stores.data.proof import Proof
from reconcile.stores.data.relation import MAX_REJECTS, Cell, shown
from reconcile.stores.data.sniff import Sniffed

MAX_LINE_BYTES: Final = 1 << 21
if TYPE_CHECKING:
    import duckdb

NOWHERE: Final = "\x01no cell is this\x01"

_BAD_ROW: Final = "fix the row, or on_bad_rows: quarantine"


class CsvRelation:
    """A CSV file as a relation of texts `c0`, `c1`, …, in which nulls are those of `null_values` that are not quoted.

    `rejects` are the records that are none; they are left out.
    """

    def __init__(self, plain: Plain, dialect: Dialect, name: str, *, reading: Reading, sniffed: Sniffed) -> None:
        self.width = len(dialect.names)
        self.name = name
        self.rejects: list[Reject] = []
        self.row_count: int | None = None
        self._nulls = reading.null_values
        self._quarantine = reading.on_bad_rows == "quarantine"
        self._plain = plain
        self._dialect = dialect
        self._sniffed = sniffed
        self._copy: Plain | None = None
        self._longest_bytes = 0

    @property
    def cells(self) -> list[Cell]:
        """All are texts; a quoted null is a text, and nothing in a column of another type."""
        texts = [f"c{i}" for i in range(self.width)]
        nulls = ", ".join(map(literal, self._nulls))
        return [Cell(text, f"(CASE WHEN {text} NOT IN ({nulls}) THEN {text} END)" if nulls else text) for text in texts]

    def source(self, _connection: duckdb.DuckDBPyConnection, *, strict: bool = False) -> str:
        """What stands behind FROM. Only the strict form, which tells no nulls, minds a null too much in a row."""
        if self._copy is None and not self._readable:
            self._rewrite()
        copied = self._copy is not None
        newline = "\n" if copied else self._sniffed.newline
        options = {
            "auto_detect": "false",
            "columns": "{" + ", ".join(f"c{i}: 'VARCHAR'" for i in range(self.width)) + "}",
            "header": str(self._dialect.header and not copied).lower(),
            "delim": literal(self._dialect.delimiter),
            "quote": literal('"'),
            "escape": literal('"'),
            "strict_mode": "true",
            "compression": "'none'",
            "allow_quoted_nulls": "false",
            # One thread makes no wrong guess, but drops an open quote at the end of a file silently; a copy has none.
            "parallel": str(not copied).lower(),
        }
        options["nullstr"] = _list([NOWHERE] if strict or not self._nulls else self._nulls)
        if newline == "\n":
            # Told that lines end in CRLF, DuckDB 2.0 finds no row at all; left alone it finds that they do.
            options["new_line"] = "'\\n'"
        if self._longest_bytes > MAX_LINE_BYTES:
            options["max_line_size"] = str(self._longest_bytes + 2)
        path = literal((self._copy or self._plain).path)
        return f"read_csv({path}, {', '.join(f'{key} = {value}' for key, value in options.items())})"

    def mend(self) -> bool:
        """Makes the file readable where DuckDB says that it is not; False if there is no more to do.

        Raises `DataError` at the first record that is broken, or puts it aside. There need not be one: DuckDB's threads
        guess where a record begins in the middle of a file, and a wrong guess ends in an error.
        """
        if self._copy is not None:
            return False
        self._rewrite()
        return True

    def proof(self) -> Proof | None:
        """By its delimiters, of which a file of one column has none."""
        mark = self._dialect.delimiter.encode()
        if self.width == 1 or len(mark) > 1 or self._copy is not None or not self._readable:
            return None
        header = self._sniffed.sample[0].text.count(self._dialect.delimiter) if self._dialect.header else 0
        return Proof(self._plain.path, mark, self.width, header)

    @cached_property
    def _readable(self) -> bool:
        """Whether DuckDB sees the records of the file as it is; of empty lines it takes some for rows of one column."""
        return self._sniffed.readable and not (self.width == 1 and self._plain.has_empty_lines())

    def _rewrite(self) -> None:
        """Copies the good records, each of which ends in LF then."""
        copy, rows = temporary(), 0
        try:
            for line in self._records():
                fault = self._fault(line)
                if fault is None:
                    rows += 1
                    self._longest_bytes = max(self._longest_bytes, copy.file.write(line.text.encode() + b"\n"))
                else:
                    self._put_aside(line, fault)
            copy.file.flush()
        except BaseException:
            copy.close()
            raise
        self._copy, self.row_count = copy, rows

    def _put_aside(self, line: Line, fault: DataError) -> None:
        if not self._quarantine or len(self.rejects) >= MAX_REJECTS:
            raise fault
        self.rejects.append(Reject(line.number, "", fault.message, shown(line.text)))

    def find(self, wanted: Sequence[int]) -> Iterator[Line]:
        """The records of the rows with these numbers, 0-based and ascending."""
        left = iter(wanted)
        number = next(left, None)
        rows = (line for line in self._records() if self._fault(line) is None)
        for row, line in enumerate(rows):
            while row == number:
                yield line
                number = next(left, None)
            if number is None:
                return

    def close(self) -> None:
        """Closes the file and its copy."""
        self._plain.close()
        if self._copy is not None:
            self._copy.close()

    def _records(self) -> Iterator[Line]:
        """All records but the header, the broken ones too."""
        records = iter(Lines(self._plain.file, self._dialect.delimiter, self._plain.first_line))
        if self._dialect.header:
            next(records, None)
        return records

    def _fault(self, line: Line) -> DataError | None:
        if line.fault is not None:
            at, reason = line.fault
            hint = "declare table.csv.encoding: latin-1, cp1252 …" if "not UTF-8" in reason else ""
        elif len(line.cells) != self.width:
            at, reason = len(line.text) + 1, f"{_count(len(line.cells))}, not {self.width}"
            at = line.where(self.width)[1] if len(line.cells) > self.width else at
            hint = f"{self._dialect.delimiter!r} was taken for the delimiter: {_BAD_ROW}, or table.csv.delimiter"
        else:
            return None
        path = f"{self.name}:{line.number}:{at}"
        return DataError(reason, op="read", path=path, hint=hint or _BAD_ROW)


def _count(cells: int) -> str:
    return "1 cell" if cells == 1 else f"{cells} cells"


def _list(values: Sequence[str]) -> str:
    return "[" + ", ".join(literal(value) for value in values) + "]"
