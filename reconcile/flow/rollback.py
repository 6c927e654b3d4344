"""Undoes a run: lease, settle, look, ask, hold, bring back. Never over a change that was made after the run.

A rollback is a run of its own. What it cannot bring back it leaves as it is, and says why; a path is called restored
only when its bytes were read back. It leaves a hold behind, so that the next scheduled apply does not do it all again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
import threading
import time
from typing import Final

from msgspec.structs import replace

from reconcile.core.change import QUIET, Action, Change, Reason
from reconcile.core.errors import StoreError, UsageError
from reconcile.core.events import Start
from reconcile.core.outcome import Ending, Outcome, Result, Run
from reconcile.flow.engine import Engine, Ledger
from reconcile.flow.held import Held
from reconcile.flow.ordering import is_late, run_early
from reconcile.flow.settling import settle
from reconcile.flow.step import Done
from reconcile.flow.undo_evidence import ALL_RUNS
from reconcile.flow.undo_plan import Part, undo_part
from reconcile.flow.undoing import UndoStep
from reconcile.flow.wired import House, Wired
from reconcile.ports import Clock, Sink, StateStore
from reconcile.report.views import Undone
from reconcile.state.heartbeat import Heartbeat
from reconcile.state.lease import acquire

OPERATION: Final = "rollback"
_DOES: Final = {Action.DELETE: "removed"} | dict.fromkeys(QUIET, "unchanged")


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What rolling back `run` would do, mapping by mapping."""

    run: Run
    parts: list[Part]

    @property
    def acts(self) -> bool:
        """Whether there is anything to change."""
        return any(part.changes for part in self.parts)

    @property
    def touches(self) -> bool:
        """Whether a target is changed by it, and not only what is remembered."""
        return any(change.action not in QUIET for part in self.parts for change in part.changes)

    def expected(self) -> list[Undone]:
        """What would become of every path."""
        told = [one for part in self.parts for one in part.told]
        for part in self.parts:
            told += [Undone(one.mapping, one.key, _DOES.get(one.action, "restored")) for one in part.changes]  # type: ignore[arg-type]
        return sorted(told, key=lambda one: (one.mapping, one.key))


@dataclass(frozen=True, slots=True)
class RollbackOptions:
    """What to undo: `run` None is the newest that changed a target. `hold`: leave a hold behind."""

    run: int | None = None
    lock_timeout_s: float = 0.0
    hold: bool = True


@dataclass(frozen=True, slots=True)
class RollbackHooks:
    """Who is asked and who listens. `stop` set: end cleanly."""

    sink: Sink
    approve: Callable[[UndoPlan], bool]
    clock: Clock
    stop: threading.Event


def rollback(house: House, options: RollbackOptions, hooks: RollbackHooks) -> Result:
    """Undoes a run as far as its bytes are kept. Raises only when nothing was tried."""
    began = time.monotonic()
    lease = acquire(house.state, OPERATION, timeout_s=options.lock_timeout_s, clock=hooks.clock)
    with Held(lease, Heartbeat(lease)) as held:
        settle(house, lease)
        run = _run(house, options.run)
        plan = undo_plan(house, run, house.mappings)
        if not hooks.approve(plan):
            raise UsageError("declined; nothing was done", op=OPERATION)
        inherited = lease.holder.hold  # of a rollback before this one
        if options.hold and plan.acts:  # before the first change: whoever finds us dead must not do it all again
            lease.leave_hold(f"rollback of run {run.id}")
        result = undo(house, plan, held, hooks)
        in_vain = not (inherited or result.success_count or house.state.journal.open_intents())
        if lease.holder.hold and (in_vain or not options.hold):
            lease.leave_hold("")
    result.hold = lease.holder.id if lease.holder.hold else ""
    result.seconds = time.monotonic() - began
    return result


def undo_plan(house: House, run: Run, chosen: Iterable[Wired]) -> UndoPlan:
    """What rolling back `run` would do in the chosen mappings; what was applied last comes first."""
    parts: list[Part] = []
    for wired in reversed(list(house.in_order())):
        if wired in chosen:
            parts.append(undo_part(house, wired, run, sum(len(part.changes) for part in parts) + 1))
    return UndoPlan(run, parts)


