"""`reconcile adopt`."""

from __future__ import annotations

import click

from reconcile.cli.face import Face, global_options
from reconcile.cli.options import lock_options, mapping_option, reach, seconds


@click.command("adopt")
@click.argument("globs", nargs=-1, metavar="[GLOB]…")
@mapping_option
@lock_options
@global_options
def command(face: Face, globs: tuple[str, ...], mappings: tuple[str, ...], lock_timeout: str) -> int:
    """Record target files that equal the source, without sending anything."""
    from reconcile.cli.running import run  # noqa: PLC0415 - help needs none
    from reconcile.flow.adopting import adopt  # noqa: PLC0415
    from reconcile.flow.applying import ApplyOptions  # noqa: PLC0415

    options = ApplyOptions(lock_timeout_s=seconds(lock_timeout, "--lock-timeout"), operation="adopt")
    with face.house(write=True, reach=reach(mappings, globs)) as house:
        return run(face, lambda hooks: adopt(house, options, hooks), lambda _plan: True)
