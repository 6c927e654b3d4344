"""`reconcile apply`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli.asking import approver
from reconcile.cli.face import Face, global_options
from reconcile.cli.options import (
    allow_options,
    allowed,
    approve_option,
    lock_options,
    reach,
    reach_options,
    seconds,
)
from reconcile.core.errors import UsageError
from reconcile.flow.planning import PlanOptions

if TYPE_CHECKING:
    from reconcile.spec.model import Spec


def apply_options(verb: Any) -> Any:
    """Every flag of `apply` but the plan itself; `sync` has them too."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Plan only."),
        click.option("--select", is_flag=True, help="Choose by group: all, a list, or skip."),
        click.option("--on-failure", type=click.Choice(["continue", "stop", "rollback"]), help="When an action fails."),
        click.option("--concurrency", type=click.IntRange(1, 1024), metavar="N", help="Actions side by side."),
        click.option("--resend", is_flag=True, help="Send everything again."),
        click.option("--checksum", is_flag=True, help="Read every file; believe no times."),
        approve_option,
        allow_options,
        reach_options,
        lock_options,
    ):
        verb = option(verb)
    return verb


@click.command("apply")
@click.argument("plan", required=False, metavar="[PLAN]")
@apply_options
@global_options
def command(face: Face, plan: str | None, **flags: Any) -> int:
    """Plan, ask, and apply; or apply exactly a saved plan, without asking."""
    return apply(face, None, plan, **flags)


def apply(
    face: Face,
    spec: Spec | None,
    plan_file: str | None,
    *,
    dry_run: bool,
    select: bool,
    on_failure: str | None,
    concurrency: int | None,
    resend: bool,
    checksum: bool,
    auto_approve: bool,
    allow: tuple[str, ...],
    allow_deletes: bool,
    mappings: tuple[str, ...],
    paths: tuple[str, ...],
    lock_timeout: str,
) -> int:
    """Runs the whole verb; returns the exit code."""
    if plan_file is not None and (allow or allow_deletes or paths or mappings or resend):
        raise UsageError("a saved plan is applied as it is", op="apply PLAN", hint="plan again with these flags")
    plan_file = face.at(plan_file) if plan_file is not None else None
    permitted = allowed(allow, allow_deletes)
    planning = PlanOptions(allowed=permitted, checksum=checksum, resend=resend)
    narrowed = reach(mappings, paths, concurrency or 0)
    if dry_run:
        return _dry_run(face, spec, planning, narrowed)
    from reconcile.cli.running import run_apply  # noqa: PLC0415 - the engine, only to run it
    from reconcile.flow.applying import ApplyOptions  # noqa: PLC0415

    options = ApplyOptions(planning, seconds(lock_timeout, "--lock-timeout"), on_failure or "")
    asked = plan_file is None and not auto_approve
    with face.house(write=True, reach=narrowed, spec=spec) as house:
        return run_apply(face, house, plan_file, options, approver(face, asked=asked, select=select))


def _dry_run(face: Face, spec: Spec | None, options: PlanOptions, narrowed: Any) -> int:
    from reconcile.cli.screens import show_plan  # noqa: PLC0415
    from reconcile.flow.planning import make_plan  # noqa: PLC0415
    from reconcile.flow.settling import overlay  # noqa: PLC0415

    with face.house(write=False, reach=narrowed, spec=spec) as house, face.listening() as sink:
        plan = make_plan(house, replace(options, overlay=overlay(house)), sink)
        show_plan(face, plan, ())
        return plan.exit_code()
