"""`gc`: takes away what of ours has done its duty, in the targets, beside the state and in the cache.

First all is looked at, then it goes, piece by piece and each at the version that was seen; so a death on the way loses
nothing and the next `gc` goes on. No run is begun: what a stopped run left open stays open for the next `apply`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import msgspec

from reconcile.abilities import Tidy
from reconcile.core.entry import ANY, Problem, Version
from reconcile.core.errors import StateError, StoreError
from reconcile.flow.held import Held
from reconcile.flow.settling import settle
from reconcile.flow.surveying import Ages, Due, Left, Survey
from reconcile.flow.wired import House, Wired
from reconcile.ports import Clock, Spill, StateStore, Store
from reconcile.state.cache import SqliteCache, remove_cache
from reconcile.state.heartbeat import Heartbeat
from reconcile.state.lease import acquire
from reconcile.state.spill import make_spill
from reconcile.state.store import SqliteState

AT_ONCE: Final = 1_000
"""So many go in one call to the store; in between it is asked whether the lease is still ours."""

KEPT_RUNS: Final = 50
"""So many runs are remembered, however old they are."""


@dataclass(slots=True)
class Tally:
    """So many things, of so many bytes together."""

    count: int = 0
    size_bytes: int = 0

    def add(self, size_bytes: int) -> None:
        """One more."""
        self.count += 1
        self.size_bytes += size_bytes


@dataclass(slots=True)
class Collected:
    """What went, by kind; what stayed, by (mapping, kind, why); and what could not be looked at or taken away."""

    gone: dict[str, Tally] = field(default_factory=dict)
    left: dict[tuple[str, str, str], Tally] = field(default_factory=dict)
    problems: list[tuple[str, Problem]] = field(default_factory=list)
    needed: set[int] = field(default_factory=set)
    """Runs that must be remembered for what is left of them."""

    @property
    def exit_code(self) -> int:
        """7 when anything that should have gone did not."""
        return 7 if self.problems else 0

    def went(self, kind: str, size_bytes: int) -> None:
        """One thing is gone."""
        self.gone.setdefault(kind, Tally()).add(size_bytes)


def collect(house: House, clock: Clock, *, older_than_s: float, lock_timeout_s: float = 0.0) -> Collected:
    """Under the lease: settles what a dead run left, then takes away what is older than `older_than_s`."""
    lease = acquire(house.state, "gc", timeout_s=lock_timeout_s, clock=clock)
    with Held(lease, Heartbeat(lease)) as held:
        settle(house, lease)
        collected = Collected()
        ages = Ages(house.state, clock.now(), older_than_s)
        for wired in house.mappings:
            with closing(make_spill()) as due:
                _look(house, wired, ages, due, collected)
                sweep = _Sweep(held.fenced(wired), collected)
                for batch in _batches(due):
                    sweep.run(batch)
        if (before := _first_kept(house, ages, collected)) > 0:
            collected.gone["runs"] = Tally(_sqlite(house.state).forget_runs(before, lease))
        _clear_state(house, ages, collected)
        _clear_cache(house, ages, collected)
        return collected


def foresee(house: House, clock: Clock, *, older_than_s: float) -> Collected:
    """What `collect` would take from targets and state, but for what it settles; of a house that can change nothing."""
    collected = Collected()
    ages = Ages(house.state, clock.now(), older_than_s)
    for wired in house.mappings:
        with closing(make_spill()) as due:
            _look(house, wired, ages, due, collected)
            for batch in _batches(due):
                for one in batch:
                    collected.went(one.kind, one.size_bytes)
    if (before := _first_kept(house, ages, collected)) > 0:
        collected.gone["runs"] = Tally(ages.runs_before(before))
    for item in _sqlite(house.state).outdated(ages.before_s, ages.dead_before_s):
        collected.went(item.kind, item.size_bytes)
    return collected


def _look(house: House, wired: Wired, ages: Ages, due: Spill, collected: Collected) -> None:
    """Puts what may go into `due`, and tells the rest; a target that cannot be looked at is a problem, no end."""
    try:
        for found in Survey(house, wired, ages).run():
            if isinstance(found, Due):
                due.put(found.key, msgspec.msgpack.encode(found))
            elif isinstance(found, Left):
                collected.left.setdefault((wired.name, found.kind, found.why), Tally()).add(found.size_bytes)
                collected.needed |= {found.run} - {0}
            else:
                collected.problems.append((wired.name, found))
    except StoreError as error:
        collected.problems.append((wired.name, Problem(error.path, error.message, hint=error.hint)))


def _first_kept(house: House, ages: Ages, collected: Collected) -> int:
    """The first run that stays remembered; 0 when all do.

    Of those before it nothing is left that only their history proves to be ours; so all targets must have been seen.
    A rollback of a later run asks for nothing older than that run.
    """
    if collected.problems or len(house.mappings) != len(house.names):
        return 0
    open_runs = {intent.run for intent in house.state.journal.open_intents()}
    first = min({ages.oldest_needed(KEPT_RUNS)} | collected.needed | open_runs)
    return first if ages.runs_before(first) else 0


def _clear_state(house: House, ages: Ages, collected: Collected) -> None:
    """Old copies of the state, and commits of a shared one that nobody needs to read any more; the oldest first."""
    state = _sqlite(house.state)
    for item in state.outdated(ages.before_s, ages.dead_before_s):
        try:
            state.drop(item)
        except StateError as error:
            collected.problems.append(("state", Problem(item.name, error.message, hint=error.hint)))
        else:
            collected.went(item.kind, item.size_bytes)


def _clear_cache(house: House, ages: Ages, collected: Collected) -> None:
    """What this machine need not remember: the digests of sources that are in no mapping, caches of other states."""
    cache = house.cache
    assert isinstance(cache, SqliteCache), "every house has one"
    if len(house.mappings) == len(house.names):
        count = cache.prune({f"file://{wired.memory.root}" for wired in house.mappings if wired.memory is not None})
        collected.gone |= {"fingerprints": Tally(count)} if count else {}
    for path in cache.forgotten(ages.dead_before_s):
        collected.went("caches", path.stat().st_size)
        remove_cache(path)


def _sqlite(state: StateStore) -> SqliteState:
    assert isinstance(state, SqliteState), "every state is a file of records, shared or not"
    return state


def _batches(due: Spill) -> Iterator[list[Due]]:
    rows = (msgspec.msgpack.decode(value, type=Due) for _, value in due.rows())
    while batch := list(islice(rows, AT_ONCE)):
        yield batch


class _Sweep:
    """Takes away, and keeps count; what fails is a problem and the rest goes on."""

    def __init__(self, wired: Wired, collected: Collected) -> None:
        self._name = wired.name
        self._target: Store = wired.target
        self._collected = collected

    def run(self, batch: Sequence[Due]) -> None:
        """All of a batch."""
        objects = [one for one in batch if one.kind not in ("unfinished", "directories")]
        self._told(objects, self._deleted(objects))
        for one in batch:
            if one.kind == "unfinished":
                self._told([one], [self._discarded(one)])
            elif one.kind == "directories":  # an empty one of ours goes with the name that is not in it
                self._told([one], self._target.delete([(f"{one.key}x", ANY)]))

    def _deleted(self, objects: Sequence[Due]) -> Sequence[Exception | None]:
        if not objects:
            return ()
        try:
            return self._target.delete([(one.key, Version(one.mark)) for one in objects])
        except StoreError as error:
            return [error] * len(objects)

    def _discarded(self, one: Due) -> Exception | None:
        assert isinstance(self._target, Tidy), "only what is tidy tells of such"
        try:
            self._target.discard(one.key, one.mark)
        except StoreError as error:
            return error
        return None

    def _told(self, items: Iterable[Due], fates: Iterable[Exception | None]) -> None:
        for one, fate in zip(items, fates, strict=True):
            if fate is None:
                self._collected.went(one.kind, one.size_bytes)
            else:
                problem = Problem(one.key, str(fate), hint=getattr(fate, "hint", ""))
                self._collected.problems.append((self._name, problem))
