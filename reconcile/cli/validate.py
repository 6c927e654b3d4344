"""`reconcile validate`."""

from __future__ import annotations

import click

from reconcile.cli.face import Face, global_options
from reconcile.core.counts import plural
from reconcile.core.errors import SpecError, UsageError


@click.command("validate")
@global_options
def command(face: Face) -> int:
    """Check the spec only; no network."""
    from reconcile.flow.wire import refuse  # noqa: PLC0415 - help needs none

    try:
        spec = face.spec()
        refuse(spec, spec.mappings.values())
    except (SpecError, UsageError) as error:
        if not face.json:
            raise
        problems = error.problems if isinstance(error, SpecError) else str(error).splitlines()
        return face.tell({"valid": False, "problems": problems}, (), exit_code=error.exit_code)
    told = {"valid": True, "problems": [], "file": spec.file, "digest": spec.digest, "mappings": list(spec.mappings)}
    return face.tell(told, [f"{spec.file} is valid: {plural(len(spec.mappings), 'mapping')}."])
