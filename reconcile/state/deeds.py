"""What can be done to a state: each deed is a value that changes the tables when it is done.

A deed gives the same result on every copy of a state that stands at the same commit; so a shared state is a series of
deeds, and a copy of it is brought up to date by doing those it has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
import sqlite3

from msgspec import Struct
from msgspec.structs import replace

from reconcile.core.entry import Version
from reconcile.core.errors import UsageError
from reconcile.core.path import why_not_key
from reconcile.core.record import Record, Scope
from reconcile.ports import Fold, Holder, Intent, Outcome, Run
from reconcile.state import past, records, runs, scopes
from reconcile.state.fence import write_row


class Founded(Struct, frozen=True, tag=True):
    """The first deed of a family."""

    lineage: str

    def do(self, connection: sqlite3.Connection) -> int:
        """Names the family."""
        scopes.METAS.put(connection, [replace(scopes.meta(connection), lineage=self.lineage)])
        return 0


class Leased(Struct, frozen=True, tag=True):
    """The lease has a new holder, or none."""

    fence: int
    holder: Holder | None

    def do(self, connection: sqlite3.Connection) -> int:
        """Writes the lease row."""
        write_row(connection, self.fence, self.holder)
        return 0


class Opened(Struct, frozen=True, tag=True):
    """A scope was made known."""

    scope: Scope

    def do(self, connection: sqlite3.Connection) -> int:
        """Adds it, unless it is there."""
        number = scopes.add(connection, self.scope)
        if number is not None:
            past.begin(connection, number)
        return 0


class Begun(Struct, frozen=True, tag=True):
    """A run was started; its number is given by the state."""

    run: Run

    def do(self, connection: sqlite3.Connection) -> int:
        """Adds the run and returns its number; `StalePlanError` when its plan was used."""
        meta = scopes.meta(connection)
        started = runs.start(connection, self.run, meta.last_run)
        scopes.METAS.put(connection, [replace(meta, last_run=max(meta.last_run, started.id))])
        return started.id


class Intended(Struct, frozen=True, tag=True):
    """Actions are about to be published."""

    intents: Sequence[Intent]

    def do(self, connection: sqlite3.Connection) -> int:
        """Keeps them until they are folded."""
        runs.INTENTS.put(connection, self.intents)
        return 0


class Folded(Struct, frozen=True, tag=True):
    """Actions have ended."""

    run: int
    folds: Sequence[Fold]
    outcomes: Sequence[Outcome]

    def do(self, connection: sqlite3.Connection) -> int:
        """Changes the records, closes the intents, keeps the outcomes; of two folds of one key the later counts."""
        wanted: dict[str, dict[str, Record | None]] = {}
        for fold in self.folds:
            if fold.drop is not None:
                wanted.setdefault(fold.scope, {})[fold.drop] = None
            if fold.put is not None:
                wanted.setdefault(fold.scope, {})[fold.put.key] = fold.put
        touched = {fold.scope for fold in self.folds}
        past.reach(connection, self.run, [row.number for row in scopes.every(connection) if row.id in touched])
        for scope, changed in wanted.items():
            row = scopes.known(connection, scope)
            found = {fold.key: fold.there for fold in reversed(self.folds) if fold.scope == scope and fold.key}
            past.keep(connection, self.run, row.number, found)
            scopes.change(connection, row, changed)
        runs.close_intents(connection, self.run, [fold.seq for fold in self.folds])
        runs.add_outcomes(connection, self.run, self.outcomes)
        return sum(map(len, wanted.values()))


class Confirmed(Struct, frozen=True, tag=True):
    """The target was seen to show what was written there: (key, version as it was told, version that is shown)."""

    scope: str
    versions: Sequence[tuple[str, Version, Version]]

    def do(self, connection: sqlite3.Connection) -> int:
        """Settles the records that still have the version that was told; no run changed them, so none keeps a past."""
        row = scopes.known(connection, self.scope)
        wanted: dict[str, Record | None] = {}
        for key, told, shown in self.versions:
            record = records.read_one(connection, row.number, key)
            if record is not None and record.version == told:
                wanted[key] = replace(record, version=shown, settled=True)
        scopes.change(connection, row, wanted)
        return len(wanted)


class Ended(Struct, frozen=True, tag=True):
    """A run has ended; nothing is left to do in the scopes `completed`."""

    run: Run
    completed: Sequence[str]

    def do(self, connection: sqlite3.Connection) -> int:
        """Keeps how the run ended."""
        runs.RUNS.put(connection, [self.run])
        rows = [row for scope in self.completed if (row := scopes.find(connection, scope))]
        scopes.SCOPES.put(connection, [replace(row, completed=True) for row in rows])
        return 0


class Renamed(Struct, frozen=True, tag=True):
    """The records of the scope `old` (an id) were given to the scope `new`."""

    old: str
    new: Scope

    def do(self, connection: sqlite3.Connection) -> int:
        """Moves them and returns how many; `UsageError` when there are none, or `new` has its own."""
        row, taken = scopes.find(connection, self.old), scopes.find(connection, self.new.id)
        if row is None:
            raise UsageError(f"there is no scope {self.old}", op="state mv", hint="reconcile state list")
        if taken is not None and taken.count and taken.id != self.old:
            raise UsageError(f"`{self.new.mapping}` has {taken.count} records of its own", op="state mv")
        if taken is not None and taken.number != row.number:
            _forget_scope(connection, taken.number)
        fields = (self.new.mapping, self.new.source, self.new.target, self.new.layout, self.new.direction)
        serial = max(row.serial, taken.serial if taken else 0) + 1
        moved = scopes.ScopeRow(row.number, self.new.id, *fields, serial, row.total, row.count, row.completed)
        scopes.SCOPES.put(connection, [moved])
        return row.count


class Removed(Struct, frozen=True, tag=True):
    """Records were forgotten."""

    scope: str
    keys: Sequence[str]

    def do(self, connection: sqlite3.Connection) -> int:
        """Drops them."""
        scopes.change(connection, scopes.known(connection, self.scope), dict.fromkeys(self.keys))
        return len(self.keys)


class Reset(Struct, frozen=True, tag=True):
    """Every scope, record and open intent was forgotten; the history stays, for it knows where kept bytes are."""

    def do(self, connection: sqlite3.Connection) -> int:
        """Empties the tables."""
        for row in scopes.every(connection):
            _forget_scope(connection, row.number)
        connection.execute("DELETE FROM records")
        runs.INTENTS.forget(connection)
        runs.INTENTS.found(connection)
        return 0


class Pruned(Struct, frozen=True, tag=True):
    """The runs before `before` were forgotten: nothing they kept is left, and no later rollback asks for them."""

    before: int

    def do(self, connection: sqlite3.Connection) -> int:
        """Forgets them, and what they found; returns how many there were."""
        for row in scopes.every(connection):
            past.forget_before(connection, row.number, self.before)
        return runs.forget_before(connection, self.before)


def _forget_scope(connection: sqlite3.Connection, number: int) -> None:
    """A scope and what runs found there; its records are somebody else's business."""
    past.forget(connection, number)
    scopes.SCOPES.drop(connection, "WHERE number = ?", (number,))


def strange_name(deed: Deed) -> str | None:
    """A name in the deed that no path has (`..`, an absolute one): who can write to a shared log may mean us harm."""
    names: list[str | None] = []
    for intent in deed.intents if isinstance(deed, Intended) else ():
        names += (intent.key, intent.path, intent.from_key)
    for fold in deed.folds if isinstance(deed, Folded) else ():
        names += (fold.drop, *((fold.put.key, fold.put.path) if fold.put else ()))
    names += [key for key, _, _ in deed.versions] if isinstance(deed, Confirmed) else []
    return next((name for name in names if name is not None and why_not_key(name)), None)


Deed = Founded | Leased | Opened | Begun | Intended | Folded | Confirmed | Ended | Renamed | Removed | Reset | Pruned
