"""Makes the neutral document of a plan; the only reader of plans in this room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from reconcile.core.change import SYMBOLS, Action, Change, Conflict, Reason, Refusal
from reconcile.core.counts import plural
from reconcile.core.entry import Cover, Problem
from reconcile.core.inside import inside_lines
from reconcile.core.plan import Header, MappingPlan, Plan
from reconcile.core.reasons import conflict_sentence, sentence
from reconcile.report.model import CUT, Document, Group, Line, More, Refused, Section, cut
from reconcile.report.words import CONFLICT, UNREADABLE, command, legend, plan_summary, typed

_KINDS: Final = {
    "destroy": "Destroy: all that is ours in the target goes; what is not ours stays.",
    "refresh": "Refresh only: what changed in the target is shown and recorded, nothing is sent.",
}
_CONDITIONS: Final = {
    "unproven": "what this target promises about conditional writes was not tried yet; apply tries it first",
    "stat": "this target cannot compare while it writes: apply looks just before each write",
    "create": "this target only protects what is new: apply looks just before each overwrite",
    "none": "this target cannot refuse a write: a change made there meanwhile is overwritten",
}
_WINDOW: Final = "window: this target tells no version, a change made there while we write may go unseen"
_UNRESOLVABLE: Final = {
    Reason.PROTECTED: "Nothing was touched. It stays so while the spec protects it.",
    Reason.IN_THE_WAY: "Nothing was touched. Move it out of the way, or exclude the path.",
    Reason.DESTROY_HELD: "Nothing was touched. Delete it there if nobody needs it, then destroy again.",
}


def document(plan: Plan, *, full: bool = False) -> Document:
    """The document of a plan; `full` leaves out nothing."""
    conflicts, problems = len(plan.conflicts), len(plan.problems)
    pending = any(mapping.creates or mapping.refused for mapping in plan.mappings)
    most = None if full else CUT
    return Document(
        notes=_notes(plan.header),
        legend=legend(plan.counts, conflicts, problems),
        sections=(_section(plan, mapping, most) for mapping in plan.mappings if _speaks(mapping)),
        summary=plan_summary(plan.counts, conflicts, problems, pending=pending),
    )


def _notes(header: Header) -> list[str]:
    notes = [_KINDS[header.kind]] if header.kind in _KINDS else []
    if header.open_run:
        told = f"Run {header.open_run} stopped at {header.open_done:,} of {header.open_total:,}; going on."
        notes.append(told)
    return notes


def _speaks(mapping: MappingPlan) -> bool:
    said = (mapping.conflicts, mapping.problems, mapping.refusals, mapping.creates, mapping.notices)
    return bool(mapping.counts.changes) or any(said)


def _section(plan: Plan, mapping: MappingPlan, most: int | None) -> Section:
    return Section(
        name=mapping.name,
        source=mapping.source,
        target=mapping.target,
        notes=_facts(mapping),
        groups=_groups(plan, mapping, most),
        refused=_refused(mapping, plan.header.kind) if mapping.refusals else None,
    )


def _refused(mapping: MappingPlan, kind: str) -> Refused:
    return refused(mapping.name, mapping.refusals, kind=kind, gaps=source_gaps(mapping.problems))


def _facts(mapping: MappingPlan) -> list[str]:
    facts = [f"will create {made}" for made in mapping.creates]
    if mapping.waits_for:
        facts.append(f"after: {', '.join(mapping.waits_for)}")
    if mapping.conditions in _CONDITIONS:
        facts.append(f"conditions: {mapping.conditions}: {_CONDITIONS[mapping.conditions]}")
    if mapping.window:
        facts.append(_WINDOW)
    return facts + mapping.notices


def _groups(plan: Plan, mapping: MappingPlan, most: int | None) -> Iterator[Group]:
    """The changes in one pass over the cursor, the drift in a second one where the first saw any."""
    drifted: set[int] = set()

    def plain() -> Iterator[Change]:
        for change in plan.changes(mapping.name):
            if change.drift:
                drifted.add(change.since or mapping.last_run)
            else:
                yield change

    if mapping.counts.changes:
        yield Group("", _changes(plain(), mapping.last_run, most))
    if drifted:
        run = max(drifted) if len(drifted) == 1 else 0
        since = f" since run {run}" if run else ""
        drift = (change for change in plan.changes(mapping.name) if change.drift)
        yield Group(f"Changed in the target{since}:", _changes(drift, mapping.last_run, most))
    if mapping.conflicts:
        yield conflict_group(mapping.conflicts, mapping.last_run, most, several=len(plan.mappings) > 1)
    if mapping.problems:
        yield problem_group(mapping.problems, most)


def _changes(changes: Iterator[Change], last_run: int, most: int | None) -> Iterator[Line | More]:
    return cut(
        (
            Line(
                SYMBOLS[change.action],
                change.action.value,
                change.key,
                sentence(change, last_run=last_run),
                change.was_size if change.action is Action.ACCEPT else change.size,
                details=tuple(inside_lines(change.inside)) if change.inside else (),
            )
            for change in changes
        ),
        most,
    )


def conflict_group(conflicts: list[Conflict], last_run: int, most: int | None, *, several: bool) -> Group:
    """The conflicts of a mapping, with the command that settles them, and of `several` mappings just this one."""
    lines = (
        Line(
            CONFLICT,
            "conflict",
            conflict.key,
            conflict_sentence(conflict, last_run=last_run),
            hint=_UNRESOLVABLE.get(conflict.reason, ""),
        )
        for conflict in conflicts
    )
    return Group("", cut(lines, most), _choice(conflicts, several=several))


def _choice(conflicts: list[Conflict], *, several: bool) -> str:
    open_ones = [conflict.key for conflict in conflicts if conflict.reason not in _UNRESOLVABLE]
    if not open_ones:
        return ""
    which = typed(open_ones[0]) if len(open_ones) == 1 else "GLOB…"
    where = f" --mapping {conflicts[0].mapping}" if several else ""
    return f"Nothing was touched. Choose: reconcile conflicts resolve --source | --target{where} {which}"


def problem_group(problems: list[Problem], most: int | None) -> Group:
    """What could not be read, and therefore is not touched."""
    lines = (
        Line(UNREADABLE, "unreadable", _covered(problem), f"{problem.side}: {problem.reason}", hint=problem.hint)
        for problem in problems
    )
    return Group("", cut(lines, most))


def _covered(problem: Problem) -> str:
    if problem.cover is Cover.FILE:
        return problem.key
    if problem.cover is Cover.TREE:
        return f"{problem.key}/…" if problem.key else "everything"
    return f"everything after {problem.key}" + (f" up to {problem.until}" if problem.until is not None else "")


def refused(mapping: str, refusals: Iterable[Refusal], *, kind: str, gaps: int | None) -> Refused:
    """What the guards say of a mapping, and the commands that allow it or look closer.

    `kind` is the plan's; `gaps` is how many parts of the source could not be read, None when that is not known.
    """
    told = list(refusals)
    sentences = [_verdict(mapping, refusal) + _proof(refusal, gaps) for refusal in told]
    flags = {f"{refusal.permission}:{mapping}": None for refusal in told if not refusal.allowed}
    if not flags:
        return Refused(sentences)
    allow = chain.from_iterable(("--allow", flag) for flag in flags)
    destroy = kind == "destroy"
    look = command("plan", "--mapping", mapping, *(["--destroy"] * destroy), "--full")
    return Refused(
        sentences, [("If you mean it", command("destroy" if destroy else "apply", *allow)), ("To look first", look)]
    )


def _verdict(mapping: str, refusal: Refusal) -> str:
    word = "Allowed" if refusal.allowed else "Refused"
    return f"{word}: {mapping}{' ' if refusal.detail.startswith('would ') else ': '}{refusal.detail}."


def _proof(refusal: Refusal, gaps: int | None) -> str:
    """Whether the deletes rest on a source that was read to its end."""
    if gaps is None or refusal.permission != "deletes":
        return ""
    return f" {plural(gaps, 'part')} of the source could not be read." if gaps else " Source read completely."


def source_gaps(problems: Iterable[Problem]) -> int:
    """How many problems lie in the source."""
    return sum(problem.side == "source" for problem in problems)
