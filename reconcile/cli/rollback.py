"""`reconcile rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reconcile.cli.face import Face, global_options
from reconcile.cli.options import approve_option, lock_options, reach, reach_options, seconds

if TYPE_CHECKING:
    from reconcile.core.outcome import Result
    from reconcile.flow.rollback import RollbackOptions, UndoPlan
    from reconcile.flow.wired import House


@click.command("rollback")
@click.argument("run", required=False, type=click.IntRange(1))
@click.option("--no-hold", is_flag=True, help="Leave no hold: the next apply may do it all again.")
@approve_option
@reach_options
@lock_options
@global_options
def command(face: Face, run: int | None, *, no_hold: bool, auto_approve: bool, **flags: Any) -> int:
    """Undo RUN (the newest that changed something) as far as its bytes are kept. Nothing newer is touched."""
    from reconcile.flow.rollback import RollbackOptions  # noqa: PLC0415 - help needs none

    options = RollbackOptions(run, seconds(flags["lock_timeout"], "--lock-timeout"), hold=not no_hold)
    with face.house(write=True, reach=reach(flags["mappings"], flags["paths"])) as house:
        return _run(face, house, options, asked=not auto_approve)


def _run(face: Face, house: House, options: RollbackOptions, *, asked: bool) -> int:
    """Shows what would be done, asks, does it, tells; returns the exit code."""
    from reconcile.cli.listeners import JsonLines, hushed, listener  # noqa: PLC0415 - as above
    from reconcile.cli.running import as_run  # noqa: PLC0415
    from reconcile.cli.signals import interruptible  # noqa: PLC0415
    from reconcile.flow.clock import RealClock  # noqa: PLC0415
    from reconcile.flow.rollback import RollbackHooks, rollback  # noqa: PLC0415

    lines = JsonLines(face) if face.json else None
    with as_run(face), listener(face) as heard:

        def approve(plan: UndoPlan) -> bool:
            with hushed(heard), interruptible():
                return _approve(face, plan, asked=asked)

        result = rollback(house, options, RollbackHooks(lines or heard, approve, RealClock(face.stop), face.stop))
    if lines is not None:
        lines.report(result)
    else:
        _tell(face, result)
    return result.exit_code


def _approve(face: Face, plan: UndoPlan, *, asked: bool) -> bool:
    from reconcile.report.undone import undo_lines  # noqa: PLC0415 - only where a person looks

    if not face.json and not face.quiet:
        face.say(undo_lines(plan.run, plan.expected(), full=face.verbose > 0, color=face.color))
    return face.ask("Undo this?") if asked and plan.touches else True


def _tell(face: Face, result: Result) -> None:
    from reconcile.report.undone import undone_lines  # noqa: PLC0415 - as above

    face.say(undone_lines(result))
