"""The records of CSV text one by one, with their lines: the slow and exact reader.

DuckDB reads the rows; this one is asked when something is wrong, for the line, the column and the reason, and when
DuckDB cannot read a file that is right (its lines end in different ways). Both understand the same language: a cell
that begins with a quote ends with one, quotes inside it are doubled, one space before them and all after them are
dropped; anywhere else a quote is a character as any other. Empty lines are no records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import io
import re
from typing import IO, Final, NamedTuple

MAX_RECORD_CHARS: Final = 1 << 24
"""A quoted cell that goes on for longer was never closed."""

ENDS: Final = "\r\n"
OPENING: Final = re.compile(' ?"')
"""How a cell begins that is quoted. To DuckDB, behind two spaces a quote is a character: so it is to us."""

UNDECODED: Final = re.compile("[\udc80-\udcff]")


class Fault(NamedTuple):
    """What is wrong with a record: the 1-based character of its first line where it shows, and why."""

    column: int
    reason: str


class Line(NamedTuple):
    """One record: the line it begins at, its text without the line end, its cells, or what is wrong with it.

    `starts` are where the cells begin in the text; empty when nothing is quoted, then the text itself tells.
    """

    number: int
    text: str
    cells: list[str]
    starts: Sequence[int] = ()
    fault: Fault | None = None

    def where(self, cell: int) -> tuple[int, int]:
        """Line and column (1-based, in characters) at which a cell begins."""
        start = self.starts[cell] if self.starts else sum(len(before) + 1 for before in self.cells[:cell])
        before = re.split("\r\n|\r|\n", self.text[:start])
        return self.number + len(before) - 1, len(before[-1]) + 1


class Lines:
    """Reads the records of UTF-8 bytes. A broken record ends with its first line; reading goes on after that.

    `newline` is how the first record ended, "" until then.
    """

    def __init__(self, file: IO[bytes], delimiter: str, first_line: int = 1) -> None:
        self.newline = ""
        self._file = file
        self._number = first_line - 1
        self._offset = 0
        self._waiting: list[str] = []
        self._last = ""
        mark = re.escape(delimiter)
        self._after = re.compile(rf" *({mark}|\r\n|\r|\n|\Z)")
        self._bare = re.compile(rf"([^{mark}\r\n]*)({mark}|\r\n|\r|\n|\Z)")
        self._delimiter = delimiter

    def __iter__(self) -> Iterator[Line]:
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._source = iter(text)
        try:
            while (line := self._next()) is not None:
                bare = line.rstrip(ENDS)
                if bare:
                    record = self._record(line, bare)
                    self.newline = self.newline or self._last[len(self._last.rstrip(ENDS)) :]
                    yield record
        finally:
            text.detach()

    def _next(self) -> str | None:
        line = self._waiting.pop() if self._waiting else next(self._source, None)
        if line is not None:
            self._last = line
            self._number += 1
            self._offset += _size_bytes(line)
        return line

    def _record(self, line: str, bare: str) -> Line:
        start = self._offset - _size_bytes(line)
        record = Line(self._number, bare, bare.split(self._delimiter)) if '"' not in bare else self._with_quotes(line)
        undecoded = None if record.text.isascii() else UNDECODED.search(record.text)
        if undecoded and not record.fault:
            at = undecoded.start()
            offset = start + _size_bytes(record.text[:at])
            reason = f"byte 0x{ord(record.text[at]) - 0xDC00:02x} at offset {offset} is not UTF-8"
            return record._replace(fault=Fault(at + 1, reason))
        return record

    def _with_quotes(self, line: str) -> Line:
        """A record in which quotes occur, and which may go on over more lines."""
        number, lines = self._number, [line]
        cells, starts = list[str](), list[int]()
        at, before = 0, 0  # `at` in the last of the lines, which begins at character `before` of the record
        while True:
            starts.append(before + at)
            opening = OPENING.match(lines[-1], at)
            if opening is None:
                end = self._bare.match(lines[-1], at)
                assert end is not None, "the pattern takes anything, and be it nothing"
                cells.append(end[1])
            else:
                closed = self._closed(lines, opening.end())
                if closed is None:
                    return self._broken(number, lines, Fault(starts[-1] + 1, "a quote is opened and never closed"))
                cell, at, more = closed
                before += more
                cells.append(cell)
                end = self._after.match(lines[-1], at)
                if end is None:
                    return self._broken(number, lines, Fault(starts[-1] + 1, "text follows the closing quote"))
            at = end.end()
            if end[end.lastindex or 0] != self._delimiter:
                return Line(number, "".join(lines).rstrip(ENDS), cells, starts)

    def _closed(self, lines: list[str], at: int) -> tuple[str, int, int] | None:
        """The cell whose text begins at `at` of the last line: its text, where it ends, characters of lines gone by."""
        parts, size, gone = list[str](), 0, 0
        while True:
            line = lines[-1]
            quote = line.find('"', at)
            if quote < 0:
                parts.append(line[at:])
                size += len(line)
                following = self._next() if size < MAX_RECORD_CHARS else None
                if following is None:
                    return None
                gone += len(line)
                lines.append(following)
                at = 0
            elif line.startswith('"', quote + 1):
                parts.append(line[at : quote + 1])
                at = quote + 2
            else:
                return "".join(parts) + line[at:quote], quote + 1, gone

    def _broken(self, number: int, lines: list[str], fault: Fault) -> Line:
        """Only the first line is bad; those after it are read once more, each for itself."""
        for line in lines[:0:-1]:
            self._waiting.append(line)
            self._number -= 1
            self._offset -= _size_bytes(line)
        first = lines[0].rstrip(ENDS)
        return Line(number, first, [], (), Fault(min(fault.column, len(first) + 1), fault.reason))


def _size_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
