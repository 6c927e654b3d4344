"""`reconcile why`."""

from __future__ import annotations

import click

from reconcile.cli.face import Face, global_options
from reconcile.cli.options import mapping_option, reach


@click.command("why")
@click.argument("path")
@mapping_option
@global_options
def command(face: Face, path: str, mappings: tuple[str, ...]) -> int:
    """All that is known of one path, and what a plan would do with it."""
    from reconcile.flow.looking import why  # noqa: PLC0415 - help needs none
    from reconcile.report.tables import why_lines  # noqa: PLC0415

    with face.house(write=False, reach=reach(mappings)) as house, face.listening() as sink:
        found = why(house, path, sink)
    return face.tell({"paths": found}, (line for one in found for line in why_lines(one, color=face.color)))
