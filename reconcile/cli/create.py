"""`reconcile create`."""

from __future__ import annotations

import click

from reconcile.cli.face import Face, global_options


@click.command("create")
@click.argument("target", metavar="TARGET")
@global_options
def command(face: Face, target: str) -> int:
    """Make a bucket, a directory, a volume or a database."""
    with face.place(target, write=True) as store:
        made = list(store.ensure())
    return face.tell({"url": store.url, "made": made}, [f"Made {one}." for one in made] or [f"{store.url} is there."])
