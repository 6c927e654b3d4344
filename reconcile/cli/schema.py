"""`reconcile schema`."""

from __future__ import annotations

import click

from reconcile.cli.face import Face, global_options


@click.command("schema")
@click.argument("name", type=click.Choice(["spec", "plan", "report"]), default="spec", metavar="[spec|plan|report]")
@global_options
def command(face: Face, name: str) -> int:
    """Print the JSON Schema of a document, for editors."""
    from reconcile.spec.schemas import schema_text  # noqa: PLC0415 - help needs none

    face.write(schema_text(name))
    return 0
