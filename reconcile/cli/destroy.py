"""`reconcile destroy`."""

from __future__ import annotations

import click

from reconcile.cli.face import Face, global_options
from reconcile.cli.options import approve_option, lock_options, reach, reach_options, seconds


@click.command("destroy")
@approve_option
@reach_options
@lock_options
@global_options
def command(
    face: Face, auto_approve: bool, mappings: tuple[str, ...], paths: tuple[str, ...], lock_timeout: str
) -> int:
    """Delete what is ours in the target. What is not ours, or changed since, stays.

    What a removed or renamed mapping left is told as an orphaned scope and stays, too: `state mv`, `state rm`.
    """
    from reconcile.cli.asking import approver  # noqa: PLC0415 - help needs none
    from reconcile.cli.running import run_apply  # noqa: PLC0415
    from reconcile.flow.applying import ApplyOptions  # noqa: PLC0415
    from reconcile.flow.planning import PlanOptions  # noqa: PLC0415

    options = ApplyOptions(PlanOptions(kind="destroy"), seconds(lock_timeout, "--lock-timeout"), operation="destroy")
    approve = approver(face, asked=not auto_approve, question="Delete all of this? Kept bytes stay until `gc`.")
    with face.house(write=True, reach=reach(mappings, paths)) as house:
        return run_apply(face, house, None, options, approve)
