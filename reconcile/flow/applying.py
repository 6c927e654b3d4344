"""Applies a plan: lease, settle, plan, ask, run, fold, release. Exactly the plan, or a refusal that says why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
import threading
import time

from msgspec import structs

from reconcile.core.change import Change
from reconcile.core.entry import Problem
from reconcile.core.errors import StoreError, UsageError
from reconcile.core.events import Start
from reconcile.core.outcome import Result, Run
from reconcile.core.plan import MappingPlan, Plan
from reconcile.flow.confirming import confirm
from reconcile.flow.engine import Engine, Ledger
from reconcile.flow.held import Held
from reconcile.flow.ordering import is_late, run_early
from reconcile.flow.planning import PlanOptions, make_plan
from reconcile.flow.reading import Stoppable
from reconcile.flow.rollback import RollbackHooks, undo, undo_plan
from reconcile.flow.settling import settle
from reconcile.flow.stale import check_plan
from reconcile.flow.standing import note_result, noting_failure
from reconcile.flow.step import Step
from reconcile.flow.wired import House, Wired
from reconcile.ports import Clock, Sink
from reconcile.state.heartbeat import Heartbeat
from reconcile.state.lease import acquire

Approve = Callable[[Plan], "Collection[int] | bool"]
"""Asked with the plan: True, False, or the ids that are chosen."""


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How to apply. `on_failure` "" leaves it to the mapping's policy."""

    plan: PlanOptions = field(default_factory=PlanOptions)
    lock_timeout_s: float = 0.0
    on_failure: str = ""
    operation: str = "apply"


def apply(house: House, plan: Plan | None, options: ApplyOptions, hooks: Hooks) -> Result:
    """Plans (or takes the given plan), asks, and applies. Raises only when nothing was tried."""
    began = time.monotonic()
    with noting_failure(house, hooks.clock), acquired(house, options, hooks) as held:
        stopped = settle(house, held.lease)
        resumed = (stopped.id, stopped.done, stopped.total) if stopped else (0, 0, 0)
        with hooks.looking():
            if plan is None:
                plan = make_plan(house, replace(options.plan, open_run=resumed), hooks.sink)
            else:
                check_plan(house, plan)
        chosen = hooks.stop.is_set() or hooks.approve(plan)  # who wants an end is not asked what to do
        if chosen is False:
            raise UsageError("declined; nothing was done", op=options.operation)
        applied = _Apply(house, plan, options, hooks, held)
        result = applied.run(None if chosen is True else frozenset(chosen), resumed[0])
        if chosen is True:
            note_result(house, plan, result, hooks.clock.now())
    result.seconds = time.monotonic() - began
    return result


@dataclass(frozen=True, slots=True)
class Hooks:
    """Who is asked and who listens. `stop` set: end cleanly.

    `looking` is entered while a plan is made: nothing is begun yet, so there an exception is a clean end too.
    """

    sink: Sink
    approve: Approve
    clock: Clock
    stop: threading.Event = field(default_factory=threading.Event)
    looking: Callable[[], AbstractContextManager[None]] = nullcontext


def acquired(house: House, options: ApplyOptions, hooks: Hooks) -> Held:
    """The lease of the house's state, beating."""
    lease = acquire(house.state, options.operation, timeout_s=options.lock_timeout_s, clock=hooks.clock)
    return Held(lease, Heartbeat(lease))


