"""The index on the column `index`, as pandas makes one (`table.index_column`): its name is that of its table."""

from __future__ import annotations

from reconcile.stores.tables.engine import Session, quoted
from reconcile.stores.tables.ledger import Row
from reconcile.stores.tables.steps import take


def make_index(session: Session, name: str, column: str, most_bytes: int) -> None:
    """Makes it where it is missing; where that is too long for a name (0: no limit) there is none."""
    index = _index_name(name, column)
    if not most_bytes or len(index.encode()) <= most_bytes:
        session.run(f"CREATE INDEX IF NOT EXISTS {quoted(index)} ON {quoted(name)} ({quoted(column)})")


def drop_index(session: Session, row: Row) -> None:
    """Drops it, as its table gets another name: the next table of this key will want its name."""
    if row.found is not None:
        take(session)
        session.run(f"DROP INDEX IF EXISTS {quoted(_index_name(row.key, row.found.columns[0].name))}")


def _index_name(name: str, column: str) -> str:
    return f"ix_{name}_{column}"
