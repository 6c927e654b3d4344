"""`reconcile show`."""

from __future__ import annotations

import click

from reconcile.cli.face import Face, global_options
from reconcile.cli.options import format_options


@click.command("show")
@click.argument("plan", metavar="PLAN")
@format_options
@global_options
def command(face: Face, plan: str, formats: tuple[str, ...], full: bool) -> int:
    """Show a saved plan."""
    from reconcile.cli.screens import show_plan  # noqa: PLC0415 - help needs none
    from reconcile.state.planfile import load_plan  # noqa: PLC0415

    saved = load_plan(face.at(plan))
    show_plan(face, saved, formats, full=full)
    return saved.exit_code()
