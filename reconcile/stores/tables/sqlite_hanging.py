"""What else in a SQLite file could not go on without a table: views that read it, foreign keys that point to it."""

from __future__ import annotations

from collections.abc import Iterator
import sqlite3

from reconcile.stores.tables.engine import Session, quoted

_OPENED = "SELECT rootpage FROM sqlite_schema WHERE tbl_name = $1 COLLATE NOCASE AND type IN ('table', 'index')"
_KEYS = (
    "SELECT DISTINCT t.name FROM sqlite_schema t, pragma_foreign_key_list(t.name, 'main') k "
    "WHERE t.type = 'table' AND k.\"table\" = $1 COLLATE NOCASE AND t.name <> $1 COLLATE NOCASE"
)


def hanging(session: Session, name: str) -> Iterator[str]:
    """In words. A view reads what its program opens: other views are resolved in it, and names in its text are not."""
    pages = {page for (page,) in session.run(_OPENED, name)}
    for (view,) in session.run("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name"):
        try:
            program = session.run(f"EXPLAIN SELECT * FROM {quoted(view)}")
        except sqlite3.Error:  # it lacks something already
            continue
        if any(opcode == "OpenRead" and page in pages and not file for _, opcode, _, page, file, *_ in program):
            yield f"view {view}"
    yield from (f"a foreign key of {table}" for (table,) in session.run(_KEYS, name))
