"""`reconcile conflicts`."""

from __future__ import annotations

import click

from reconcile.cli.face import Face, global_options
from reconcile.cli.options import lock_options, mapping_option, reach, seconds
from reconcile.core.errors import UsageError


@click.group("conflicts", invoke_without_command=True)
@mapping_option
@global_options
def command(face: Face, mappings: tuple[str, ...]) -> int | None:
    """List the paths that wait for a decision; settle them with `resolve`."""
    if click.get_current_context().invoked_subcommand is not None:
        return None
    from reconcile.flow.planning import PlanOptions, make_plan  # noqa: PLC0415 - help needs none
    from reconcile.flow.settling import overlay  # noqa: PLC0415
    from reconcile.report.json import conflict_document  # noqa: PLC0415
    from reconcile.report.screens import conflict_lines  # noqa: PLC0415

    with face.house(write=False, reach=reach(mappings, ())) as house, face.listening() as sink:
        plan = make_plan(house, PlanOptions(overlay=overlay(house)), sink)
    found = [conflict_document(conflict) for conflict in plan.conflicts]
    return face.tell({"conflicts": found}, conflict_lines(plan, color=face.color), exit_code=3 if found else 0)


@command.command("resolve")
@click.argument("globs", nargs=-1, required=True, metavar="GLOB…")
@click.option(
    "--source", "winner", flag_value="source", help="What is here wins; the other bytes are kept where they can be."
)
@click.option("--target", "winner", flag_value="target", help="What is there stays.")
@click.option("--both", "winner", flag_value="both", help="Keep both (two-way; not built yet).")
@mapping_option
@lock_options
@global_options
def resolve(
    face: Face, globs: tuple[str, ...], winner: str | None, mappings: tuple[str, ...], lock_timeout: str
) -> int:
    """Settle conflicts, also in bulk; nothing else is touched."""
    if winner not in ("source", "target"):
        why = "keeping both is not built yet" if winner == "both" else "nobody was chosen to win"
        raise UsageError(why, op="conflicts resolve", hint="--source or --target")
    from reconcile.cli.running import run_apply  # noqa: PLC0415 - help needs none
    from reconcile.flow.applying import ApplyOptions  # noqa: PLC0415
    from reconcile.flow.planning import PlanOptions, settled_conflicts  # noqa: PLC0415

    options = ApplyOptions(PlanOptions(winner=winner), seconds(lock_timeout, "--lock-timeout"), operation="resolve")
    with face.house(write=True, reach=reach(mappings, globs)) as house:
        return run_apply(face, house, None, options, settled_conflicts(house))
