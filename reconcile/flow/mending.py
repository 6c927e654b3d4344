"""What people do to the state and to the lock by hand. Every change is made under the lease, after a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
import re
from typing import Final

from reconcile.core.entry import Entry, Problem, Version
from reconcile.core.errors import StateError, UsageError
from reconcile.core.path import CONTROL_DIR
from reconcile.core.record import Scope
from reconcile.flow.settling import settle
from reconcile.flow.standing import forget
from reconcile.flow.wired import House
from reconcile.ports import Clock, Lease, StateStore, Store
from reconcile.spec.location import resolve_url
from reconcile.spec.model import Spec
from reconcile.state import mending, pushing
from reconcile.state.lease import acquire, given_back
from reconcile.state.place import is_local
from reconcile.state.store import SqliteState

_NOTES: Final = re.compile(rf"{re.escape(CONTROL_DIR)}/(dirs|probe-[0-9a-f]+-[12])")
"""What we wrote down for ourselves in a target. Kept bytes, and contents on their way, are no notes."""


@contextmanager
def leased(state: StateStore, operation: str, clock: Clock, *, timeout_s: float = 0.0) -> Iterator[Lease]:
    """The lease while the block runs."""
    lease = acquire(state, operation, timeout_s=timeout_s, clock=clock)
    with given_back(lease):
        yield lease


def move(state: StateStore, old: str, new: Scope, clock: Clock, *, timeout_s: float = 0.0) -> int:
    """Gives the records of the scope that `old` names to the scope `new`; returns how many."""
    giver = named_scope(state, old, but=new)
    with leased(state, "state mv", clock, timeout_s=timeout_s) as lease:
        return mending.move_scope(_sqlite(state), giver.id, new, lease)


def remove(
    state: StateStore, scopes: list[Scope], chosen: Callable[[str], bool], clock: Clock, *, timeout_s: float = 0.0
) -> int:
    """Forgets the chosen keys of the scopes: what they stand for is unmanaged from now on. Returns how many."""
    with leased(state, "state rm", clock, timeout_s=timeout_s) as lease:
        return sum(mending.remove(_sqlite(state), scope.id, chosen, lease) for scope in scopes)


def named_scope(state: StateStore, name: str, *, but: Scope | None = None) -> Scope:
    """The scope with records whose id begins so, or that belongs to the mapping of this name."""
    scopes = [scope for scope, _, count in state.scopes() if count and (but is None or scope.id != but.id)]
    found = [scope for scope in scopes if scope.mapping == name] or [one for one in scopes if one.id.startswith(name)]
    if len(found) != 1:
        told = f"{len(found)} scopes are called `{name}`" if found else f"no scope with records is called `{name}`"
        raise UsageError(told, op="state", hint="reconcile state list shows their ids")
    return found[0]


def pull(state: StateStore, to: str) -> None:
    """Writes a whole, verified copy of the state to a new file."""
    if Path(to).exists():
        raise UsageError("the file exists", op="state pull", path=to, hint="name another, or remove it first")
    pushing.pull(_sqlite(state), to)


def push(spec: Spec, file: str, clock: Clock, *, force: bool, timeout_s: float = 0.0) -> None:
    """Puts a state file in the place of the spec's state, of which a copy is kept. Works where that is damaged, too."""
    place = resolve_url(spec, spec.state)
    if place.scheme != "file" or not is_local(place.path):
        hint = "its log holds every commit; reconcile state mv and rm mend it"
        raise UsageError("a shared state cannot be replaced by a file", op="state push", path=spec.state, hint=hint)
    if not Path(file).is_file():
        raise UsageError("there is no such file", op="state push", path=file)
    pushing.push(place.path, file, force=force, clock=clock, timeout_s=timeout_s)


def reset(house: House, clock: Clock, *, timeout_s: float = 0.0) -> int:
    """Forgets every scope, and the control files of the targets; never data, never kept bytes. Returns files gone."""
    with leased(house.state, "reset", clock, timeout_s=timeout_s) as lease:
        settle(house, lease)  # what a dead run left half written is known only now
        gone = sum(_clear(wired.target) for wired in house.mappings)
        mending.reset(_sqlite(house.state), lease)
    forget(house)
    return gone


def _clear(target: Store) -> int:
    """Removes our own notes from a target; one that is not there has none."""
    found: list[tuple[str, Version]] = []
    for item in () if target.ensure(dry=True) else target.list(CONTROL_DIR):
        if isinstance(item, Problem):
            raise StateError(item.reason, op="reset", path=item.key)
        if isinstance(item, Entry) and not item.kind and _NOTES.fullmatch(item.key):
            found.append((item.key, item.version))
    for error in target.delete(found) if found else ():
        if error is not None:
            raise error
    return len(found)


def _sqlite(state: StateStore) -> SqliteState:
    assert isinstance(state, SqliteState), "every state is a file of records, shared or not"
    return state
