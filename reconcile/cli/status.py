"""`reconcile status`."""

from __future__ import annotations

import time

import click

from reconcile.cli.face import Face, global_options
from reconcile.cli.options import seconds


@click.command("status")
@click.option("--max-age", metavar="1h", help="Exit code 1 when a mapping's last success is older.")
@global_options
def command(face: Face, max_age: str | None) -> int:
    """The last run, who holds the lock, how old the last success is."""
    from reconcile.flow.looking import status  # noqa: PLC0415 - help needs none
    from reconcile.report.screens import status_lines  # noqa: PLC0415

    most_s = seconds(max_age, "--max-age") if max_age is not None else None
    with face.house(write=False) as house:
        found = status(house, time.time())
    old = most_s is not None and any(found.now - one.last_success > most_s for one in found.mappings)
    return face.tell(found, status_lines(found, color=face.color), exit_code=int(old))
