"""`reconcile verify`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from reconcile.cli.face import Face, global_options
from reconcile.cli.options import reach, reach_options
from reconcile.core.path import shown

if TYPE_CHECKING:
    from reconcile.flow.verifying import Verified


@click.command("verify")
@reach_options
@global_options
def command(face: Face, mappings: tuple[str, ...], paths: tuple[str, ...]) -> int:
    """Read the target and compare its digests with the state. 8: something differs; 7: could not be read."""
    from reconcile.flow.verifying import verify  # noqa: PLC0415 - help needs none

    with face.house(write=False, reach=reach(mappings, paths)) as house, face.listening() as sink:
        found = verify(house, sink)
    told = {
        "checked": found.checked,
        "bytes": found.bytes,
        "differences": found.differences,
        "problems": [{"mapping": mapping, "problem": problem} for mapping, problem in found.problems],
    }
    return face.tell(told, _lines(found), exit_code=found.exit_code)


def _lines(found: Verified) -> Iterator[str]:
    from reconcile.report.screens import verify_lines  # noqa: PLC0415 - as above

    for mapping, problem in found.problems:
        yield shown(f"  ? {mapping}: {problem.key}  {problem.reason}. {problem.hint}".rstrip(". ") + ".")
    yield from verify_lines(found.differences, checked=found.checked, size_bytes=found.bytes)
