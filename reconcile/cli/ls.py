"""`reconcile ls`."""

from __future__ import annotations

import click

from reconcile.cli.face import Face, global_options


@click.command("ls")
@click.argument("target", metavar="TARGET|MAPPING")
@global_options
def command(face: Face, target: str) -> int:
    """List a target with sizes, times and totals."""
    from reconcile.core.entry import Entry, Kind, Problem  # noqa: PLC0415 - help needs none
    from reconcile.flow.places import check_there  # noqa: PLC0415
    from reconcile.report.tables import ls_lines  # noqa: PLC0415
    from reconcile.spec.location import TABLE_SCHEMES  # noqa: PLC0415

    with face.place(target) as store:
        listed = list(store.list())
        if not listed:
            check_there(store)
        shown = [item for item in listed if isinstance(item, Problem) or item.kind is not Kind.DIRECTORY]
    found = sorted(shown, key=lambda item: item.key)
    entries = [item for item in found if isinstance(item, Entry)]
    problems = [item for item in found if isinstance(item, Problem)]
    what = "table" if store.url.partition(":")[0] in TABLE_SCHEMES else "file"
    told = {
        "url": store.url,
        "entries": entries,
        "problems": problems,
        "files": sum(entry.kind is Kind.FILE for entry in entries),
        "bytes": sum(entry.size for entry in entries),
    }
    return face.tell(told, ls_lines(found, what=what), exit_code=7 if problems else 0)
