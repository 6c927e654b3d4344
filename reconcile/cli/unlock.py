"""`reconcile unlock`."""

from __future__ import annotations

import click

from reconcile.cli.face import Face, global_options


@click.command("unlock")
@click.argument("id_", metavar="ID")
@global_options
def command(face: Face, id_: str) -> int:
    """Break a dead lock, or end a hold. Whoever held it writes nothing more."""
    from reconcile.flow.looking import held  # noqa: PLC0415 - help needs none
    from reconcile.state.lease import break_lease, check_unlock, show  # noqa: PLC0415

    with face.state(write=False) as state:
        check_unlock(show(state), id_)  # where there is nothing to break, nothing is made
    with face.state(write=True) as state:
        holder = held(break_lease(state, id_))
    assert holder is not None
    what = "hold" if holder.hold else holder.operation
    return face.tell({"broken": holder}, [f"Unlocked: {what} of {holder.who}@{holder.host} is over."])
