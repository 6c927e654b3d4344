"""How edits by hand are noticed in SQLite.

A small table is read whole; on a larger one three triggers count edits in the ledger. They take no part in our own
loads, which end before the triggers are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from zlib import crc32

from reconcile.stores.tables.engine import LEDGER, RESERVED, Seen, Session, quoted
from reconcile.stores.tables.sqlite_definition import constraints

SMALL_ROWS: Final = 200
"""A table of so many rows is sooner read than watched: triggers make its creation three times as slow."""

_ON_EDIT: Final = {"i": "INSERT", "u": "UPDATE", "d": "DELETE"}


def look(session: Session, made: Mapping[str, tuple[str, int]]) -> dict[str, Seen]:
    """A small table is read; of a larger one no row is, while its triggers saw no edit."""
    only = next(iter(made)) if len(made) == 1 else None
    watched = _watched(session, only)
    seen = {}
    for name, shape in _shapes(session, *([only] if only is not None else ())).items():
        if name in made:
            seen[name] = _seen(session, name, shape, made[name], watched.get(name, ""))
    return seen


def _seen(session: Session, name: str, shape: str, made: tuple[str, int], edits: str) -> Seen:
    noted, rows = made
    if not noted:
        return Seen(-1, f"-.{shape}")
    if noted.startswith("c"):
        return _small(session, name, shape) or Seen(_count(session, name), f"grown.{shape}")
    mark = f"{edits or 'loose'}.{shape}"
    return Seen(rows if mark == noted else _count(session, name), mark)


def _small(session: Session, name: str, shape: str) -> Seen | None:
    """A table of few rows with a sum over them; None when there are more."""
    rows = session.run(f"SELECT * FROM {quoted(name)} LIMIT {SMALL_ROWS + 1}")
    return Seen(len(rows), f"c{_sum(repr(rows))}.{shape}") if len(rows) <= SMALL_ROWS else None


def _shapes(session: Session, *only: str) -> dict[str, str]:
    """By table, of all or `only` some: what stands for its columns, and for what its definition says beside them.

    A definition is as long as there are columns: it is read once, not with each of them.
    """
    places = ", ".join(f"${number}" for number in range(1, len(only) + 1))
    told: dict[str, list[str]] = {}
    for name, sql, column, kind in session.run(
        "SELECT t.name, CASE c.cid WHEN 0 THEN t.sql END, c.name, c.type FROM sqlite_schema t, "
        "pragma_table_info(t.name, 'main') c "
        f"WHERE t.type = 'table' {f'AND t.name IN ({places})' if only else ''} ORDER BY t.name, c.cid",
        *only,
    ):
        if name not in told:
            told[name] = constraints(sql)
        told[name].append(f"{column} {kind}")
    return {name: _sum("\0".join(words)) for name, words in told.items()}


def _watched(session: Session, only: str | None) -> dict[str, str]:
    """By table with all our triggers in place: how many edits they saw."""
    watched: dict[str, list[str]] = {}
    for name, trigger in session.run(
        "SELECT tbl_name, substr(name, $2 + 1) FROM sqlite_schema WHERE type = 'trigger' "
        "AND substr(name, 1, $2) = $1 AND ($3 IS NULL OR tbl_name = $3)",
        RESERVED,
        len(RESERVED),
        only,
    ):
        watched.setdefault(name, []).append(trigger.rpartition("_")[0])
    if not watched or not session.names(LEDGER):
        return {}
    loads = {name: loads[0] for name, loads in watched.items() if loads == loads[:1] * len(_ON_EDIT)}
    one = loads.get(only or "")
    found = session.run(f"SELECT load, edits FROM {LEDGER} WHERE $1 IS NULL OR load = $1", one)
    edits = {load: str(count) for load, count in found}
    return {name: edits[load] for name, load in loads.items() if load in edits}


def settle(session: Session, loads: Mapping[str, str]) -> dict[str, Seen]:
    """From here on every edit of those tables that are not small is counted."""
    shapes = _shapes(session, *loads)
    return {name: _settled(session, name, load, shapes[name]) for name, load in loads.items()}


def _settled(session: Session, name: str, load: str, shape: str) -> Seen:
    if (small := _small(session, name, shape)) is not None:
        return small
    for short, edit in _ON_EDIT.items():
        session.run(
            f"CREATE TRIGGER {quoted(f'{RESERVED}{load}_{short}')} AFTER {edit} ON {quoted(name)} BEGIN "
            f"UPDATE {LEDGER} SET edits = edits + 1 WHERE load = '{load}'; END"
        )
    return Seen(_count(session, name), f"0.{shape}")


def _count(session: Session, name: str) -> int:
    [(rows,)] = session.run(f"SELECT count(*) FROM {quoted(name)}")
    return int(rows)


def _sum(text: str) -> str:
    return f"{crc32(text.encode('utf-8', 'replace')):08x}"
