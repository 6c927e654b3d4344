"""What loading a file would do to a table: its columns and rows before and after. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from reconcile.core.inside import UNCOUNTED, ColumnChange, Inside
from reconcile.ports import Body
from reconcile.stores.data.file import DataFile
from reconcile.stores.tables.content import content_of
from reconcile.stores.tables.engine import REJECTED
from reconcile.stores.tables.ledger import Row
from reconcile.stores.tables.loading import Loader
from reconcile.stores.tables.room import Room

COUNTED_BYTES: Final = 32 << 20
"""Rows of larger files are not counted for a plan."""

READ_BYTES: Final = 64 << 20
"""A larger file is not read whole where its first rows tell its types: a plan may be of a hundred of them."""

COMPARED_ROWS: Final = 100_000
"""Rows are compared one by one where neither side has more of them."""

_UNTYPED: Final = "without a type"
"""What a column is called that was declared with a name alone."""

Columns = tuple[tuple[str, str], ...]
Form = Callable[[Any], Any]


def inside_of_delete(room: Room, key: str) -> Inside:
    """How many rows go, and what would not let them."""
    row = room.table(key)
    if row is None:
        return Inside()
    hanging = room.session.hanging(row.name)
    return Inside(rows_was=room.count(row), refused=f"others hang on it: {', '.join(hanging)}" if hanging else "")


def inside_of_write(room: Room | None, loader: Loader, key: str, body: Body) -> Inside:
    """Columns always; rows as far as that is cheap. Without a room there is no database yet."""
    there = room.table(key) if room is not None else None
    row = there if there is not None and there.load else None
    with content_of(body) as content:

        def looked(*, pin: bool) -> Inside:
            with loader.opened(content, body, row, pin=pin, early=body.size_bytes > READ_BYTES) as data:
                return _looked(room, loader, (key, there, row), body, data)

        return loader.trying(looked, row)


def _looked(
    room: Room | None, loader: Loader, known: tuple[str, Row | None, Row | None], body: Body, data: DataFile
) -> Inside:
    """What the open file would do to a table. `known`: its key, what is there, and that again if we loaded it."""
    key, there, row = known
    old = room.session.columns(there.name) if room is not None and there is not None else ()
    differing = tuple(_differing(old, loader.typed(loader.columns(data, row))))
    rows_was = room.count(row) if room is not None and row is not None else UNCOUNTED
    notes = (*data.notes, *["the types are those of its first rows"] * data.guessed)
    inside = Inside(columns=differing, rows_was=rows_was, notes=notes)
    if room is not None and there is not None and (refused := _refused(room, there.name, differing)):
        return replace(inside, refused=refused)
    if body.size_bytes > COUNTED_BYTES:
        return inside
    before = _before(room, row, data) if not differing else None
    inside = _with_rows(inside, before, data, loader.key)
    if inside.rejected:
        inside = replace(inside, notes=(*inside.notes, f"rows that are put aside go into `{key}{REJECTED}`"))
    clash = room.why_rejects_clash(key, row, rejected=bool(inside.rejected)) if room is not None else ""
    return replace(inside, refused=clash)


def _refused(room: Room, name: str, differing: Sequence[ColumnChange]) -> str:
    """What would not let its rows, or its columns, be replaced."""
    if told := room.session.obstacles(name):
        return f"this hangs on it and cannot be carried over: {', '.join(told)}"
    hanging = room.session.holding(name) if differing else []
    return f"its columns change, and others hang on it: {', '.join(hanging)}" if hanging else ""


class _Before(NamedTuple):
    """The rows of a table in the order of the file's columns; `spare` columns that the file does not have come last."""

    rows: Iterator[tuple[Any, ...]]
    spare: int


def _before(room: Room | None, row: Row | None, data: DataFile) -> _Before | None:
    """The rows of a table that is not too large to be compared."""
    if room is None or row is None or row.rows > COMPARED_ROWS:
        return None
    names = [name for name, _ in room.session.columns(row.name)]
    ours = [column.name for column in data.shape.columns]
    spare = [name for name in names if name not in ours]
    forms = [*_forms(data), *(_plain for _ in spare)]
    order = [names.index(name) for name in (*ours, *spare)]
    rows = (
        tuple(form(one[at]) for form, at in zip(forms, order, strict=True))
        for some in room.session.scan(row.name)
        for one in some
    )
    return _Before(rows, len(spare))


def _differing(old: Columns, new: Columns) -> Iterator[ColumnChange]:
    old = tuple((name, kind or _UNTYPED) for name, kind in old)
    was, now = dict(old), dict(new)
    for name, kind in new:
        if was.get(name) != kind:
            yield ColumnChange(name, was.get(name, ""), kind)
    yield from (ColumnChange(name, was=kind) for name, kind in old if name not in now)


def _with_rows(inside: Inside, before: _Before | None, data: DataFile, key: Sequence[str]) -> Inside:
    """The rows of the file, counted; and compared with those from before, if there are any to compare."""
    now: list[tuple[Any, ...]] = []
    forms = _forms(data)
    for columns in _columns(data):
        if before is not None and data.row_count <= COMPARED_ROWS:
            now += (row + (None,) * before.spare for row in _tuples(columns, forms))
    inside = replace(inside, rows_now=data.row_count, rejected=len(data.rejects))
    if before is None or data.row_count > COMPARED_ROWS:
        return inside
    was = list(before.rows)
    places = [at for at, column in enumerate(data.shape.columns) if column.name in key]
    found = _by_key(was, places), _by_key(now, places)
    if places and len(places) == len(key) and (len(found[0]), len(found[1])) == (len(was), len(now)):
        return _compared_by_key(inside, *found)
    more = Counter(now)
    more.subtract(Counter(was))
    return replace(
        inside,
        added=sum(count for count in more.values() if count > 0),
        removed=-sum(count for count in more.values() if count < 0),
    )


def _by_key(rows: Iterable[tuple[Any, ...]], places: Sequence[int]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Fewer than there are rows where the key names more than one."""
    return {tuple(row[at] for at in places): row for row in rows}


def _compared_by_key(
    inside: Inside, was: Mapping[tuple[Any, ...], tuple[Any, ...]], now: Mapping[tuple[Any, ...], tuple[Any, ...]]
) -> Inside:
    changed = sum(was[name] != now[name] for name in was.keys() & now.keys())
    return replace(inside, added=len(now.keys() - was.keys()), changed=changed, removed=len(was.keys() - now.keys()))


def _columns(data: DataFile) -> Iterator[Iterator[Sequence[Any]]]:
    """The values of a file by column, as they are at hand or batch by batch."""
    if (values := data.values()) is not None:
        yield iter(values)
        return
    for batch in data.batches():
        yield (column.to_pylist() for column in batch.columns)


def _tuples(columns: Iterable[Sequence[Any]], forms: Sequence[Form]) -> Iterator[tuple[Any, ...]]:
    return zip(*(map(form, column) for form, column in zip(forms, columns, strict=True)), strict=True)


def _forms(data: DataFile) -> list[Form]:
    """By column, how a value gets a form that is the same from whatever database it comes."""
    return [_number if column.type.startswith("decimal") else _plain for column in data.shape.columns]


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, int | bytes):
        return value
    if isinstance(value, float):
        return value if value == value else "NaN"  # noqa: PLR0124 - NaN alone is not itself
    return str(value)


def _number(value: Any) -> Any:
    """A decimal, which some databases give as text or as another number."""
    return None if value is None else Decimal(str(value)).normalize()
