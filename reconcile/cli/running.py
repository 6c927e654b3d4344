"""Runs an apply with everything a terminal wants: signals, progress, the plan before and the report after."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from reconcile.cli.face import Face
from reconcile.cli.listeners import JsonLines, hushed, listener
from reconcile.cli.signals import interruptible, stopping
from reconcile.flow.applying import ApplyOptions, Approve, Hooks, apply
from reconcile.flow.clock import RealClock
from reconcile.state.planfile import load_plan

if TYPE_CHECKING:
    from reconcile.core.outcome import Result
    from reconcile.core.plan import Plan
    from reconcile.flow.wired import House


STOPPING: Final = "Stopping; once more ends it at once."


@contextmanager
def as_run(face: Face) -> Iterator[None]:
    """What changes something: a signal ends it cleanly, and it goes on when nobody hears what it says."""
    face.voice.goes_on = True
    with stopping(face.stop, lambda: face.note(STOPPING)):
        yield


def run_apply(face: Face, house: House, plan_file: str | None, options: ApplyOptions, approve: Approve) -> int:
    """Applies, shows, and returns the exit code."""
    plan = load_plan(plan_file) if plan_file is not None else None
    mounts = {wired.name: wired.target.traits.mount for wired in house.in_order()}
    return run(face, lambda hooks: apply(house, plan, options, hooks), approve, mounts)


def run(face: Face, work: Callable[[Hooks], Result], approve: Approve, mounts: Mapping[str, str] | None = None) -> int:
    """Runs `work` with this call's listener and signals; shows the plan when it is asked, and the result.

    `mounts`: by mapping, where a cluster sees the target.
    """
    seen: list[Plan] = []
    lines = JsonLines(face) if face.json else None
    with as_run(face), listener(face) as heard:

        def shown_first(made: Plan) -> Collection[int] | bool:
            seen.append(made)
            with hushed(heard), interruptible():
                return _shown(face, made, approve)

        result = work(Hooks(lines or heard, shown_first, RealClock(face.stop), face.stop, interruptible))
    if lines is not None:
        lines.report(result)
    else:
        _tell_result(face, seen[0] if seen else None, result, mounts)
    return result.exit_code


def _shown(face: Face, made: Plan, approve: Approve) -> Collection[int] | bool:
    if _is_shown(face, made):
        from reconcile.cli.screens import show_plan  # noqa: PLC0415 - only where a person looks

        show_plan(face, made, ("text",))
    return approve(made)


def _is_shown(face: Face, made: Plan) -> bool:
    """Whether a person sees the plan first: what there is to do, or what waits for somebody."""
    speaks = made.counts.changes or made.conflicts or made.problems or made.refusals
    return not face.json and not face.quiet and bool(speaks)


def _tell_result(face: Face, plan: Plan | None, result: Result, mounts: Mapping[str, str] | None) -> None:
    from reconcile.report.text import result_lines  # noqa: PLC0415 - only where a person looks

    seen = plan is not None and _is_shown(face, plan)
    told = None if face.quiet else mounts
    face.say(result_lines(plan, result, color=face.color, seen=seen, mounts=told))