class _Apply:
    """One run."""

    def __init__(self, house: House, plan: Plan, options: ApplyOptions, hooks: Hooks, held: Held) -> None:
        self._house = house
        self._plan = plan
        self._options = options
        self._hooks = hooks
        self._held = held
        self._stop = _Either(hooks.stop)
        self._wrong: list[Problem] = []

    def run(self, chosen: Collection[int] | None, resumed: int) -> Result:
        plan, house = self._plan, self._house
        live = [part for part in plan.mappings if not part.refused]
        total = sum(part.counts.changes for part in live) if chosen is None else len(chosen)
        result = Result(
            conflicts=plan.conflicts,
            problems=[problem for _, problem in plan.problems],
            refusals=plan.refusals,
            skip_count=sum(part.counts.unchanged for part in plan.mappings),
            resumed=resumed,
        )
        if not total and not any(part.creates for part in live) and not resumed:
            self._complete(live if chosen is None else [], result)
            result.exit_code = plan.exit_code()
            return result
        lease = self._held.lease
        for part in live:
            house.state.open_scope(self._wired(part).scope, lease)
        run = self._begin(total, live)
        result.run = run.id
        self._hooks.sink(Start(run.id, run.operation, total, sum(part.counts.bytes for part in live), resumed))
        ledger = Ledger(house.state, run.id, lease, self._hooks.sink)
        self._mappings(live, run.id, ledger, chosen)
        ended = self._end(run, live if chosen is None else [], ledger, result)
        self._undo_failed(ended, ledger, result)
        return result

    def _wired(self, part: MappingPlan) -> Wired:
        return next(wired for wired in self._house.mappings if wired.name == part.name)

    def _begin(self, total: int, live: Sequence[MappingPlan]) -> Run:
        run = Run(
            0,
            self._options.operation,
            self._hooks.clock.now(),
            plan=self._plan.id if self._plan.pinned else "",
            total=total,
            mappings=[part.name for part in live],
        )
        return self._held.begin(self._house.state, run)

    def _mappings(self, live: Sequence[MappingPlan], run: int, ledger: Ledger, chosen: Collection[int] | None) -> None:
        for part in live:
            wired = self._wired(part)
            if any(ledger.failed.get(name) for name in wired.depends_on):
                self._hold(part, ledger, chosen, "held back: a mapping it depends on did not finish")
                continue
            try:
                _make_ready(wired, part)
            except StoreError as error:
                self._hold(part, ledger, chosen, f"held back: {error}")
                continue
            self._stop.also = partial(self._has_failed, wired, ledger)
            reader = Stoppable(wired.reader, self._hooks.stop)
            wanted = replace(self._held.fenced(wired), reader=reader)
            step = Step(wanted, run, self._house.state.journal, pinned=self._plan.pinned)
            with Engine(step, ledger, self._hooks.sink, self._stop, self._held.heartbeat) as engine:
                self._one(engine, part, chosen)
            self._wrong += confirm(wired, self._house.state, self._held.lease, self._hooks.clock)

    def _has_failed(self, wired: Wired, ledger: Ledger) -> bool:
        return self._on_failure(wired) != "continue" and ledger.failed.get(wired.name, 0) > 0

    def _on_failure(self, wired: Wired) -> str:
        return self._options.on_failure or wired.policy.on_failure

    def _undo_failed(self, run: Run, ledger: Ledger, result: Result) -> None:
        """What the run did in a mapping that failed is undone where the policy says so; a stop keeps what is done.

        No hold is left: the exit code tells, the cause may have passed by the next run, and a hold would stop every
        other mapping as well.
        """
        failed = [wired for wired in self._house.mappings if ledger.failed.get(wired.name)]
        undone = [wired for wired in failed if self._on_failure(wired) == "rollback"]
        if undone and not result.stopped:
            settle(self._house, self._held.lease)  # what a lost reply left open may have happened
            hooks = RollbackHooks(self._hooks.sink, lambda _plan: True, self._hooks.clock, self._hooks.stop)
            result.rollback = undo(self._house, undo_plan(self._house, run, undone), self._held, hooks)
            result.left += result.rollback.success_count
            result.exit_code = 7

    def _one(self, engine: Engine, part: MappingPlan, chosen: Collection[int] | None) -> None:
        """The independent first, then the entangled in their order; deletes last, and only if all else went well."""
        ledger = engine.ledger
        run_early(engine, self._changes(part, chosen))
        late = filter(is_late, self._changes(part, chosen))
        if ledger.failed.get(part.name):
            for change in late:
                ledger.take(engine.step.held(change, "held back: not everything before it went well"))
            ledger.commit()
        elif not engine.stopped:
            engine.delete(late)

    def _changes(self, part: MappingPlan, chosen: Collection[int] | None) -> Iterator[Change]:
        changes = self._plan.changes(part.name)
        return changes if chosen is None else (change for change in changes if change.id in chosen)

    def _hold(self, part: MappingPlan, ledger: Ledger, chosen: Collection[int] | None, why: str) -> None:
        step = Step(self._wired(part), 0, self._house.state.journal, pinned=self._plan.pinned)
        for change in self._changes(part, chosen):
            ledger.take(step.held(change, why))
        ledger.commit()

    def _end(self, run: Run, parts: Sequence[MappingPlan], ledger: Ledger, result: Result) -> Run:
        """Tells how the run ended, and which of the parts, those that were wanted as they are, it completed."""
        result.outcomes, result.counts, result.total_bytes = ledger.outcomes, ledger.counts, ledger.bytes
        result.problems += self._wrong
        done = sum(ledger.counts.values())
        result.left = run.total - done
        result.stopped = self._hooks.stop.is_set()
        result.exit_code = _exit_code(self._plan, result)
        clean = [part for part in parts if not ledger.failed.get(part.name) and not result.stopped]
        complete = [part for part in clean if not part.problems and not part.conflicts and not result.left]
        ended = structs.replace(
            run,
            ended=self._hooks.clock.now(),
            exit_code=result.exit_code,
            done=done,
            failed=sum(ledger.failed.values()),
            bytes=ledger.bytes,
            counts=dict(ledger.counts),
        )
        self._house.state.end(ended, [part.scope for part in complete if part.whole], self._held.lease)
        self._complete(complete, result)
        return ended

    def _complete(self, parts: Sequence[MappingPlan], result: Result) -> None:
        """A source that was read and settled as a whole is what the next run is compared with."""
        for part in parts:
            wired = self._wired(part)
            if wired.memory is not None and part.whole and not part.problems and not result.stopped:
                wired.memory.all_is_well()


def _make_ready(wired: Wired, part: MappingPlan) -> None:
    """The container is there, and it is known how the store keeps its promises."""
    if part.creates:
        wired.target.ensure()
    counts = part.counts
    if wired.learnt is not None and (counts.create or counts.update or counts.delete or counts.move):
        wired.learnt.probe()


def _exit_code(plan: Plan, result: Result) -> int:
    """The first that holds of 130, 4, 7, 3, 0 (5 and 6 are raised before anything is tried)."""
    planned = plan.exit_code()
    endings = {outcome.outcome for outcome in result.outcomes} - {"done"}
    if result.stopped and result.left:
        return 130
    if planned == 4:
        return 4
    unknown = planned == 7 or bool(result.problems)
    if unknown or endings & {"failed", "held", "skipped"} or result.left:
        return 3 if endings == {"conflict"} and not unknown else 7
    return 3 if endings or planned == 3 else 0


class _Either:
    """A stop that is set by the signal, or by a failure where the policy says so."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self.also: Callable[[], bool] = lambda: False

    def is_set(self) -> bool:
        """Whether either holds."""
        return self._stop.is_set() or self.also()
