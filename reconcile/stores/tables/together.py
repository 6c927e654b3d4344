"""Many small files at once: the tables of one transaction, which is flushed once for all of them.

Only what is plainest comes this way: a name that nothing has, and a file that Python has read already in which nothing
is wrong. All of them come to be, or none; whatever is not as plain, or fails with the others, is for its caller to
write alone, where it says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
import time
from typing import Any, NamedTuple

import msgspec

from reconcile.core.entry import Entry
from reconcile.core.errors import DamagedError, StoreError
from reconcile.core.path import has_control
from reconcile.ports import Body
from reconcile.stores.data.file import Column
from reconcile.stores.tables.content import content_of
from reconcile.stores.tables.engine import Gathering
from reconcile.stores.tables.ledger import Row
from reconcile.stores.tables.loading import Loader
from reconcile.stores.tables.room import Room
from reconcile.stores.tables.steps import bind, create


class Fresh(NamedTuple):
    """A table that is to be: its row in the ledger, but for what the database tells of it, and its values by column."""

    row: Row
    columns: tuple[Column, ...]
    values: Sequence[Sequence[Any]]


def read_fresh(loader: Loader, key: str, body: Body, load: str) -> Fresh | None:
    """What a small file makes; None where it is not as plain as that."""
    try:
        with content_of(body) as content, loader.opened(content, body, None) as data:
            columns, values = loader.columns(data, None), data.values()
            if values is None or columns != data.shape.columns:
                return None
            shape = msgspec.json.encode(data.shape).decode()
            row = Row(key, key, load, rows=data.row_count, recipe=loader.recipe, shape=shape)
            return Fresh(loader.finished(row, content, body), columns, values)
    except StoreError:  # it is told where it is written alone
        return None


def write_fresh(room: Room, session: Gathering, loader: Loader, tables: Iterable[Fresh]) -> dict[str, Entry]:
    """Makes them all, and says which; what has a name that is not free is left out."""
    free = list(_free(room, tables))
    room.ledger.make()
    for table in free:
        create(room.session, table.row.name, loader.typed(table.columns))
    for table in free:
        bind(session, table.row.name, table.columns, table.values)
    seen = session.settle_all({table.row.name: table.row.load for table in free})
    rows = []
    for row in (table.row for table in free):
        told, checksum = seen[row.name]
        if told.rows != row.rows:
            message = f"holds {told.rows:,} rows, not the {row.rows:,} that were read"
            raise DamagedError(message, op="load", path=row.name)
        rows.append(msgspec.structs.replace(row, mark=told.mark, checksum=checksum, made_ns=time.time_ns()))
    return room.came(rows)


def made_before(room: Room, loads: dict[str, str]) -> dict[str, Entry]:
    """Of the keys with their loads, those that these very loads made: their transaction was committed after all."""
    found = {}
    for key, load in loads.items():
        row = room.ledger.row(key)
        entry = room.entry(key) if row is not None and row.load == load else None
        if entry is not None:
            found[key] = entry
    return found


def _free(room: Room, tables: Iterable[Fresh]) -> Iterator[Fresh]:
    """Those whose names nothing has, nor had while somebody dropped it: its rejects may be there still."""
    tables = list(tables)
    known = room.ledger.known(table.row.key for table in tables)
    for table in tables:
        key = table.row.key
        try:
            room.check_name("write", key)
        except StoreError:  # as above
            continue
        if not has_control(key) and not room.session.names(key) and key not in known:
            yield table
