"""What the beginning of a CSV file tells: its delimiter, how its lines end, and its first records."""

from __future__ import annotations

import io
from itertools import islice, takewhile
import re
from typing import Final, NamedTuple

from reconcile.stores.data.lines import Fault, Line, Lines
from reconcile.stores.data.plain import HEAD_BYTES

DELIMITERS: Final = ",\t;|"
SAMPLE_RECORDS: Final = 500
GLANCE_BYTES: Final = 1 << 16


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
    chosen = best_delimiter(head[:GLANCE_BYTES]) if delimiter == "auto" else delimiter
    newline, records = _records(head, chosen, cut=len(head) == HEAD_BYTES)
    if len(records) == 1 and len(head) == HEAD_BYTES:
        records = [records[0]._replace(fault=Fault(1, f"the first record is longer than {HEAD_BYTES} bytes"))]
    sample = records[:1] + list(takewhile(lambda line: line.fault is None, records[1:]))
    first_end = re.search(b"\r\n|\r|\n", head)
    told = first_end is None or (first_end[0].decode() == newline and newline != "\r")
    readable = told and bool(sample) and sample[0].number == 1
    whole = len(sample) == len(records) < SAMPLE_RECORDS and len(head) < HEAD_BYTES
    return Sniffed(chosen, newline, sample, readable, whole)


def best_delimiter(head: bytes) -> str:
    """What stands between the cells, by the first bytes of a file.

    It is the delimiter by which all records are equally wide, and the widest; else the commonest in the first record. A
    file in whose first record there is none has one column, and its delimiter is a comma.
    """

    def rating(delimiter: str) -> tuple[bool, int]:
        widths = [len(line.cells) for line in _records(head, delimiter, cut=len(head) == GLANCE_BYTES)[1]]
        return len(set(widths)) == 1 and widths[0] > 1, widths[0] if widths else 0

    return max(DELIMITERS, key=rating)


def _records(head: bytes, delimiter: str, *, cut: bool) -> tuple[str, list[Line]]:
    """How lines end, and the first records; where `head` may be cut off, the last that it reaches is left out."""
    lines = Lines(io.BytesIO(head), delimiter)
    records = list(islice(lines, SAMPLE_RECORDS))
    return lines.newline, records[:-1] if cut and 1 < len(records) < SAMPLE_RECORDS else records
