"""Gives a small table of SQLite other rows where it stands, and keeps the old ones in another.

SQLite reads its whole catalogue for every rename, so a swap takes longer the more tables there are: of a few rows it is
sooner to write them again. Readers see the old rows or the new ones either way, as it is one transaction.
"""

from __future__ import annotations

import sqlite3

from reconcile.core.errors import RefusedError
from reconcile.ports import io_step
from reconcile.stores.tables.engine import LEDGER, Session, quoted
from reconcile.stores.tables.sqlite_edits import SMALL_ROWS
from reconcile.stores.tables.steps import create, drop


def may_exchange(session: Session, new: str, name: str) -> bool:
    """Whether nothing but rows differs between two small tables, and nobody hears of it when rows go and come."""
    named = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1"  # another spelling is renamed
    heard = "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = $1 COLLATE NOCASE"
    hung = "SELECT 1 FROM sqlite_schema WHERE type <> 'table' AND tbl_name = $1 COLLATE NOCASE"  # it would go with it
    numbered = f"SELECT 1 FROM {LEDGER} WHERE name = $1 AND upto > 0"  # a row has another number in another table
    return bool(
        _is_small(session, new)
        and _is_small(session, name)
        and session.columns(new) == session.columns(name)
        and session.run(named, name)
        and not session.run(heard, name)
        and not session.run(hung, new)
        and not session.run(numbered, name)
    )


@io_step("table.exchange")
def exchange(session: Session, new: str, name: str, aside: str) -> None:
    """The rows of `new`, which goes, are those of `name`; its old ones are called `aside`, unless that is ""."""
    if aside:
        create(session, aside, session.columns(name))
        session.run(f"INSERT INTO {quoted(aside)} SELECT * FROM {quoted(name)}")
    session.run(f"DELETE FROM {quoted(name)}")
    try:
        session.run(f"INSERT INTO {quoted(name)} SELECT * FROM {quoted(new)}")
    except sqlite3.IntegrityError as error:
        message = f"an index that somebody made on it does not take the new rows ({error})"
        raise RefusedError(message, op="replace", path=name, hint="drop it, or mend the file") from error
    drop(session, new)


def _is_small(session: Session, name: str) -> bool:
    return len(session.run(f"SELECT 1 FROM {quoted(name)} LIMIT {SMALL_ROWS + 1}")) <= SMALL_ROWS
