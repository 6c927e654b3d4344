"""What the beginning of a CSV file tells: its delimiter, how its lines end, and its first records."""

from __future__ import annotations

from codecs import BOM_UTF8
import io
from itertools import islice, takewhile
import re
from typing import Final, NamedTuple

from reconcile.stores.data.lines import Fault, Line, Lines
from reconcile.stores.data.plain import HEAD_BYTES

DELIMITERS: Final = ",\t;|"
SAMPLE_RECORDS: Final = 500
GLANCE_BYTES: Final = 1 << 16


Records = tuple[str, list[Line]]
"""How the first record ended, and the records."""


class Sniffed(NamedTuple):
    """`sample` are the first records, up to the first that is broken; none in an empty file.

    `readable`: whether DuckDB finds the header and the line ends of this file where they are; `whole`: whether
    there are no records but these.
    """

    delimiter: str
    newline: str
    sample: list[Line]
    readable: bool
    whole: bool


def sniff(head: bytes, delimiter: str) -> Sniffed:
    """Looks at `head`, the first bytes of a file (all of them, if they are fewer than `HEAD_BYTES`)."""
    chosen, known = best_delimiter(head[:GLANCE_BYTES]) if delimiter == "auto" else (delimiter, None)
    cut = len(head) == HEAD_BYTES
    if known is None or len(head) >= GLANCE_BYTES:
        known = _records(head, chosen, cut=cut)
    newline, records = known
    if len(records) == 1 and cut:
        records = [records[0]._replace(fault=Fault(1, f"the first record is longer than {HEAD_BYTES} bytes"))]
    sample = records[:1] + list(takewhile(lambda line: line.fault is None, records[1:]))
    first_end = re.search(b"\r\n|\r|\n", head)
    told = first_end is None or (first_end[0].decode() == newline and newline != "\r")
    marked = head.startswith(BOM_UTF8)
    split = bool(sample) and "\n" in sample[0].text  # behind a byte order mark DuckDB sees no quote, but a line of it
    readable = told and bool(sample) and sample[0].number == 1 and not (marked and split)
    whole = len(sample) == len(records) < SAMPLE_RECORDS and not cut
    return Sniffed(chosen, newline, sample, readable, whole)


def best_delimiter(head: bytes) -> tuple[str, Records]:
    """What stands between the cells, by the first bytes of a file, and the records that it makes of them.

    It is the delimiter by which all records are equally wide, and the widest; else the commonest in the first record. A
    file in whose first record there is none has one column, and its delimiter is a comma.
    """
    there = [delimiter for delimiter in DELIMITERS if delimiter.encode() in head]
    found = {delimiter: _records(head, delimiter, cut=len(head) == GLANCE_BYTES) for delimiter in there or ","}

    def rating(delimiter: str) -> tuple[bool, int]:
        widths = [len(line.cells) for line in found[delimiter][1]]
        return len(set(widths)) == 1 and widths[0] > 1, widths[0] if widths else 0

    best = max(found, key=rating)
    if not rating(best)[0] and len(found) < len(DELIMITERS):  # by what occurs nowhere a record may be whole
        absent = next(delimiter for delimiter in DELIMITERS if delimiter not in found)
        found[absent] = _records(head, absent, cut=len(head) == GLANCE_BYTES)
        best = max(sorted(found, key=DELIMITERS.index), key=rating)
    return best, found[best]


def _records(head: bytes, delimiter: str, *, cut: bool) -> Records:
    """How lines end, and the first records; where `head` may be cut off, the last that it reaches is left out."""
    found = plain_records(head, delimiter) if len(head) <= GLANCE_BYTES else None
    if found is None:
        lines = Lines(io.BytesIO(head), delimiter)
        records = list(islice(lines, SAMPLE_RECORDS))
        found = lines.newline, records
    newline, records = found
    return newline, records[:-1] if cut and 1 < len(records) < SAMPLE_RECORDS else records


def plain_records(head: bytes, delimiter: str) -> Records | None:
    """The same as `Lines` finds, several times as fast; None where quotes or carriage returns need the exact reader."""
    if b'"' in head or b"\r" in head:
        return None
    try:
        lines = head.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        return None
    records = [Line(number, line, line.split(delimiter)) for number, line in enumerate(lines, 1) if line]
    ended = bool(records) and records[0].number < len(lines)
    return "\n" if ended else "", records[:SAMPLE_RECORDS]