def undo(house: House, plan: UndoPlan, held: Held, hooks: RollbackHooks) -> Result:
    """Does what the plan says, as a run of its own; a plan that finds nothing to change leaves no run behind."""
    told = [one for part in plan.parts for one in part.told]
    left = [one for one in told if one.ending != "unchanged"]
    result = Result(undoes=plan.run.id, skip_count=len(told) - len(left))
    if plan.acts:
        _Undo(house, plan, held, hooks).run(left, result)
    else:
        result.outcomes = [_outcome(number, one) for number, one in enumerate(left, 1)]
    result.stopped = hooks.stop.is_set()
    not_done = result.left or any(one.outcome != "done" for one in result.outcomes)
    result.exit_code = 130 if result.stopped and result.left else 7 if not_done else 0
    return result


class _Undo:
    """One run that undoes another."""

    def __init__(self, house: House, plan: UndoPlan, held: Held, hooks: RollbackHooks) -> None:
        self._house = house
        self._plan = plan
        self._held = held
        self._hooks = hooks

    def run(self, left: Sequence[Undone], result: Result) -> None:
        house, hooks = self._house, self._hooks
        changes = sum(len(part.changes) for part in self._plan.parts)
        names = [part.wired.name for part in self._plan.parts]
        run = Run(0, OPERATION, hooks.clock.now(), total=changes, mappings=names)
        run = self._held.begin(house.state, run)
        hooks.sink(Start(run.id, OPERATION, changes, 0))
        ledger = Ledger(house.state, run.id, self._held.lease, hooks.sink)
        for part in self._plan.parts:
            self._one(part, run.id, ledger)
        result.left = changes - ledger.finished
        for number, one in enumerate(left, changes + 1):
            ledger.take(Done(_NOTHING, _outcome(number, one)))
        ledger.commit()
        self._end(run, ledger, result)

    def _one(self, part: Part, run: int, ledger: Ledger) -> None:
        """Each path on its own: what cannot come back does not keep back the rest."""
        wired = part.wired
        step = UndoStep(self._held.fenced(wired), run, self._house.state.journal, part.befores)
        if not part.changes:
            return
        self._house.state.open_scope(wired.scope, self._held.lease)
        try:
            if wired.learnt is not None:
                wired.learnt.probe()
        except StoreError as error:
            for change in part.changes:
                ledger.take(step.held(change, f"held back: {error}"))
            return
        with Engine(step, ledger, self._hooks.sink, self._hooks.stop, self._held.heartbeat) as engine:
            run_early(engine, part.changes)
            if not engine.stopped:
                engine.delete(filter(is_late, part.changes))

    def _end(self, run: Run, ledger: Ledger, result: Result) -> None:
        result.run, result.outcomes, result.counts = run.id, ledger.outcomes, ledger.counts
        ended = replace(
            run,
            ended=self._hooks.clock.now(),
            exit_code=7 if result.left or ledger.failed else 0,
            done=sum(ledger.counts.values()),
            failed=sum(ledger.failed.values()),
            counts=dict(ledger.counts),
        )
        self._house.state.end(ended, [], self._held.lease)


_NOTHING: Final = Change(0, "", Action.FORGET, "", Reason.UNDONE)


def _outcome(number: int, one: Undone) -> Outcome:
    """What is told of a path that nothing is done to."""
    ending: Ending = "conflict" if one.ending == "kept" else "failed"
    return Outcome(number, one.mapping, OPERATION, one.key, ending, error=one.why, reason=one.ending)


def _run(house: House, number: int | None) -> Run:
    """The run of this number; without one the newest that changed something in a target, rollbacks left out."""
    names = {wired.name for wired in house.mappings}
    for run in house.state.runs(ALL_RUNS):
        if run.id == number or (number is None and _changed(house.state, run, names)):
            return run
    told = f"there is no run {number}" if number is not None else "no run has changed anything"
    raise UsageError(told, op=OPERATION, hint="reconcile history lists the runs")


def _changed(state: StateStore, run: Run, names: set[str]) -> bool:
    """Whether a run changed something in a target of these mappings; a rollback is not what one wants to undo."""
    if run.operation == OPERATION or names.isdisjoint(run.mappings):
        return False
    outcomes = (one for one in state.outcomes(run.id) if one.mapping in names)
    return any(one.outcome == "done" and one.action not in QUIET for one in outcomes)
