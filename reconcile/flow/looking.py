"""Looks, and changes nothing: how everything stands, and what is known of one path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from reconcile.core.change import Change
from reconcile.core.entry import Entry
from reconcile.core.errors import StoreError, UsageError
from reconcile.core.outcome import Outcome, Run
from reconcile.core.plan import MappingPlan, Plan
from reconcile.flow.planning import PlanOptions, make_plan
from reconcile.flow.settling import overlay
from reconcile.flow.standing import Standing, standing
from reconcile.flow.streams import source_stream
from reconcile.flow.wired import House, Wired
from reconcile.ports import Holder, Sink, StateStore
from reconcile.report.views import Held, MappingStatus, Status, Why
from reconcile.state.alive import life
from reconcile.state.lease import show

RUNS: Final = 50
"""So many runs back `status` looks for a success."""

RUNS_OF_A_PATH: Final = 10
"""Of so many runs `why` reads every action."""

_BROKEN: Final = frozenset({1, 7, 130})
"""The exit codes of runs that did not get through; conflicts and guards wait for a person instead."""


_TAKES_BACK: Final = ("destroy", "rollback")
"""Runs that tell nothing of how near the target is to the source."""

_SETTLES: Final = "resolve"
"""A run that looks at the conflicts it was asked to settle, and at nothing else."""


def held(holder: Holder | None) -> Held | None:
    """The holder of a lease as screens show it."""
    if holder is None:
        return None
    return Held(
        id=holder.id,
        who=holder.who,
        host=holder.host,
        pid=holder.pid,
        operation=holder.operation,
        since=holder.since,
        run=holder.run,
        heard=holder.heard,
        done=holder.done,
        reason=holder.reason,
        hold=holder.hold,
        dead=holder.pid > 0 and life(holder) == "dead",
    )


def status(house: House, now: float) -> Status:
    """How every mapping of the house stands at `now` (Unix seconds). Asks the state and the cache only."""
    runs = house.state.runs(RUNS)
    known = {scope.id: count for scope, _, count in house.state.scopes()}
    ours = {wired.scope.id for wired in house.mappings}
    orphans = [(scope.target, count) for scope, _, count in house.state.scopes() if scope.id not in ours and count]
    return Status(
        now=now,
        mappings=[
            _mapping_status(house, wired, [run for run in runs if wired.name in run.mappings], known)
            for wired in house.mappings
        ],
        lock=held(show(house.state)),
        last=runs[0] if runs else None,
        orphans=orphans,
    )


def _mapping_status(house: House, wired: Wired, every: list[Run], known: dict[str, int]) -> MappingStatus:
    """From what was noted here and the mapping's runs, newest first."""
    noted = standing(house.cache, wired.scope.id)
    runs = [run for run in every if run.operation not in (*_TAKES_BACK, _SETTLES)]
    newest = runs[0] if runs else None
    if newest is not None and newest.ended > noted.at:  # another machine was here since
        noted = _told_by(house.state, wired.name, runs)
    settled = sum(run.done for run in every if run.operation == _SETTLES and run.ended > noted.at)
    success = max([noted.success, *(run.ended for run in runs if run.exit_code == 0)])
    return MappingStatus(
        wired.name,
        last_success=success,
        failing_since=noted.failing_since,
        last_run=newest.id if newest is not None else 0,
        failed=newest is not None and newest.failed > 0,
        conflicts=max(0, noted.conflicts - settled),
        records=known.get(wired.scope.id, 0),
        rejects=noted.rejects,
        taken_back=next(
            (run for run in every[:1] if run.operation in _TAKES_BACK and run.done and run.ended > noted.at), None
        ),
        open=next((run for run in every[:1] if not run.ended), None),
    )


def _told_by(state: StateStore, name: str, runs: list[Run]) -> Standing:
    """What the runs of a mapping tell, newest first."""
    failing_since = 0.0
    for run in runs:
        if not run.ended or not _broke(state, name, run):
            break
        failing_since = run.ended
    conflicts = sum(one.outcome == "conflict" for one in state.outcomes(runs[0].id) if one.mapping == name)
    return Standing(failing_since=failing_since, conflicts=conflicts)


