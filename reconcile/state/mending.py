"""What people do to a state by hand: `state mv`, `rm`, `reset`. A copy is made before each change."""

from __future__ import annotations

from collections.abc import Callable

from reconcile.core.record import Scope
from reconcile.ports import Lease
from reconcile.state.deeds import Removed, Renamed, Reset
from reconcile.state.store import SqliteState


def move_scope(state: SqliteState, old: str, new: Scope, lease: Lease) -> int:
    """Gives the records of scope `old` (an id) to the scope `new`; returns how many. `new` must hold none itself."""
    state.keep_generation()
    return state.commit(Renamed(old, new), lease)


def remove(state: SqliteState, scope: str, chosen: Callable[[str], bool], lease: Lease) -> int:
    """Forgets the records whose keys are `chosen`; what they stand for is then unmanaged. Returns how many."""
    state.keep_generation()
    keys = [record.key for record in state.records(scope) if chosen(record.key)]
    return state.commit(Removed(scope, keys), lease)


def reset(state: SqliteState, lease: Lease) -> None:
    """Forgets every scope, record and open intent; the history stays, for it knows where kept bytes are."""
    state.keep_generation()
    state.commit(Reset(), lease)
