"""Sums of checks: what all rows of a part of a table come to, so that one that is lost is missed by who reads them all.

Every row has a check of its own, which tells nothing of rows that are not found. So the sum and the number of a part's
rows are kept in a table of their own, by the transaction that changes them. A part without a sum is damaged: a sum is
made with what it belongs to (a run, a scope, the state itself) and goes with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
import sqlite3
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from reconcile.state.codec import DamageError, Table, some, wrap

T = TypeVar("T", bound=Struct)


class Sum(Struct, frozen=True):
    """What the rows of one part of the table `name` come to: `total` of their checks, `count` of them."""

    name: str
    part: int
    total: int = 0
    count: int = 0


SUMS = Table("sums", Sum)

_ONE: Final = "WHERE name = ? AND part = ?"


class Summed(Table[T]):
    """A table under sums; `key` are the columns of its primary key.

    The column `part` tells which part a row belongs to, and is the first of the key; without one all rows are part 0.
    """

    def __init__(
        self, name: str, struct: type[T], *, key: Sequence[str], part: str = "", lead: Sequence[str] = ()
    ) -> None:
        super().__init__(name, struct, lead=lead)
        self._key = [self.columns.index(column) for column in key]
        self._part = self.columns.index(part) if part else None
        self._in_part = f"{part} = ?" if part else "0 = ?"
        self._with_key = " AND ".join([*(f"{column} = ?" for column in key[:-1]), f"{key[-1]} IN"])
        self._checks = f"SELECT row_check FROM {name} WHERE"  # noqa: S608 - our own names

    def found(self, connection: sqlite3.Connection, part: int = 0) -> None:
        """Begins an empty part."""
        SUMS.put(connection, [Sum(self.name, part)])

    def forget(self, connection: sqlite3.Connection, part: int = 0) -> None:
        """Removes a part, and its sum with it."""
        self.drop(connection, f"WHERE {self._in_part}", (part,))
        SUMS.drop(connection, _ONE, (self.name, part))

    def sum_of(self, connection: sqlite3.Connection, part: int = 0) -> Sum:
        """What a part should come to."""
        for found in SUMS.select(connection, _ONE, (self.name, part)):
            return found
        raise DamageError(f"there is no sum of part {part} of `{self.name}`")

    def put_rows(self, connection: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> None:
        """Inserts, or replaces what has the same primary key; of two with one key the later counts."""
        parts: dict[int, dict[tuple[Any, ...], Sequence[Any]]] = {}
        for row in rows:
            part = row[self._part] if self._part is not None else 0
            parts.setdefault(part, {})[tuple(row[column] for column in self._key)] = row
        for part, fresh in parts.items():
            old = [check for one in self._found(fresh) for check in self._checks_of(connection, *one)]
            super().put_rows(connection, fresh.values())
            self._grow(connection, part, sum(map(_check, fresh.values())) - sum(old), len(fresh) - len(old))

    def drop_from(self, connection: sqlite3.Connection, part: int, where: str, parameters: Sequence[Any]) -> None:
        """Removes those rows of a part that `where` finds."""
        self._lose(connection, part, [(f"{self._in_part} AND {where}", (part, *parameters))])

    def drop_rows(self, connection: sqlite3.Connection, part: int, keys: Iterable[Sequence[Any]]) -> None:
        """Removes the rows of a part that have these primary keys."""
        self._lose(connection, part, self._found(keys))

    def _lose(self, connection: sqlite3.Connection, part: int, found: Iterable[tuple[str, Sequence[Any]]]) -> None:
        gone: list[int] = []
        for where, parameters in found:
            gone += self._checks_of(connection, where, parameters)
            self.drop(connection, f"WHERE {where}", parameters)
        self._grow(connection, part, -sum(gone), -len(gone))

    def _found(self, keys: Iterable[Sequence[Any]]) -> Iterator[tuple[str, Sequence[Any]]]:
        """What finds the rows with these primary keys: conditions, each with its parameters.

        One for all keys that differ in the last column alone: that one SQLite looks up in the index, while it would
        read the whole table for `(a, b) IN (VALUES …)`.
        """
        alike: dict[tuple[Any, ...], list[Any]] = {}
        for *leading, last in keys:
            alike.setdefault(tuple(leading), []).append(last)
        for first, lasts in alike.items():
            for marks, part in some(lasts):
                yield f"{self._with_key} {marks}", (*first, *part)

    def _checks_of(self, connection: sqlite3.Connection, where: str, parameters: Sequence[Any]) -> list[int]:
        return [check for (check,) in connection.execute(f"{self._checks} {where}", parameters)]

    def every(self, connection: sqlite3.Connection, part: int = 0, *, order: str) -> Iterator[T]:
        """All rows of a part; `DamageError` at a bad one, or at the end when one is lost or too many."""
        expected = self.sum_of(connection, part)
        seen, summed = 0, 0
        for row in self.rows(connection, f"WHERE {self._in_part} ORDER BY {order}", (part,)):
            yield self.value(row)
            seen += 1
            summed += row[-1]
        self._adds_up(expected, seen, summed)

    def verify(self, connection: sqlite3.Connection, parts: Iterable[int]) -> None:
        """Reads all rows there are; `DamageError` at a bad one, or when these parts do not add up, or are not all."""
        expected = {found.part: found for found in SUMS.select(connection, "WHERE name = ?", (self.name,))}
        counts, totals = dict.fromkeys(parts, 0), Counter[int]()
        for row in self.rows(connection, "", ()):
            part = row[self._part] if self._part is not None else 0
            if part not in counts:
                raise DamageError(f"`{self.name}` holds rows of nothing that is known")
            self.verify_row(row)
            counts[part] += 1
            totals[part] += row[-1]
        for part, count in counts.items():
            if part not in expected:
                raise DamageError(f"there is no sum of part {part} of `{self.name}`")
            self._adds_up(expected[part], count, totals[part])

    def _adds_up(self, expected: Sum, count: int, total: int) -> None:
        if (count, wrap(total)) != (expected.count, expected.total):
            told = f"`{self.name}` holds {count} rows that do not add up to the {expected.count} it should hold"
            raise DamageError(told)

    def _grow(self, connection: sqlite3.Connection, part: int, grown: int, more: int) -> None:
        if grown or more:
            row = self.sum_of(connection, part)
            SUMS.put(connection, [replace(row, total=wrap(row.total + grown), count=row.count + more)])


_check: Final = itemgetter(-1)
