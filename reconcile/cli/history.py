"""`reconcile history`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from reconcile.cli.face import Face, global_options
from reconcile.core.errors import UsageError

if TYPE_CHECKING:
    from reconcile.core.outcome import Run
    from reconcile.ports import StateStore

_SHOWN: Final = 50
_ALL: Final = 1 << 40


@click.command("history")
@click.argument("run", required=False, type=int)
@global_options
def command(face: Face, run: int | None) -> int:
    """Runs, newest first; with RUN its actions, errors and timings."""
    from reconcile.report.tables import history_lines, run_lines  # noqa: PLC0415 - help needs none

    with face.state(write=False) as state:
        if run is None:
            runs = state.runs(_SHOWN)
            return face.tell({"runs": runs}, history_lines(runs))
        asked = _run(state, run)
        newest = state.runs(1)[0].id == run
        outcomes = list(state.outcomes(run))
    lines = run_lines(asked, outcomes, newest=newest, color=face.color)
    return face.tell({"run": asked, "outcomes": outcomes}, lines)


def _run(state: StateStore, number: int) -> Run:
    found = next((run for run in state.runs(_ALL) if run.id == number), None)
    if found is None:
        raise UsageError(f"there is no run {number}", op="history", hint="reconcile history lists them")
    return found
