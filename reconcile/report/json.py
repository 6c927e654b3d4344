"""Plans, events and results for machines. Canonical: sorted keys, ASCII, no times, so equal plans are equal bytes.

ASCII also keeps terminals and CI runners safe from names that hold control characters or bidi marks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from json import JSONEncoder
import re
from typing import Any, Final

from msgspec import Struct, to_builtins

from reconcile.core.change import Change, Conflict, Refusal
from reconcile.core.entry import Problem
from reconcile.core.inside import UNCOUNTED, Inside
from reconcile.core.outcome import Outcome, Result
from reconcile.core.path import shown
from reconcile.core.plan import FORMAT_VERSION, MappingPlan, Plan
from reconcile.core.reasons import conflict_sentence, sentence

ONE_DOCUMENT: Final = 100_000
"""Plans of more actions than this are written as JSON lines."""

_encode: Final = JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def plan_document(plan: Plan, *, detailed: bool = False) -> dict[str, Any]:
    """The whole plan as one value. `detailed`: the exit code tells pending changes (2)."""
    return {"actions": list(_actions(plan)), **_frame(plan), **_summary(plan, detailed=detailed)}


def write_plan(plan: Plan, write: Callable[[str], object], *, detailed: bool = False) -> None:
    """Writes the plan as it streams by: one document, or JSON lines (header, actions, summary) when it is large."""
    lines = plan.counts.changes > ONE_DOCUMENT
    for piece in _as_lines(plan, detailed=detailed) if lines else _as_document(plan, detailed=detailed):
        write(piece)


def _as_document(plan: Plan, *, detailed: bool) -> Iterator[str]:
    """Byte for byte what encoding `plan_document` gives: "actions" sorts before every other name."""
    yield '{"actions":['
    for number, action in enumerate(_actions(plan)):
        yield f",{_encode(action)}" if number else _encode(action)
    yield "]," + _encode({**_frame(plan), **_summary(plan, detailed=detailed)})[1:] + "\n"


def _as_lines(plan: Plan, *, detailed: bool) -> Iterator[str]:
    yield _encode({"type": "plan", **_frame(plan)}) + "\n"
    for action in _actions(plan):
        yield _encode({"type": "action", **action}) + "\n"
    yield _encode({"type": "summary", **_summary(plan, detailed=detailed)}) + "\n"


def event_line(event: Struct, seq: int, time: float) -> str:
    """One event as a line of JSON, with its number and its time (Unix seconds, written as ISO 8601 in UTC)."""
    return _stamped(to_builtins(event), seq, time)


def report_line(result: Result, seq: int, time: float) -> str:
    """The last line of a run: the report as an event."""
    return _stamped(result_document(result), seq, time)


def result_document(result: Result) -> dict[str, Any]:
    """The report of a run: an outcome per action, counts, bytes, seconds, the exit code."""
    return {
        "event": "report",
        "format_version": FORMAT_VERSION,
        "run": result.run,
        "outcomes": [_outcome(outcome) for outcome in result.outcomes],
        "conflicts": [conflict_document(conflict) for conflict in result.conflicts],
        "problems": [_problem(problem) for problem in result.problems],
        "guards": [_guard(refusal) for refusal in result.refusals],
        "counts": dict(result.counts),
        "success_count": result.success_count,
        "skip_count": result.skip_count,
        "failure_count": result.failure_count,
        "left": result.left,
        "bytes": result.total_bytes,
        "seconds": round(result.seconds, 3),
        "resumed": result.resumed,
        "stopped": result.stopped,
        "exit_code": result.exit_code,
        **_undoing(result),
    }


def _undoing(result: Result) -> dict[str, Any]:
    """What only a rollback tells, or a run that undid itself."""
    told: dict[str, Any] = {"undoes": result.undoes, "hold": result.hold} if result.undoes else {}
    return {**told, "rollback": result_document(result.rollback)} if result.rollback is not None else told


def _stamped(event: dict[str, Any], seq: int, time: float) -> str:
    moment = datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return _encode({key: _valid(value) for key, value in event.items()} | {"seq": seq, "time": moment}) + "\n"


def _frame(plan: Plan) -> dict[str, Any]:
    header = plan.header
    return {
        "format_version": header.format_version,
        "id": plan.id,
        "kind": header.kind,
        "spec": header.spec,
        "state": {
            "lineage": header.lineage,
            "serials": {mapping.name: mapping.serial for mapping in plan.mappings},
        },
        "mappings": [_mapping(mapping) for mapping in plan.mappings],
        "conflicts": [conflict_document(c, m.last_run) for m in plan.mappings for c in m.conflicts],
        "problems": [{"mapping": name, **_problem(problem)} for name, problem in plan.problems],
        "guards": [_guard(refusal) for refusal in plan.refusals],
    }


def _summary(plan: Plan, *, detailed: bool) -> dict[str, Any]:
    return {"summary": plan.counts.as_dict(), "exit_code": plan.exit_code(detailed=detailed)}


def _actions(plan: Plan) -> Iterator[dict[str, Any]]:
    last_runs = {mapping.name: mapping.last_run for mapping in plan.mappings}
    return (_action(change, last_runs.get(change.mapping, 0)) for change in plan.changes())


def _action(change: Change, last_run: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": change.id,
        "mapping": change.mapping,
        "action": change.action.value,
        "path": change.key,
        "from": change.from_key,
        "size": change.size,
        "digest": change.digest.hex() if change.digest is not None else None,
        "reason": sentence(change, last_run=last_run),
        "reason_code": change.reason.value,
        "drift": change.drift,
        "after": change.after,
    }
    if change.path is not None:
        told["source_path"] = change.path
    if change.inside:
        told["inside"] = _inside(change.inside)
    return told


def _inside(inside: Inside) -> dict[str, Any]:
    """Numbers that nobody found out are null."""
    rows = {
        "was": inside.rows_was,
        "now": inside.rows_now,
        "added": inside.added,
        "changed": inside.changed,
        "removed": inside.removed,
        "rejected": inside.rejected,
    }
    return {
        "columns": [{"name": each.name, "was": each.was, "now": each.now} for each in inside.columns],
        "rows": {name: None if count == UNCOUNTED else count for name, count in rows.items()},
        "notes": inside.notes,
    }


def _mapping(mapping: MappingPlan) -> dict[str, Any]:
    return {
        "name": mapping.name,
        "source": _valid(mapping.source),
        "target": _valid(mapping.target),
        "scope": mapping.scope,
        "creates": _all_valid(mapping.creates),
        "notices": _all_valid(mapping.notices),
        "conditions": mapping.conditions,
        "window": mapping.window,
        "waits_for": mapping.waits_for,
        "summary": mapping.counts.as_dict(),
    }


def conflict_document(conflict: Conflict, last_run: int = 0) -> dict[str, Any]:
    """One path that waits for a decision, as machines read it."""
    return {
        "mapping": conflict.mapping,
        "path": _valid(conflict.key),
        "reason": _valid(conflict_sentence(conflict, last_run=last_run)),
        "reason_code": conflict.reason.value,
        "exit_code": conflict.exit_code,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "path": _valid(problem.key),
        "side": problem.side,
        "cover": problem.cover.name.lower(),
        "until": _valid(problem.until),
        "reason": _valid(problem.reason),
        "hint": _valid(problem.hint),
    }


def _guard(refusal: Refusal) -> dict[str, Any]:
    return {
        "mapping": refusal.mapping,
        "permission": refusal.permission,
        "reason": refusal.detail,
        "allowed": refusal.allowed,
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.id,
        "mapping": outcome.mapping,
        "action": outcome.action,
        "path": outcome.key,
        "from": outcome.from_key,
        "outcome": outcome.outcome,
        "size": outcome.size_bytes,
        "bytes": outcome.sent_bytes,
        "seconds": round(outcome.seconds, 3),
        "reason": _valid(outcome.reason),
        "error": _valid(outcome.error),
        "hint": _valid(outcome.hint),
        "kept": _valid(outcome.kept),
    }


def _valid(value: Any) -> Any:
    """Text without lone surrogates, which strict parsers refuse: a byte that is no UTF-8 is spelled out."""
    if isinstance(value, str) and not value.isascii():
        return _SURROGATE.sub(lambda found: shown(found[0]), value)
    return value


def _all_valid(values: Iterable[str]) -> list[str]:
    return [_valid(value) for value in values]
