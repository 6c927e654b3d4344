"""What a start costs: `--help`, and a plan of a hundred unchanged files, beside an interpreter that does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import subprocess
import sys

from tests.benchmarks import peers, trees
from tests.benchmarks.measure import Case, Contender

SIZES = (100,)
YARDSTICK = "`python3 -c pass`"


@contextmanager
def stage(room: Path, count: int) -> Iterator[Case]:
    """The three side by side."""
    source, spec = room / "source", room / "spec"
    trees.make_apart(source, count)
    peers.write_spec(spec, source, str(room / "target"))
    subprocess.run(peers.reconcile(spec, "apply", "--auto-approve"), check=True, stdout=subprocess.DEVNULL)
    contenders = [
        Contender("`reconcile --help`", lambda _round: peers.reconcile(spec, "--help")),
        Contender("`reconcile plan`", lambda _round: peers.reconcile(spec, "plan"), check=peers.nothing_to_do),
        Contender(YARDSTICK, lambda _round: [sys.executable, "-c", "pass"]),
    ]
    yield Case(f"start-up, and a plan of {count} unchanged files", count, contenders, YARDSTICK)
