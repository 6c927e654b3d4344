"""The question before a run."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from reconcile.cli.face import Face
from reconcile.core.counts import plural
from reconcile.core.errors import UsageError
from reconcile.core.path import shown

if TYPE_CHECKING:
    from reconcile.core.change import Change
    from reconcile.core.plan import Plan
    from reconcile.flow.applying import Approve


def approver(face: Face, *, asked: bool, select: bool = False, question: str = "Do this?") -> Approve:
    """Who is asked before a run: nobody, a person for the whole, or a person group by group."""

    def approve(plan: Plan) -> Collection[int] | bool:
        nothing = not plan.counts.changes and not any(part.creates for part in plan.mappings)
        if nothing:
            return True
        if select:
            return _selected(face, plan)
        refused = all(part.refused for part in plan.mappings)
        return True if refused or not asked else face.ask(question, otherwise=", or apply a saved plan")

    return approve


def _selected(face: Face, plan: Plan) -> Collection[int]:
    """Asks group by group; what is not chosen is asked about again next time."""
    chosen: set[int] = set()
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in plan.changes():
        groups.setdefault((change.mapping, change.action.value), []).append(change)
    for (mapping, action), changes in groups.items():
        face.note(f"{mapping}: {plural(len(changes), action)}")
        for number, change in enumerate(changes, start=1):
            face.note(f"  {number:>4}  {shown(change.key)}")
        chosen |= _pick(changes, face.choose(f"{action}: all, a list such as 1,3-5, or nothing to skip"))
    return chosen


def _pick(changes: list[Change], answer: str) -> set[int]:
    if answer in ("all", "a"):
        return {change.id for change in changes}
    picked: set[int] = set()
    for part in answer.replace(" ", ",").split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            picked |= {changes[at - 1].id for at in range(int(first), int(last or first) + 1) if 0 < at <= len(changes)}
        elif part:
            raise UsageError(f"`{part}` is no choice", op="--select", hint="all, 1,3-5, or nothing")
    return picked
