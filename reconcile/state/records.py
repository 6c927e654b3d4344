"""The records of a scope: read in order of their keys, changed by folds, watched by a sum of checks.

Every row carries a check over its fields, every scope the sum of the checks of its rows, both written in the
transaction that changes them. Who reads all rows compares the sum at the end: a flipped bit, a lost row and a row too
many are all found, which SQLite's own integrity check does not promise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
import sqlite3
from typing import Any, Final

from reconcile.core.record import Record
from reconcile.state.codec import DamageError, check, some, wrap

_COLUMNS: Final = "key, path, size, digest, version, flags, run, row_check"
_ALL: Final = f"SELECT {_COLUMNS} FROM records WHERE scope = ? ORDER BY key"  # noqa: S608 - our own names
_SOME: Final = f"SELECT {_COLUMNS} FROM records WHERE scope = ? AND key IN"  # noqa: S608 - as above
_OLD: Final = "SELECT row_check FROM records WHERE scope = ? AND key IN"
_PUT: Final = f"INSERT OR REPLACE INTO records (scope, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - as above
_DROP: Final = "DELETE FROM records WHERE scope = ? AND key = ?"

_ROWS_AT_ONCE: Final = 512


def read_all(connection: sqlite3.Connection, number: int, *, total: int, count: int) -> Iterator[Record]:
    """All records of scope `number` by key; `DamageError` at a bad row, or at the end when `total` does not agree."""
    cursor = connection.execute(_ALL, (number,))
    seen, summed = 0, 0
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        seen += len(rows)
        for row in rows:
            yield _record(row)
            summed += row[-1]
    if (seen, wrap(summed)) != (count, total):
        raise DamageError(f"it holds {seen} records that do not add up to the {count} it should hold")


def bounds(connection: sqlite3.Connection, number: int, *, count: int, parts: int) -> list[str]:
    """Every (count / parts)-th key, the first and the last left out."""
    step = max(1, count // parts)
    cursor = connection.execute("SELECT key FROM records WHERE scope = ? ORDER BY key", (number,))
    return [key for (key,) in islice(cursor, step, step * (parts - 1) + 1, step)]


def read_one(connection: sqlite3.Connection, number: int, key: str) -> Record | None:
    """One record, None where there is none."""
    return next(read_some(connection, number, [key]), None)


def read_some(connection: sqlite3.Connection, number: int, keys: Collection[str]) -> Iterator[Record]:
    """The records that are under these keys, in any order."""
    for marks, part in some(keys):
        yield from map(_record, connection.execute(f"{_SOME} {marks}", (number, *part)))


def change(connection: sqlite3.Connection, number: int, wanted: Mapping[str, Record | None]) -> tuple[int, int]:
    """Puts each record under its key, drops where None is wanted; returns by how much (sum of checks, count) grew."""
    old = [check for marks, part in some(wanted) for (check,) in connection.execute(f"{_OLD} {marks}", (number, *part))]
    rows = [_row(record) for record in wanted.values() if record is not None]
    connection.executemany(_DROP, [(number, key) for key, record in wanted.items() if record is None])
    connection.executemany(_PUT, [(number, *row) for row in rows])
    return sum(row[-1] for row in rows) - sum(old), len(rows) - len(old)


def _row(record: Record) -> tuple[Any, ...]:
    flags = record.settled | record.executable << 1 | record.accepted << 2
    fields = (record.key, record.path, record.size, record.digest, record.version, flags, record.run)
    return (*fields, check(fields))


def _record(row: tuple[Any, ...]) -> Record:
    """The record of a row whose check holds."""
    if check(row[:-1]) != row[-1]:
        raise DamageError(f"the record of {row[0]!r} is damaged")
    key, path, size, digest, version, flags, run, _ = row
    return Record(key, size, digest, version, path, flags & 1 != 0, flags & 2 != 0, run, flags & 4 != 0)
