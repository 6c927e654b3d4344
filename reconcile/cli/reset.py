"""`reconcile reset`."""

from __future__ import annotations

import click

from reconcile.cli.face import Face, global_options
from reconcile.cli.options import approve_option, lock_options, seconds
from reconcile.core.counts import plural
from reconcile.core.errors import UsageError


@click.command("reset")
@approve_option
@lock_options
@global_options
def command(face: Face, auto_approve: bool, lock_timeout: str) -> int:
    """Forget the state and the control files in the target; never the data, never kept bytes."""
    from reconcile.flow.clock import RealClock  # noqa: PLC0415 - help needs none
    from reconcile.flow.mending import reset  # noqa: PLC0415

    waits_s = seconds(lock_timeout, "--lock-timeout")
    with face.house(write=True) as house:
        records = sum(count for _, _, count in house.state.scopes())
        question = f"Forget {plural(records, 'path')}? The next run adopts what is equal and stops at what is not."
        if not auto_approve and not face.ask(question):
            raise UsageError("declined; nothing was done", op="reset")
        gone = reset(house, RealClock(), timeout_s=waits_s)
    told = f"Forgot {plural(records, 'path')}; removed {plural(gone, 'control file')}. A copy of the state was kept."
    return face.tell({"forgotten": records, "control_files": gone}, [told, "Next: reconcile adopt"])
