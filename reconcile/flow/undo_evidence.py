"""What can be known of the paths a run changed: what is there now, whose it is, and where the old contents are.

Looks only. What a rollback makes of it is decided in `undo_plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from reconcile.abilities import Versioned
from reconcile.core.change import Action
from reconcile.core.entry import Entry, Kind
from reconcile.core.errors import StoreError
from reconcile.core.outcome import Outcome, Run
from reconcile.core.path import park_key, undo_key
from reconcile.core.record import Record
from reconcile.flow.keeping import VERSION_ID
from reconcile.flow.streams import recall
from reconcile.flow.undoing import holds
from reconcile.flow.wired import House, Wired, is_file
from reconcile.ports import Past

ALL_RUNS: Final = 1 << 40

_TOUCHED: Final = frozenset({"done", "skipped"})
"""Endings of actions that changed something, or may have been stopped half way."""


@dataclass(slots=True)
class Touched:
    """One path a run changed: by which action (None: its content was only moved away), and what became of the old."""

    key: str
    action: Action | None = None
    kept: str = ""
    moved_to: str | None = None
    stopped: bool = False


def proven(past: Past) -> Record | None:
    """The record of a path, if its digest is that of what the run found there."""
    record = past.record
    return record if record is not None and record.version == past.there and not record.accepted else None


class Evidence:
    """The paths that `run` touched in one mapping, in reach of this command.

    `past` is what the run found and left there; `there` the entries that stand there now, `directories` the keys where
    a directory does, `unreadable` why nothing can be told of a key. `rollbacks`: which later runs undid something.
    """

    def __init__(self, house: House, wired: Wired, run: Run) -> None:
        self._wired = wired
        self._run = run.id
        within = _reach(wired, house.state.outcomes(run.id))
        self.touched = _touched(wired.name, house.state.outcomes(run.id), within)
        self.past = {one.key: one for one in house.state.past(run.id, wired.scope.id, self.touched)}
        later = [one.id for one in house.state.runs(ALL_RUNS) if one.operation == "rollback" and one.id > run.id]
        self.rollbacks = {
            one: _touched(wired.name, house.state.outcomes(one), self.touched.__contains__) for one in later
        }
        recall(house, wired)
        found, self.unreadable = _look(wired, list(self.touched) if self.past else [])
        self.there = {key: entry for key, entry in found.items() if entry.kind is not Kind.DIRECTORY}
        self.directories = found.keys() - self.there.keys()

    def is_later(self, record: Record) -> bool:
        """Whether a run after this one wrote the record: what that found to be there was settled by then."""
        return record.run > self._run

    def is_old(self, past: Past, there: Entry) -> bool:
        """Whether what is there is what was there before the run: rolled back already, or by somebody else."""
        record = past.record
        if record is not None and record.accepted and record.version == past.there == there.version:
            return past.left is None or past.left.version != there.version
        record = proven(past)
        if record is None or not self._may_be(record, there):
            return False
        tells = self._wired.target.traits.rows or (past.left is not None and past.left.digest != record.digest)
        if tells and past.left is not None and there.version == past.left.version != record.version:
            return False  # of rows the same digest does not tell how they were read
        return there.version == record.version or holds(self._wired, there, record.digest)

    def is_as_left(self, one: Touched, past: Past, there: Entry | None) -> bool:
        """Whether nobody changed the path since; a later rollback that died may have taken it out of its place."""
        left = past.left
        if one.action in (None, Action.DELETE):
            return there is None
        if left is None or left.accepted:
            return False
        if there is None:
            return self._aside(past.key, self.rollbacks, left) is not None
        if not self._may_be(left, there):
            return False
        return (left.settled and there.version == left.version) or holds(self._wired, there, left.digest)

    def _may_be(self, record: Record, there: Entry) -> bool:
        same_mode = not self._wired.executable or record.executable == there.executable
        return is_file(there) and there.size == record.size and same_mode

    def is_left_at(self, key: str, record: Record) -> bool:
        """Whether the content of `record` still stands where the run moved it."""
        past = self.past[key]
        left = past.left is not None and past.left.digest == record.digest
        return (
            left
            and self._wired.target.traits.move != "none"
            and self.is_as_left(self.touched[key], past, self.there[key])
        )

    def kept(self, one: Touched, past: Past) -> tuple[Entry | None, str] | None:
        """Where the old content of a path is: (entry of a copy, version id); None when it is nowhere."""
        record = proven(past)
        if (kept := self._aside(past.key, {self._run: self.touched} | self.rollbacks, record)) is not None:
            return kept, ""
        if one.moved_to is not None and (kept := self._aside(one.moved_to, self.rollbacks, record)) is not None:
            return kept, ""
        target = self._wired.target
        if isinstance(target, Versioned) and target.traits.keeps == "versions":
            named = one.kept.rpartition(VERSION_ID)[2] if VERSION_ID in one.kept else ""
            for found, entry in target.versions(past.key):
                if found == named or (not named and entry.version == past.there):
                    return None, found
        return None

    def _aside(self, key: str, runs: Mapping[int, Mapping[str, Touched]], record: Record | None) -> Entry | None:
        """The content of `record` that one of the runs put aside; where there was no record, what this run kept.

        Without a digest nothing proves a content but the word of this very run: another state may keep its own beside.
        """
        if record is None:
            where = self.touched[key].kept
            found = self._wired.target.stat(where) if where and VERSION_ID not in where else None
            return found if self._run in runs and is_file(found) else None
        for where in _places(key, runs):
            found = self._wired.target.stat(where)
            if is_file(found) and found.size == record.size and holds(self._wired, found, record.digest):
                return found
        return None


def _reach(wired: Wired, outcomes: Iterable[Outcome]) -> Callable[[str], bool]:
    """What is in reach of the command: a chain of moves as a whole, or not at all.

    To bring back one path of it is to take a content from the next, which then wants its own back from the one after.
    """
    if not wired.narrow:
        return wired.in_reach
    beside: dict[str, list[str]] = {}
    for one in outcomes:
        if one.mapping == wired.name and one.from_key is not None:
            beside.setdefault(one.key, []).append(one.from_key)
            beside.setdefault(one.from_key, []).append(one.key)
    chained: set[str] = set()
    waiting = list(filter(wired.in_reach, beside))
    while waiting:
        key = waiting.pop()
        if key not in chained:
            chained.add(key)
            waiting += beside[key]
    return lambda key: key in chained or wired.in_reach(key)


def _touched(mapping: str, outcomes: Iterable[Outcome], within: Callable[[str], bool]) -> dict[str, Touched]:
    """The paths that the actions changed, as far as they are `within`, by key."""
    found: dict[str, Touched] = {}
    for one in outcomes:
        if one.mapping != mapping or one.outcome not in _TOUCHED or not within(one.key):
            continue
        here = found.setdefault(one.key, Touched(one.key))
        here.action, here.kept, here.stopped = Action(one.action), one.kept, one.outcome == "skipped"
        if one.from_key is not None:
            found.setdefault(one.from_key, Touched(one.from_key)).moved_to = one.key
    return dict(sorted(found.items()))


def _places(key: str, runs: Mapping[int, Mapping[str, Touched]]) -> Iterator[str]:
    """Where the runs may have put the content of a key: where they said, else, if they died, where they usually do."""
    for run, touched in runs.items():
        told = touched[key].kept if key in touched else ""
        yield from dict.fromkeys(where for where in (told, undo_key(run, key), park_key(run, key)) if where)


def _look(wired: Wired, keys: list[str]) -> tuple[dict[str, Entry], dict[str, str]]:
    """What is there under each key, and why it cannot be told of others; side by side where a network is waited for."""
    there: dict[str, Entry] = {}
    unreadable: dict[str, str] = {}

    def look(key: str) -> Entry | StoreError | None:
        try:
            return wired.target.stat(key)
        except StoreError as error:
            return error

    for key, found in _each(wired, keys, look):
        if isinstance(found, StoreError):
            unreadable[key] = str(found)
        elif found is not None:
            there[key] = found
    return there, unreadable


def _each(wired: Wired, keys: list[str], look: object) -> Iterator[tuple[str, Entry | StoreError | None]]:
    if not wired.target.traits.waits:
        yield from ((key, look(key)) for key in keys)  # type: ignore[operator]
        return
    with ThreadPoolExecutor(wired.concurrency, f"look-{wired.name}") as pool:
        yield from zip(keys, pool.map(look, keys), strict=True)  # type: ignore[arg-type]
