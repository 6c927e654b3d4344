"""Rows and their checks: how a struct becomes a row of a table, and how a flipped bit in that row is found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice
import sqlite3
from typing import Any, Final, Generic, TypeVar, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

T = TypeVar("T", bound=Struct)

pack: Final = msgspec.msgpack.Encoder().encode

_HALF: Final = 1 << 63
_MASK: Final = (1 << 64) - 1

_AT_ONCE: Final = 500
"""Far below the 999 parameters that an old SQLite takes."""


class DamageError(Exception):
    """What was read is not what was written: a check, a sum or a size does not hold."""


def check(fields: Sequence[Any]) -> int:
    """64 bits (signed, as SQLite keeps them) over all fields of a row."""
    return int.from_bytes(blake2b(pack(fields), digest_size=8).digest(), "little", signed=True)


def wrap(total: int) -> int:
    """A sum of checks, wrapped to 64 signed bits."""
    return ((total + _HALF) & _MASK) - _HALF


def some(values: Collection[Any]) -> Iterator[tuple[str, list[Any]]]:
    """The values, as many at a time as one statement takes: (`(?, ?, …)` for `IN`, the values).

    One question for many rows costs half of as many questions, and between two of them every other thread has a turn.
    """
    rest = iter(values)
    while part := list(islice(rest, _AT_ONCE)):
        yield f"({', '.join('?' * len(part))})", part


class Table(Generic[T]):
    """A table whose columns are the fields of a struct, in order: `lead` columns before them, `row_check` at the end.

    Lists and dicts are kept as JSON text, so that any SQLite browser shows them.
    """

    def __init__(self, name: str, struct: type[T], *, lead: Sequence[str] = ()) -> None:
        self.name = name
        self.columns = [*lead, *struct.__struct_fields__]
        marks = ", ".join("?" * (len(self.columns) + 1))
        columns = ", ".join([*self.columns, "row_check"])
        self._struct = struct
        self._lead = len(lead)
        kinds = enumerate(kind for _, kind in _kinds(struct))
        self._encoders = [(place, _ENCODERS[kind]) for place, kind in kinds if kind in _ENCODERS]
        self._decoders = [_DECODERS.get(kind) for _, kind in _kinds(struct)]
        self._put = f"INSERT OR REPLACE INTO {name} ({columns}) VALUES ({marks})"  # noqa: S608 - our own names
        self._select = f"SELECT {columns} FROM {name}"  # noqa: S608 - as above

    def put(self, connection: sqlite3.Connection, values: Iterable[T], *lead: Any) -> None:
        """Inserts, or replaces what has the same primary key."""
        self.put_rows(connection, (self.row(value, lead) for value in values))

    def put_rows(self, connection: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> None:
        """The same with rows that are made already."""
        connection.executemany(self._put, rows)

    def drop(self, connection: sqlite3.Connection, rest: str, parameters: Sequence[Any] = ()) -> None:
        """Removes what `DELETE FROM table <rest>` finds."""
        connection.execute(f"DELETE FROM {self.name} {rest}", parameters)  # noqa: S608 - our own names

    def select(self, connection: sqlite3.Connection, rest: str = "", parameters: Sequence[Any] = ()) -> Iterator[T]:
        """The structs that `SELECT … FROM table <rest>` finds; `DamageError` where a check does not hold."""
        return map(self.value, self.rows(connection, rest, parameters))

    def rows(self, connection: sqlite3.Connection, rest: str, parameters: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """The bare rows that `SELECT … FROM table <rest>` finds: columns and check."""
        return connection.execute(f"{self._select} {rest}", parameters)

    def row(self, value: T, lead: tuple[Any, ...]) -> list[Any]:
        """A struct as a row, its check at the end."""
        plain = astuple(value)
        fields = [*lead, *plain]
        for place, encode in self._encoders:
            fields[self._lead + place] = encode(plain[place])
        fields.append(check(fields))
        return fields

    def value(self, row: tuple[Any, ...]) -> T:
        """The struct of a row whose check holds."""
        self.verify_row(row)
        fields = zip(row[self._lead : -1], self._decoders, strict=True)
        return self._struct(*(decode(field) if decode else field for field, decode in fields))

    def verify_row(self, row: tuple[Any, ...]) -> None:
        """`DamageError` if its check does not hold: then it is not what was written."""
        if check(row[:-1]) != row[-1]:
            raise DamageError(f"a row of `{self.name}` is damaged")


def _json(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()


_ENCODERS: Final[dict[Any, Callable[[Any], Any]]] = {bool: int, float: float, dict: _json, list: _json}
_DECODERS: Final[dict[Any, Callable[[Any], Any]]] = {bool: bool, dict: msgspec.json.decode, list: msgspec.json.decode}


def _kinds(struct: type[Struct]) -> list[tuple[str, Any]]:
    """Each field and its type without parameters."""
    hints = get_type_hints(struct)
    return [(field, getattr(hints[field], "__origin__", hints[field])) for field in struct.__struct_fields__]
