"""The rows of a table as CSV (RFC 4180), for people and for tests: what a read of a table gives."""

from __future__ import annotations

from collections.abc import Iterator
import csv
import io
from typing import Any

from reconcile.stores.tables.engine import Session


def csv_chunks(session: Session, name: str, where: str) -> Iterator[bytes]:
    """A header, then the rows; NULL is empty, an empty text is quoted."""
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\n")
    plain.writerow([column for column, _ in session.columns(name)])
    yield _taken(text)
    for rows in session.scan(name, where):
        for row in rows:
            plain.writerow([_cell(value) for value in row])
        yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    told = text.getvalue()
    text.seek(0)
    text.truncate()
    return told.encode("utf-8", "surrogateescape")


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool):
        return str(value).lower()
    return value
