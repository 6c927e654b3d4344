"""The state: records, runs and scopes in one SQLite file. Every commit is checked against the lease."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
import sqlite3
from typing import Final

from msgspec.structs import replace

from reconcile.core.entry import Version
from reconcile.core.errors import FencedError, StateError
from reconcile.core.record import Record, Scope
from reconcile.ports import Fold, Intent, Lease, Outcome, Past, Run
from reconcile.state import past, records, runs, scopes
from reconcile.state.database import Database, translated
from reconcile.state.deeds import Begun, Confirmed, Deed, Ended, Folded, Intended, Opened, Pruned
from reconcile.state.fence import check_fence
from reconcile.state.files import unlink
from reconcile.state.generations import due, keep_generation, left_of_lost
from reconcile.state.head import Head, head_of, write_head
from reconcile.state.journal import SqliteJournal
from reconcile.state.opening import open_database
from reconcile.state.outdated import Outdated, outdated_files

WORTH_CUTTING: Final = 20_000
"""A listing of fewer keys takes too few pages to be cut into ranges."""

FEW: Final = 1_000
"""So many records are read at once; a reading of more has a connection of its own, and keeps nobody waiting."""


def open_state(path: str, *, write: bool = False) -> SqliteState:
    """The state at `path`. Without `write` nothing is made or changed: a missing state is an empty one.

    `CorruptStateError`, `NewerStateError` and `LineageError` leave the file byte for byte as it is.
    """
    return SqliteState(open_database(Path(path), write=write))


class SqliteState:
    """`ports.StateStore` over one SQLite file; usable from several threads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._leases: dict[int, Lease] = {}
        self._changed = False
        self._journal = SqliteJournal(database, self._intend)
        with database.reading() as connection:
            self._lineage = scopes.meta(connection).lineage

    @property
    def path(self) -> Path:
        """Where the state lies (or would lie)."""
        return self.database.path

    @property
    def lineage(self) -> str:
        """The family of this state: 32 hexadecimal digits, made with the file; "" while there is no file."""
        return self._lineage

    @property
    def journal(self) -> SqliteJournal:
        """The journal of this state."""
        return self._journal

    def serial(self, scope: str) -> int:
        """How many commits changed this scope; 0 for an unknown one."""
        with self.database.reading() as connection:
            row = scopes.find(connection, scope)
        return row.serial if row else 0

    def scopes(self) -> list[tuple[Scope, int, int]]:
        """Every known scope: (scope, serial, number of records)."""
        with self.database.reading() as connection:
            return [(row.scope, row.serial, row.count) for row in scopes.every(connection)]

    def completed(self, scope: str) -> bool:
        """Whether a run ever finished this scope with nothing left."""
        with self.database.reading() as connection:
            row = scopes.find(connection, scope)
        return row is not None and row.completed

    def records(self, scope: str) -> Iterator[Record]:
        """All records by key, as they stood when the reading began; `CorruptStateError` on a bad row or sum."""
        with self.database.reading() as connection:
            row = scopes.find(connection, scope)
            few = list(_records(connection, row)) if row is not None and row.count <= FEW else []
        if row is None or row.count <= FEW:
            yield from few
            return
        with self.database.snapshot() as connection:
            row = scopes.find(connection, scope)
            if row is not None:
                yield from _records(connection, row)

    def record(self, scope: str, key: str) -> Record | None:
        """One record."""
        with self.database.reading() as connection:
            row = scopes.find(connection, scope)
            return records.read_one(connection, row.number, key) if row else None

    def bounds(self, scope: str, parts: int) -> list[str]:
        """Keys that cut the records into about equal parts; none when there are too few for it to pay."""
        with self.database.reading() as connection:
            row = scopes.find(connection, scope)
            if row is None or row.count < WORTH_CUTTING:
                return []
            return records.bounds(connection, row.number, count=row.count, parts=parts)

    def open_scope(self, scope: Scope, lease: Lease) -> None:
        """Makes a scope known; one that is costs no commit."""
        with self.database.reading() as connection:
            known = scopes.find(connection, scope.id) is not None
        if not known:
            self.commit(Opened(scope), lease)

    def begin(self, run: Run, lease: Lease) -> int:
        """Starts a run and returns its number; an unfinished run of the same plan goes on under its old one."""
        number = self.commit(Begun(run), lease)
        self._leases[number] = lease
        return number

    def fold(self, run: int, folds: Sequence[Fold], outcomes: Sequence[Outcome], lease: Lease) -> None:
        """Commits finished actions: their records, their outcomes, their intents closed; all or nothing."""
        changed = self.commit(Folded(run, folds, outcomes), lease)
        self._changed = self._changed or changed > 0

    def confirm(self, scope: str, versions: Sequence[tuple[str, Version, Version]], lease: Lease) -> None:
        """Settles records by what the target shows of them."""
        self.commit(Confirmed(scope, versions), lease)

    def end(self, run: Run, completed: Sequence[str], lease: Lease) -> None:
        """Ends a run; `completed` are the scopes with nothing left to do."""
        self.commit(Ended(run, completed), lease)
        if self._changed and self._generation_due():
            with suppress(StateError):  # the run itself is done and durable
                self.keep_generation()

    def runs(self, limit: int = 50) -> list[Run]:
        """Runs, newest first."""
        with self.database.reading() as connection:
            return runs.newest(connection, limit)

    def outcomes(self, run: int) -> Iterator[Outcome]:
        """The actions of a run."""
        with self.database.snapshot() as connection:
            yield from runs.outcomes_of(connection, run)

    def past(self, run: int, scope: str, keys: Iterable[str]) -> Iterator[Past]:
        """Each path as the run found it, and as it left it; none at all when the run never wrote in this scope."""
        with self.database.snapshot() as connection:
            row = scopes.find(connection, scope)
            if row is not None:
                yield from past.of(connection, run, row, list(keys))

    def consumed(self, plan: str) -> int | None:
        """The run that used this plan, if one did."""
        with self.database.reading() as connection:
            run = runs.user_of(connection, plan)
        return run.id if run else None

    def lost(self) -> str:
        """A copy of the state that was here before, where this one has seen no run; "" for none."""
        found = None if self.runs(1) else left_of_lost(self.path)
        return str(found) if found is not None else ""

    def close(self) -> None:
        """Closes the state; idempotent."""
        self.database.close()

    def commit(self, deed: Deed, lease: Lease) -> int:
        """Does a deed in a transaction that counts: under the lease, with the next serial, and its head behind it."""
        with self.database.lock:
            with self.database.transaction() as connection:
                check_fence(connection, lease)
                told = deed.do(connection)
                head = self._advanced(connection, deed)
            write_head(self.path, head)
        return told

    @contextmanager
    def leasing(self) -> Iterator[sqlite3.Connection]:
        """A transaction on the lease row."""
        with self.database.transaction() as connection:
            yield connection

    def head(self) -> Head:
        """Family, number and content of the newest commit."""
        with self.database.reading() as connection:
            return head_of(scopes.meta(connection), scopes.every(connection))

    def keep_generation(self) -> None:
        """Makes a copy of the state as it is now, to fall back on."""
        with self.database.snapshot() as connection:
            keep_generation(self.path, connection)

    def forget_runs(self, before: int, lease: Lease) -> int:
        """Forgets the runs before number `before` and what they found; returns how many. See `Pruned`."""
        return self.commit(Pruned(before), lease)

    def outdated(self, before_s: float, dead_before_s: float) -> list[Outdated]:
        """Copies of this state from before `before_s` that are needed no more, and what dead processes left (Unix)."""
        with translated(self.path):
            return list(outdated_files(self.path, before_s, dead_before_s))

    def drop(self, item: Outdated) -> None:
        """Removes one of what `outdated` named."""
        with translated(self.path):
            unlink(Path(item.name))

    def _generation_due(self) -> bool:
        return due(self.path)

    def _intend(self, intents: Sequence[Intent]) -> None:
        with self.database.transaction() as connection:
            for lease in self._leases_of(intents):
                check_fence(connection, lease)
            Intended(intents).do(connection)

    def _leases_of(self, intents: Sequence[Intent]) -> list[Lease]:
        """The leases under which the runs of the intents were begun; `FencedError` if one was not begun here."""
        unknown = {intent.run for intent in intents} - self._leases.keys()
        if unknown:
            raise FencedError(f"run {min(unknown)} was not begun here", op="state", path=str(self.path))
        return [self._leases[run] for run in {intent.run for intent in intents}]

    def _advanced(self, connection: sqlite3.Connection, deed: Deed) -> Head:  # noqa: ARG002 - a shared state tells it
        """The head of the state after one more commit, whose deed is done."""
        meta = scopes.meta(connection)
        meta = replace(meta, serial=meta.serial + 1)
        scopes.METAS.put(connection, [meta])
        return head_of(meta, scopes.every(connection))


def _records(connection: sqlite3.Connection, row: scopes.ScopeRow) -> Iterator[Record]:
    return records.read_all(connection, row.number, total=row.total, count=row.count)
