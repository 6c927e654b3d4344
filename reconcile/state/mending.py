"""What people do to a state by hand: `state mv`, `rm`, `pull`, `push`, `reset`. A copy is made before each change."""

from __future__ import annotations

from collections.abc import Callable

from reconcile.core.errors import UsageError
from reconcile.core.record import Scope
from reconcile.ports import Lease
from reconcile.state import scopes
from reconcile.state.store import SqliteState


def move_scope(state: SqliteState, old: str, new: Scope, lease: Lease) -> int:
    """Gives the records of scope `old` (an id) to the scope `new`; returns how many. `new` must hold none itself."""
    state.keep_generation()
    with state.commit(lease) as connection:
        row, taken = scopes.find(connection, old), scopes.find(connection, new.id)
        if row is None:
            raise UsageError(f"there is no scope {old}", op="state mv", hint="reconcile state list")
        if taken is not None and taken.count and taken.id != old:
            raise UsageError(f"`{new.mapping}` has {taken.count} records of its own", op="state mv")
        if taken is not None:
            connection.execute("DELETE FROM scopes WHERE number = ?", (taken.number,))
        fields = (new.mapping, new.source, new.target, new.layout, new.direction)
        serial = max(row.serial, taken.serial if taken else 0) + 1
        moved = scopes.ScopeRow(row.number, new.id, *fields, serial, row.total, row.count, row.completed)
        scopes.SCOPES.put(connection, [moved])
    return row.count


def remove(state: SqliteState, scope: str, chosen: Callable[[str], bool], lease: Lease) -> int:
    """Forgets the records whose keys are `chosen`; what they stand for is then unmanaged. Returns how many."""
    state.keep_generation()
    gone = {record.key: None for record in state.records(scope) if chosen(record.key)}
    with state.commit(lease) as connection:
        scopes.change(connection, scope, gone)
    return len(gone)


def reset(state: SqliteState, lease: Lease) -> None:
    """Forgets every scope, record and open intent; the history stays, for it knows where kept bytes are."""
    state.keep_generation()
    with state.commit(lease) as connection:
        for table in ("records", "scopes", "intents"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
