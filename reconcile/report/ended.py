"""What became of a plan, as groups and a last line: the neutral report of a result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from reconcile.core.change import Conflict
from reconcile.core.counts import plural, seconds_text, size_text
from reconcile.core.entry import Problem
from reconcile.core.outcome import Ending, Outcome, Result
from reconcile.core.plan import MappingPlan, Plan
from reconcile.report.document import conflict_group, problem_group, refused, source_gaps
from reconcile.report.model import CUT, Group, Line, Refused, cut
from reconcile.report.words import CONFLICT, command, done

_ENDINGS: Final[dict[Ending, tuple[str, str]]] = {
    "failed": ("Failed:", "reconcile apply tries again what failed."),
    "conflict": ("Changed meanwhile, nothing was overwritten:", "reconcile plan shows both sides."),
    "held": ("Held back:", "reconcile apply goes on when the above is settled."),
}
"""How an ending is headed, and the next command where an outcome has no hint of its own. `skipped` is only counted."""


def groups(plan: Plan | None, result: Result, *, full: bool = False, seen: bool = False) -> Iterator[Group]:
    """Everything that is not done: what, where, why, and the next command. `seen`: but what the plan told already."""
    most = None if full else CUT
    for ending, (heading, advice) in _ENDINGS.items():
        ended = [outcome for outcome in result.outcomes if outcome.outcome == ending]
        if ended:
            unhinted = any(not outcome.hint for outcome in ended)
            yield Group(heading, cut(map(_line, ended), most), advice if unhinted else "")
    if seen:
        return
    for name, conflicts in _by_mapping(result.conflicts).items():
        yield conflict_group(conflicts, _last_run(plan, name), most, several=plan is None or len(plan.mappings) > 1)
    yield from _unread(plan, result.problems, most)


def _unread(plan: Plan | None, problems: Iterable[Problem], most: int | None) -> Iterator[Group]:
    """What could not be read: of several mappings, under the name of each."""
    left, told = dict.fromkeys(problems), set[Problem]()
    for part in plan.mappings if plan is not None and len(plan.mappings) > 1 else ():
        if theirs := [problem for problem in part.problems if problem in left]:
            yield replace(problem_group(theirs, most), heading=f"{part.name}:")
            told.update(theirs)
    if rest := [problem for problem in left if problem not in told]:
        yield problem_group(rest, most)


def _line(outcome: Outcome) -> Line:
    why = outcome.error or outcome.reason or outcome.outcome
    return Line(
        CONFLICT, outcome.outcome, outcome.key, f"{outcome.mapping}: {outcome.action}: {why}", hint=outcome.hint
    )


def _by_mapping(conflicts: Iterable[Conflict]) -> dict[str, list[Conflict]]:
    found: dict[str, list[Conflict]] = {}
    for conflict in conflicts:
        found.setdefault(conflict.mapping, []).append(conflict)
    return found


def _last_run(plan: Plan | None, name: str) -> int:
    planned = _planned(plan, name)
    return planned.last_run if planned is not None else 0


def _planned(plan: Plan | None, name: str) -> MappingPlan | None:
    return next((one for one in plan.mappings if one.name == name), None) if plan is not None else None


def refusals(plan: Plan | None, result: Result) -> Iterator[Refused]:
    """What the guards said, mapping by mapping."""
    kind = plan.header.kind if plan is not None else "apply"
    for name in dict.fromkeys(refusal.mapping for refusal in result.refusals):
        planned = _planned(plan, name)
        theirs = [refusal for refusal in result.refusals if refusal.mapping == name]
        yield refused(name, theirs, kind=kind, gaps=source_gaps(planned.problems) if planned is not None else None)


def summary(result: Result) -> str:
    """The last line: what was done, in how long, and what is left."""
    left = _left(result)
    if not result.run and not result.success_count and not left and not result.exit_code:
        return f"No changes. {plural(result.skip_count, 'path')} in sync."
    run = f" {result.run}" if result.run else ""
    moved = f"{size_text(result.total_bytes)} in {seconds_text(result.seconds)}"
    return f"Applied{run}: {done(result.counts)}; {moved}. {_rest(result, left)}"


def _rest(result: Result, left: list[str]) -> str:
    stopped = "Stopped. " if result.stopped else ""
    if not left:
        return f"{stopped}Nothing left to do." if not result.exit_code else f"{stopped}Exit code {result.exit_code}."
    look = f" Next: {command('history', str(result.run))}" if result.run and _has_errors(result) else ""
    return f"{stopped}Left: {', '.join(left)}.{look}"


def _has_errors(result: Result) -> bool:
    return any(outcome.outcome in _ENDINGS for outcome in result.outcomes)


def _left(result: Result) -> list[str]:
    ended = Counter(outcome.outcome for outcome in result.outcomes)
    tried = ended["failed"] + ended["held"] + ended["conflict"]
    not_begun = max(result.left - tried, ended["skipped"])
    conflicts = ended["conflict"] + len(result.conflicts)
    refused_mappings = len({refusal.mapping for refusal in result.refusals if not refusal.allowed})
    counted = [
        (ended["failed"], f"{ended['failed']:,} failed"),
        (ended["held"], f"{ended['held']:,} held back"),
        (not_begun, f"{not_begun:,} not begun"),
        (conflicts, plural(conflicts, "conflict")),
        (len(result.problems), f"{len(result.problems):,} unreadable"),
        (refused_mappings, f"{plural(refused_mappings, 'mapping')} refused"),
    ]
    return [told for count, told in counted if count]