def _broke(state: StateStore, name: str, run: Run) -> bool:
    if run.exit_code not in _BROKEN:
        return False
    return not run.failed or any(one.mapping == name and one.outcome == "failed" for one in state.outcomes(run.id))


def why(house: House, path: str, sink: Sink) -> list[Why]:
    """All that is known of a path (a key of the target, or a path of the source), by mapping that knows it."""
    plan = make_plan(house, PlanOptions(overlay=overlay(house)), sink)
    wired_of = {wired.name: wired for wired in house.mappings}
    told = [_Asked(house, wired_of[part.name], part, path).answer(plan) for part in plan.mappings]
    found = [one for one in told if one.source or one.record or one.target or one.change or one.problems or one.history]
    if not found:
        hint = "paths count from the root of a mapping, as `reconcile ls` shows them"
        raise UsageError("no mapping knows this path", op="why", path=path, hint=hint)
    return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """A path that is asked about, in one mapping."""

    house: House
    wired: Wired
    part: MappingPlan
    path: str

    def answer(self, plan: Plan) -> Why:
        """What is found out."""
        change = next((one for one in plan.changes(self.part.name) if self._concerns(one)), None)
        laid = self._laid_out() if change is None else None
        key = laid.key if laid is not None else self.path
        if change is not None and change.source_path == self.path:
            key = change.key
        record = self.house.state.record(self.wired.scope.id, key)
        source = laid.path if laid is not None else record.path if record is not None else None
        source = source or (change.source_path if change is not None and change.key == key else self.path)
        notes = self._notes(source)
        return Why(
            mapping=self.wired.name,
            key=key,
            source=_seen(self.wired.reader.stat, source, notes),
            record=record,
            target=_seen(self.wired.target.stat, key, notes),
            change=change,
            conflict=next((one for one in self.part.conflicts if one.key == key), None),
            problems=[one for one in self.part.problems if one.covers(key)],
            history=list(self._history(key)),
            notes=notes,
            last_run=self.part.last_run,
        )

    def _laid_out(self) -> Entry | None:
        """The file of the source that is asked about by its path or by its key, where a layout makes the two differ."""
        if self.wired.layout == "{path}":
            return None
        entries = (item for item in source_stream(self.wired, unsorted=True) if isinstance(item, Entry))
        return next((entry for entry in entries if self.path in (entry.key, entry.path)), None)

    def _concerns(self, change: Change) -> bool:
        return self.path in (change.key, change.source_path, change.from_key)

    def _notes(self, source: str) -> list[str]:
        notes = []
        named = self.wired.layout == "{path}" or source != self.path  # else it is a name of the target, as far as known
        if named and not self.wired.selection.file(source):
            notes.append("left out by the mapping's filters or an ignore file: it is not ours, on either side")
        if self.wired.protected(self.path):
            notes.append("protected: never overwritten or deleted")
        if self.part.refused:
            notes.append("a guard refuses the whole mapping: reconcile plan tells why")
        return notes

    def _history(self, key: str) -> Iterator[tuple[Run, Outcome]]:
        """What the mapping did with it; what it did when it had another target is that target's history."""
        name, mine = self.wired.name, self.wired.scope.id
        mixed = any(scope.mapping == name and scope.id != mine for scope, _, _ in self.house.state.scopes())
        runs = (run for run in self.house.state.runs(RUNS) if name in run.mappings)
        for run in islice(runs, RUNS_OF_A_PATH):
            outcomes = self.house.state.outcomes(run.id)
            found = [one for one in outcomes if one.mapping == name and key in (one.key, one.from_key)]
            if found and (not mixed or any(self.house.state.past(run.id, mine, [key]))):
                yield from ((run, outcome) for outcome in found)


def _seen(stat: Callable[[str], Entry | None], key: str, notes: list[str]) -> Entry | None:
    """What is there; why it cannot be told becomes a note."""
    try:
        return stat(key)
    except StoreError as error:
        notes.append(str(error))
        return None
