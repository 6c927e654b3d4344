"""`reconcile plan`."""

from __future__ import annotations

from pathlib import Path

import click

from reconcile.cli.face import Face, global_options
from reconcile.cli.options import allow_options, allowed, format_options, reach, reach_options
from reconcile.cli.screens import show_plan
from reconcile.core.errors import UsageError
from reconcile.flow.planning import PlanOptions, make_plan
from reconcile.flow.settling import overlay, stopped_run
from reconcile.state.planfile import save_plan


@click.command("plan")
@global_options
@reach_options
@allow_options
@click.option("--out", metavar="FILE", help="Save the plan, with digests pinned, for `apply FILE`.")
@click.option("--detailed-exitcode", is_flag=True, help="2 when changes are pending.")
@format_options
@click.option("--refresh-only", is_flag=True, help="Only what changed in the target.")
@click.option("--no-refresh", is_flag=True, help="Take the target to be as the state remembers it.")
@click.option("--destroy", is_flag=True, help="What `destroy` would do.")
@click.option("--checksum", is_flag=True, help="Read every file; believe no times.")
def command(face: Face, /, **flags: object) -> int:
    """Show what would change and why; change nothing."""
    return plan(face, **flags)  # type: ignore[arg-type]


def plan(
    face: Face,
    *,
    mappings: tuple[str, ...],
    paths: tuple[str, ...],
    allow: tuple[str, ...],
    allow_deletes: bool,
    out: str | None,
    detailed_exitcode: bool,
    formats: tuple[str, ...],
    full: bool,
    refresh_only: bool,
    no_refresh: bool,
    destroy: bool,
    checksum: bool,
) -> int:
    """Makes the plan, saves it if asked, shows it; returns the exit code."""
    out = face.at(out) if out is not None else None
    if out is not None and Path(out).exists():
        raise UsageError("the file exists", op="--out", path=out, hint="name another, or remove it first")
    kind = "destroy" if destroy else "refresh" if refresh_only else "cached" if no_refresh else "apply"
    with face.house(write=False, reach=reach(mappings, paths)) as house:
        stopped = stopped_run(house)
        options = PlanOptions(
            kind=kind,
            allowed=allowed(allow, allow_deletes),
            pinned=out is not None,
            checksum=checksum,
            overlay=overlay(house),
            open_run=(stopped.id, stopped.done, stopped.total) if stopped else (0, 0, 0),
        )
        with face.listening() as sink:
            made = make_plan(house, options, sink)
        if out is not None:
            save_plan(made, out)
        show_plan(face, made, formats, full=full, detailed=detailed_exitcode)
        return made.exit_code(detailed=detailed_exitcode)
