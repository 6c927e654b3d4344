"""`reconcile gc`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli.face import Face, global_options
from reconcile.cli.options import lock_options, mapping_option, reach, seconds
from reconcile.core.path import shown

if TYPE_CHECKING:
    from reconcile.flow.collecting import Collected, Tally


@click.command("gc")
@click.option("--older-than", default="30d", metavar="30d", help="Only what has been done with for so long (30d).")
@click.option("--dry-run", is_flag=True, help="Only show what would go.")
@mapping_option
@lock_options
@global_options
def command(face: Face, older_than: str, dry_run: bool, mappings: tuple[str, ...], lock_timeout: str) -> int:
    """Empty kept bytes, old generations and leftovers of dead writes that are ours. Never asks; never touches data."""
    from reconcile.flow.clock import RealClock  # noqa: PLC0415 - help needs none
    from reconcile.flow.collecting import collect, foresee  # noqa: PLC0415

    older_than_s, waits_s = seconds(older_than, "--older-than"), seconds(lock_timeout, "--lock-timeout")
    with face.house(write=not dry_run, reach=reach(mappings)) as house:
        if dry_run:
            collected = foresee(house, RealClock(), older_than_s=older_than_s)
        else:
            collected = collect(house, RealClock(), older_than_s=older_than_s, lock_timeout_s=waits_s)
    return face.tell(_document(collected), _lines(collected, dry_run=dry_run), exit_code=collected.exit_code)


def _document(collected: Collected) -> dict[str, Any]:
    return {
        "removed": {kind: _tally(tally) for kind, tally in collected.gone.items()},
        "left": [
            {"mapping": mapping, "kind": kind, "why": why, **_tally(tally)}
            for (mapping, kind, why), tally in collected.left.items()
        ],
        "problems": [{"mapping": mapping, "problem": problem} for mapping, problem in collected.problems],
    }


def _tally(tally: Tally) -> dict[str, int]:
    return {"count": tally.count, "bytes": tally.size_bytes}


def _lines(collected: Collected, *, dry_run: bool) -> Iterator[str]:
    from reconcile.report.gone import gc_lines  # noqa: PLC0415 - as above

    for mapping, problem in collected.problems:
        yield shown(f"  ? {mapping}: {problem.key}  {problem.reason}. {problem.hint}".rstrip(". ") + ".")
    gone = {kind: (tally.count, tally.size_bytes) for kind, tally in collected.gone.items()}
    left = {why: (tally.count, tally.size_bytes) for why, tally in collected.left.items()}
    yield from gc_lines(gone, left, verb="Would remove" if dry_run else "Removed")
