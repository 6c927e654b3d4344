"""`reconcile lock`."""

from __future__ import annotations

import time

import click

from reconcile.cli.face import Face, global_options


@click.group("lock")
@global_options
def command(face: Face) -> None:
    """Who holds the lock; hold it on purpose."""


@command.command("show")
@global_options
def show(face: Face) -> int:
    """Who holds the lock."""
    from reconcile.flow.looking import held  # noqa: PLC0415 - help needs none
    from reconcile.report.screens import lock_lines  # noqa: PLC0415
    from reconcile.state.lease import show as look  # noqa: PLC0415

    with face.state(write=False) as state:
        holder = held(look(state))
    return face.tell({"lock": holder}, lock_lines(holder, time.time()))


@command.command("hold")
@click.option("--reason", required=True, help="Shown to whoever finds the lock held.")
@global_options
def hold(face: Face, reason: str) -> int:
    """Freeze on purpose: nobody applies until `reconcile unlock ID`."""
    from reconcile.flow.clock import RealClock  # noqa: PLC0415 - help needs none
    from reconcile.flow.looking import held  # noqa: PLC0415
    from reconcile.report.screens import lock_lines  # noqa: PLC0415
    from reconcile.state.lease import hold as take  # noqa: PLC0415

    with face.state(write=True) as state:
        holder = held(take(state, reason, clock=RealClock()))
    return face.tell({"lock": holder}, lock_lines(holder, time.time()))
