"""Runs many steps side by side, and folds what comes of them into the state in batches.

One thread coordinates: it reads small files, makes their intents durable a batch at a time, hands them to the pool,
hears the results, tells the listeners and commits. Workers only publish. So no lock is held while a store is waited
for, and every listener lives in one thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
import time
from types import TracebackType
from typing import Final, Protocol, Self

from reconcile.core.change import Change
from reconcile.core.events import ActionEnd, ActionStart
from reconcile.core.outcome import Outcome
from reconcile.flow.crew import Crew
from reconcile.flow.step import Done, Prepared, Step
from reconcile.flow.together import gathered, publish_all
from reconcile.flow.unit import run_unit
from reconcile.ports import Fold, Lease, Sink, StateStore
from reconcile.scan.hashing import SMALL_BYTES
from reconcile.stores.wrap import lease_lost

BATCH_CHANGES: Final = 64
BATCH_BYTES: Final = 32 << 20
"""Small files are read, and their intents made durable, so many (or so much) at a time."""

READERS: Final = 2
"""Threads that read small files ahead of the coordinator: a cold disk must not hold up the network."""

PORTION_CHANGES: Final = 8
PORTION_BYTES: Final = 1 << 20
"""So many (or so much) a reader is asked for at once: to ask costs as much as to read a file of a few KiB."""

BULK_DELETES: Final = 1_000
"""Deletes of one request, where a store takes them in bulk."""

DISK_WORKERS: Final = 4
"""More threads than this only fight for the interpreter when nobody waits for a network."""

FOLD_CHANGES: Final = 500
FOLD_S: Final = 1.0
"""Outcomes are committed when there are so many, or after so long."""

TOLD: Final = 100_000
"""Of a larger run, only the outcomes that need a person are kept in memory; the state has them all."""

Task = Callable[[], list[Done]]


class Ledger:
    """Commits outcomes in batches, and remembers what the report will say. For one thread."""

    def __init__(self, state: StateStore, run: int, lease: Lease, sink: Sink) -> None:
        self._state = state
        self._run = run
        self._lease = lease
        self._sink = sink
        self._folds: list[Fold] = []
        self._fresh: list[Outcome] = []
        self._last = time.monotonic()
        self.outcomes: list[Outcome] = []
        self.failed: dict[str, int] = {}
        self.undone: set[int] = set()
        self.counts: dict[str, int] = {}
        self.bytes = 0
        self.finished = 0

    def take(self, done: Done) -> None:
        """Takes in one outcome, tells it, and commits when it is time."""
        outcome = done.outcome
        self._folds += done.folds
        self._fresh.append(outcome)
        if outcome.outcome != "done" or len(self.outcomes) < TOLD:
            self.outcomes.append(outcome)
        self.finished += 1
        if outcome.outcome == "done":
            self.counts[outcome.action] = self.counts.get(outcome.action, 0) + 1
            self.bytes += outcome.sent_bytes
        else:
            self.undone.add(outcome.id)
            self.failed[outcome.mapping] = self.failed.get(outcome.mapping, 0) + 1
        self._sink(_ended(outcome))
        if len(self._fresh) >= FOLD_CHANGES or time.monotonic() - self._last >= FOLD_S:
            self.commit()

    def commit(self) -> None:
        """Makes everything heard so far durable."""
        if self._fresh or self._folds:
            self._state.fold(self._run, self._folds, self._fresh, self._lease)
            self._folds, self._fresh = [], []
        self._last = time.monotonic()


def _ended(outcome: Outcome) -> ActionEnd:
    return ActionEnd(
        outcome.id,
        outcome.mapping,
        outcome.action,
        outcome.key,
        outcome.outcome,
        outcome.sent_bytes,
        outcome.seconds,
        outcome.error,
        outcome.hint,
    )


class Stop(Protocol):
    """Whatever can ask for an end: a signal, a failure, a lease that is lost."""

    def is_set(self) -> bool:
        """Whether it does."""


class Engine:
    """Runs the changes of one mapping. `stop` ends it cleanly: nothing new begins, all begun is kept.

    While it is entered its threads are at hand: whoever is free goes on with the next changes, of whatever kind.
    """

    def __init__(self, step: Step, ledger: Ledger, sink: Sink, stop: Stop, lost: Stop) -> None:
        target, concurrency = step.wired.target.traits, step.wired.concurrency
        workers = concurrency if target.waits else min(concurrency, DISK_WORKERS)
        self.step = step
        self.ledger = ledger
        self._sink = sink
        self._stop = stop
        self._lost = lost
        self._crew = Crew[list[Done]](workers, f"apply-{step.wired.name}", lambda: self.stopped)
        self._most = max(workers, 2 * BATCH_CHANGES // max(1, target.together))

    def __enter__(self) -> Self:
        self._crew.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._crew.__exit__(kind, error, at)

    @property
    def stopped(self) -> bool:
        """Whether nothing new may begin."""
        return self._stop.is_set() or self._lost.is_set()

    def run(self, changes: Iterable[Change]) -> None:
        """Runs independent changes side by side."""
        self._drive(self._tasks(changes))

    def run_units(self, units: Iterable[list[Change]]) -> None:
        """Runs units side by side: a lone change as ever, a group as one."""
        self._drive(self._unit_task(unit) for unit in units)

    def delete(self, changes: Iterable[Change]) -> None:
        """Deletes in bulk, unless the old bytes must be kept one by one."""
        if self.step.wired.keeps or self.step.wired.policy.keep == "always":
            self.run(changes)
        else:
            self._drive(self._bulk(changes))

    def _drive(self, tasks: Iterator[Task]) -> None:
        crew = self._crew
        for task in tasks:
            if self.stopped:
                break
            crew.begin(task)
            self._hear(wait=crew.at_work >= self._most)
        while crew.at_work:
            self._hear(wait=True)
        self.ledger.commit()
        if self._lost.is_set():
            raise lease_lost("apply")

    def _hear(self, *, wait: bool) -> None:
        for ended in self._crew.hear(wait=wait):
            for done in ended:
                self.ledger.take(done)

    def _tasks(self, changes: Iterable[Change]) -> Iterator[Task]:
        batch: list[Prepared] = []
        size_bytes = 0
        for prepared in self._prepared(changes):
            if isinstance(prepared, Done):
                self.ledger.take(prepared)
                continue
            batch.append(prepared)
            size_bytes += prepared.body.size_bytes if prepared.body is not None and prepared.body.data else 0
            if len(batch) >= BATCH_CHANGES or size_bytes >= BATCH_BYTES:
                yield from self._intended(batch)
                batch, size_bytes = [], 0
        yield from self._intended(batch)

    def _prepared(self, changes: Iterable[Change]) -> Iterator[Prepared | Done]:
        """The changes, prepared in their order; read ahead by a few threads where a network is waited for anyway."""
        step = self.step
        if not step.wired.target.traits.waits:
            yield from (step.prepare(change) for change in self._begun(changes))
            return
        ahead: deque[tuple[Future[list[Prepared | Done]], int]] = deque()
        size_bytes = 0
        with ThreadPoolExecutor(READERS, f"read-{step.wired.name}") as readers:
            for portion in _portions(self._begun(changes)):
                ahead.append((readers.submit(_prepare, step, portion), sum(map(_weight_bytes, portion))))
                size_bytes += ahead[-1][1]
                while len(ahead) > BATCH_CHANGES // PORTION_CHANGES or size_bytes > BATCH_BYTES:
                    prepared, weight_bytes = ahead.popleft()
                    size_bytes -= weight_bytes
                    yield from prepared.result()
            for prepared, _ in ahead:
                yield from prepared.result()

    def _begun(self, changes: Iterable[Change]) -> Iterator[Change]:
        for change in changes:
            if self.stopped:
                return
            self._sink(ActionStart(change.id, change.mapping, change.action.value, change.key, change.size))
            yield change

    def _bulk(self, changes: Iterable[Change]) -> Iterator[Task]:
        step, remaining = self.step, iter(changes)
        while chunk := list(islice(remaining, BULK_DELETES)):
            for change in chunk:
                self._sink(ActionStart(change.id, change.mapping, change.action.value, change.key, change.size))
            self.step.journal.intend([step.intent(change) for change in chunk])
            yield lambda chunk=chunk: step.delete_many(chunk)  # type: ignore[misc]

    def _intended(self, batch: list[Prepared]) -> Iterator[Task]:
        """Journal, then do: the intents of a batch are durable before any of it begins."""
        intents = [prepared.intent for prepared in batch if prepared.intent is not None]
        if intents and not self.stopped:
            self.step.journal.intend(intents)
        for part in gathered(self.step.wired.target, batch):
            yield lambda part=part: publish_all(self.step, part)  # type: ignore[misc]

    def _unit_task(self, unit: list[Change]) -> Task:
        for change in unit:
            self._sink(ActionStart(change.id, change.mapping, change.action.value, change.key, change.size))
        if len(unit) > 1:
            return lambda: run_unit(self.step, unit)
        return lambda: [self._alone(unit[0])]

    def _alone(self, change: Change) -> Done:
        prepared = self.step.prepare(change)
        if isinstance(prepared, Done):
            return prepared
        if prepared.intent is not None:
            self.step.journal.intend([prepared.intent])
        return self.step.publish(prepared)


def _portions(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """The changes, as many at a time as one reader is asked for: a few, or one that is not small."""
    portion: list[Change] = []
    size_bytes = 0
    for change in changes:
        portion.append(change)
        size_bytes += _weight_bytes(change)
        if len(portion) >= PORTION_CHANGES or size_bytes >= PORTION_BYTES:
            yield portion
            portion, size_bytes = [], 0
    if portion:
        yield portion


def _prepare(step: Step, portion: list[Change]) -> list[Prepared | Done]:
    return [step.prepare(change) for change in portion]


def _weight_bytes(change: Change) -> int:
    """How much of it is read ahead, at most: what is larger is read as it is sent."""
    return min(change.size, SMALL_BYTES)
