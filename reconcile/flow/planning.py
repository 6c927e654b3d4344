"""Makes the plan: march, decide, pair, guard, order. Changes nothing anywhere but in the disposable cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import PurePath
import time
from typing import Final

import msgspec

from reconcile import __version__
from reconcile.core.change import Change, Reason
from reconcile.core.counts import Counts, plural
from reconcile.core.entry import ABSENT, Cover, Digest, Entry, Problem
from reconcile.core.errors import NotFoundError, StoreError, UsageError
from reconcile.core.events import Progress, Warn
from reconcile.core.guard import Totals, refusals
from reconcile.core.march import OutOfOrderError, Row, Tally
from reconcile.core.plan import Header, MappingPlan, Plan
from reconcile.core.policy import Policy
from reconcile.core.record import Record, Scope
from reconcile.flow.claims import Claims
from reconcile.flow.drafting import Draft, read_changes
from reconcile.flow.facts import Judge, Judged, tells_drift
from reconcile.flow.folding import meet
from reconcile.flow.rejects import put_aside
from reconcile.flow.streams import record_stream, source_stream, target_stream
from reconcile.flow.wired import House, Wired
from reconcile.ports import Sink, Spill
from reconcile.stores.objects.list import UnorderedError

BATCH = 1_000
"""Rows that need facts are looked into this many at a time."""

DATABASES: Final = {".db": "sqlite", ".sqlite": "sqlite", ".sqlite3": "sqlite", ".duckdb": "duckdb"}
"""What files of databases are called."""

Overlay = dict[str, dict[str, Record | None]]
"""By scope, what a stopped run left open, as it would be once settled."""


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """How to plan.

    `kind` is `apply`, `destroy`, `refresh` (only what changed in the target), or `cached` (the target is not listed but
    taken to be as the state remembers it). `winner` (`source` or `target`) settles conflicts in place of the policy.
    """

    kind: str = "apply"
    allowed: Sequence[str] = ()
    winner: str = ""
    pinned: bool = False
    checksum: bool = False
    resend: bool = False
    overlay: Overlay = field(default_factory=dict)
    open_run: tuple[int, int, int] = (0, 0, 0)


def make_plan(house: House, options: PlanOptions, sink: Sink) -> Plan:
    """The plan of all mappings. Raises when nothing can be planned at all; what hit single paths stands in the plan."""
    _check_permissions(house, options.allowed)
    parts: list[MappingPlan] = []
    spills: list[Spill] = []
    next_id = 1
    claims = Claims(house)
    for wired in house.in_order():
        one = _PlanOne(house, _as_asked(wired, options), options, sink, claims)
        part, spill, next_id = one.make(next_id)
        parts.append(part)
        spills.append(spill)
    narrow = sorted({pattern for wired in house.mappings for pattern in wired.narrow})
    if narrow and not any(_met_anything(part) for part in parts):
        sink(Warn(f"no path matches --path {' '.join(narrow)}: paths are those that `reconcile ls` shows"))
    run, done, total = options.open_run
    header = Header(
        lineage=house.state.lineage,
        spec=house.spec_digest,
        spec_file=house.spec_file,
        tool_version=__version__,
        kind=options.kind,
        mappings=parts,
        allowed=sorted(options.allowed),
        open_run=run,
        open_done=done,
        open_total=total,
    )
    return Plan(
        header,
        _reader({part.name: spill for part, spill in zip(parts, spills, strict=True)}),
        pinned=options.pinned,
        origin=house,
    )


def _check_permissions(house: House, allowed: Sequence[str]) -> None:
    """A permission for a mapping that is not there would be missed where it was meant."""
    for permission in allowed:
        name = permission.partition(":")[2]
        if name and name not in house.names:
            close = get_close_matches(name, house.names, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"the spec has: {', '.join(sorted(house.names))}"
            raise UsageError(f"there is no mapping `{name}`", op="--allow", hint=hint)


def _met_anything(part: MappingPlan) -> bool:
    return bool(part.counts.changes or part.counts.unchanged or part.conflicts or part.problems)


def _as_asked(wired: Wired, options: PlanOptions) -> Wired:
    """The mapping as this kind of plan sees it."""
    if options.kind == "destroy":
        policy = msgspec.structs.replace(wired.policy, delete=True, unmanaged="keep", drift="keep", conflict="fail")
        return replace(wired, policy=policy)
    if options.winner:
        return replace(wired, policy=_settling(wired, options.winner), settles_accepted=wired.accepted_waits)
    if options.checksum or options.resend:
        return replace(wired, memory=None)
    return wired


def _settling(wired: Wired, winner: str) -> Policy:
    """The policy where a person has said who wins: also over a drift that waits, and over bytes that nobody can keep.

    What must be kept always is not touched for that.
    """
    policy = msgspec.structs.replace(wired.policy, conflict=winner)
    if wired.drift_waits:
        policy = msgspec.structs.replace(policy, drift="restore" if winner == "source" else "keep")
    return policy if wired.keeps or policy.keep == "always" else msgspec.structs.replace(policy, keep="never")


_SETTLES = frozenset({Reason.CONFLICT_SOURCE, Reason.ACCEPTED, Reason.EQUAL})


def settled_conflicts(house: House) -> Callable[[Plan], set[int]]:
    """Tells the changes of a plan with a `winner` that settle a conflict; the others are none of its business."""
    waiting = {wired.name for wired in house.mappings if wired.drift_waits}

    def settled(plan: Plan) -> set[int]:
        return {
            change.id
            for change in plan.changes()
            if (change.mapping in waiting if change.drift else change.reason in _SETTLES)
        }

    return settled


def _reader(spills: Mapping[str, Spill]) -> Callable[[str | None], Iterator[Change]]:
    def rows(mapping: str | None) -> Iterator[Change]:
        chosen = spills.values() if mapping is None else [spills[mapping]]
        return (change for spill in chosen for change in read_changes(spill))

    return rows


@contextmanager
def _told_of(name: str) -> Iterator[None]:
    """What a store cannot do is told with its mapping. A target that is missing is made: what is not found is here."""
    try:
        yield
    except StoreError as error:
        error.op = f"{name}: {error.op}".strip()
        if isinstance(error, NotFoundError) and not error.hint:
            error.hint = f"make it, or mend the source of `{name}`; a source that is missing deletes nothing"
        raise


class _PlanOne:
    """The plan of one mapping."""

    def __init__(self, house: House, wired: Wired, options: PlanOptions, sink: Sink, claims: Claims) -> None:
        self._house = house
        self._claims = claims
        self._wired = wired
        self._options = options
        self._sink = sink
        self._destroy = options.kind == "destroy"
        self._judge = Judge(wired, destroy=self._destroy, resend=options.resend)
        self._creates: list[str] = []
        self._settled_in_reach = 0

    def make(self, first_id: int) -> tuple[MappingPlan, Spill, int]:
        """The part, its changes, and the next free id."""
        with _told_of(self._wired.name):
            self._creates = self._wired.missing("plan")
            try:
                tally, draft = self._march(unsorted=False)
            except (OutOfOrderError, UnorderedError):
                tally, draft = self._march(unsorted=True)
        if self._wired.learnt is not None:
            self._wired.learnt.heard()
        spill, counts, next_id = draft.finish(first_id)
        counts.unchanged = (self._settled_in_reach if self._wired.narrow else tally.settled) + draft.unchanged
        return self._part(tally, draft, counts), spill, next_id

    def _march(self, *, unsorted: bool) -> tuple[Tally, Draft]:
        wired, tally = self._wired, Tally()
        self._settled_in_reach = 0
        draft = Draft(wired, pinned=self._options.pinned)
        overlay = self._options.overlay.get(wired.scope.id, {})
        rows = meet(
            wired,
            self._source(unsorted=unsorted),
            self._records(overlay),
            self._target(unsorted=unsorted),
            tally,
        )
        waiting: list[Row] = []
        for row in rows:
            self._settled_in_reach -= row.record is not None and wired.in_reach(row.key)
            if not wired.in_reach(row.key):
                draft.leave(row)
            if row.key.endswith("/"):
                draft.note_clash(row)
            if row.key.endswith("/") or not wired.in_reach(row.key):
                continue
            judged = self._judge.quick(row)
            if judged is None:
                waiting.append(row)
            else:
                self._take(judged, draft)
            if len(waiting) >= BATCH:
                self._look_into(waiting, draft, tally)
                waiting = []
        self._look_into(waiting, draft, tally)
        return tally, draft

    def _source(self, *, unsorted: bool) -> Iterator[Entry | Problem]:
        """What is here. To send all again nothing may be settled before it was judged, so no digest is known yet."""
        if self._destroy:
            return iter(())
        stream = self._claims.checked(self._wired, source_stream(self._wired, unsorted=unsorted))
        if not self._options.resend:
            return stream
        return (item if isinstance(item, Problem) else msgspec.structs.replace(item, digest=None) for item in stream)

    def _records(self, overlay: dict[str, Record | None]) -> Iterator[Record]:
        records = record_stream(self._house, self._wired, overlay)
        if self._wired.narrow:
            records = self._counted(records)
        if self._options.checksum:
            return (msgspec.structs.replace(record, settled=False) for record in records)
        return records

    def _counted(self, records: Iterator[Record]) -> Iterator[Record]:
        """The march tells only what is not settled: of what `--path` reaches, that is all the records but those."""
        for record in records:
            self._settled_in_reach += self._wired.in_reach(record.key)
            yield record

    def _look_into(self, rows: list[Row], draft: Draft, tally: Tally) -> None:
        read_ns = time.time_ns()
        for judged in self._judge.slow(rows):
            self._take(judged, draft)
            self._remember(judged.row, judged.facts.source_digest, read_ns)
        self._sink(Progress("plan", self._wired.name, done=tally.sources))

    def _take(self, judged: Judged, draft: Draft) -> None:
        """A refresh tells only what changed in the target."""
        if self._options.kind != "refresh" or judged.problem is not None or tells_drift(judged.decision):
            draft.take(self._claims.released(self._wired, judged))

    def _target(self, *, unsorted: bool) -> Iterator[Entry | Problem]:
        """What is there: nothing where apply has to make the container first, which is not asked again."""
        if self._creates:
            return iter(())
        if self._options.kind == "cached":
            records = self._house.state.records(self._wired.scope.id)
            return (Entry(record.key, record.size, record.version) for record in records if record.version != ABSENT)
        return target_stream(self._house, self._wired, unsorted=unsorted)

    def _remember(self, row: Row, digest: Digest | None, read_ns: int) -> None:
        """A file found unchanged need not be read again: its new fingerprint is kept."""
        if self._wired.memory is not None and digest is not None and row.source is not None:
            self._wired.memory.remember(row.source.path or row.key, row.source.version, digest, read_ns)

    def _part(self, tally: Tally, draft: Draft, counts: Counts) -> MappingPlan:
        wired = self._wired
        scope = wired.scope.id
        known = self._house.state.serial(scope)
        totals = self._totals(tally, draft, counts)
        problems = [*tally.problems, *draft.problems]
        return MappingPlan(
            name=wired.name,
            scope=scope,
            serial=known,
            source=wired.source.url,
            target=wired.target.url,
            counts=counts,
            conflicts=sorted(draft.conflicts, key=lambda conflict: conflict.key),
            problems=sorted(problems, key=lambda problem: (problem.key, problem.side)),
            refusals=refusals(wired.name, totals, wired.policy.guard, self._options.allowed)
            if not self._destroy
            else [],
            creates=self._creates,
            notices=self._notices(draft, counts),
            conditions=wired.conditions,
            window=not wired.target.traits.returns_version,
            waits_for=list(wired.depends_on),
            records=tally.records,
            last_run=next((run.id for run in self._house.state.runs() if wired.name in run.mappings and run.ended), 0),
            whole=self._options.kind == "apply" and not wired.narrow,
        )

    def _totals(self, tally: Tally, draft: Draft, counts: Counts) -> Totals:
        wired = self._wired
        return Totals(
            records=tally.records,
            sources=tally.sources,
            targets=tally.targets,
            deletes=counts.delete - draft.unmanaged_deletes,
            unmanaged_deletes=draft.unmanaged_deletes,
            updates=counts.update,
            lost=draft.lost,
            first_run=not self._house.state.completed(wired.scope.id),
            new_disk=wired.memory is not None and wired.memory.on_new_disk(),
            source_known=not any(p.cover is not Cover.FILE and p.side == "source" for p in tally.problems),
        )

    def _notices(self, draft: Draft, counts: Counts) -> list[str]:
        notices = [*self._lost_state(), *self._not_a_database(), *self._not_kept(draft, counts)]
        aside = put_aside(self._house, self._wired)
        notices += [f"{plural(count, 'row')} of {key} put aside, in `{table}`" for key, table, count in aside]
        if draft.skipped:
            notices.append(f"{draft.skipped:,} skipped: no regular files (symlinks, pipes, devices)")
        if draft.unportable:
            names = plural(len(draft.unportable), "name")
            notices.append(f"{names} that other systems refuse, such as {draft.unportable[0]} (portable_names)")
        for scope, _, count in self._house.state.scopes():
            if count and self._tells_of(scope):
                what = f"orphaned scope: {plural(count, 'path')} of {scope.source} → {scope.target}"
                notices.append(f"{what} ({self._fate(scope)})")
        return notices

    def _lost_state(self) -> list[str]:
        """Who begins anew where there was a state before hardly meant to."""
        copy = self._house.state.lost() if self._wired is self._house.mappings[0] else ""
        return [f"the state is gone and begins anew; a copy of it: reconcile state push {copy} --force"] if copy else []

    def _not_kept(self, draft: Draft, counts: Counts) -> list[str]:
        """Who chooses the source on a target where nothing that is overwritten can be kept is told so before."""
        wired, chosen = self._wired, self._options.winner == "source"
        if wired.keeps or not (counts.update if chosen else draft.conflicts and wired.policy.keep != "never"):
            return []
        what = "what is there goes for good" if chosen else "conflicts resolve --source overwrites it for good"
        return [f"what is there cannot be kept on this target: {what} (keep: always keeps it)"]

    def _fate(self, scope: Scope) -> str:
        """What becomes of an orphaned scope. Records are given away only where they tell of the same place."""
        if scope.mapping == self._wired.name:
            return "of another source, target or layout: untouched, and known again with that"
        if scope.target == self._wired.scope.target:
            return f"forgotten; if it is this mapping: reconcile state mv {scope.mapping} {self._wired.name}"
        return "forgotten"

    def _not_a_database(self) -> list[str]:
        """A path that is called as a database is, and is to become a directory, was hardly meant so."""
        path = PurePath(self._wired.target.url.removeprefix("file://"))
        scheme = DATABASES.get(path.suffix.lower())
        if not self._creates or scheme is None or not self._wired.target.url.startswith("file://"):
            return []
        return [f"{path.name} will be a directory of files; the tables of a database are {scheme}:///{path.name}"]

    def _tells_of(self, scope: Scope) -> bool:
        """Whether a scope that no mapping has any more is told here: by its namesake, else by the first mapping."""
        if scope.mapping in self._house.names:
            return scope.mapping == self._wired.name and scope.id != self._wired.scope.id
        return self._wired is self._house.mappings[0]
