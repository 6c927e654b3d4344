"""A plan of an unchanged tree, local to local, beside `find -printf` over both trees.

`find` is the floor: it lists both sides with their times and sizes and compares nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import subprocess

from tests.benchmarks import peers, trees
from tests.benchmarks.measure import Case, Contender
from tests.benchmarks.servers import tool

SIZES = (10_000, 100_000, 1_000_000)
FLAT_SIZES = (300_000,)


@contextmanager
def stage(room: Path, count: int) -> Iterator[Case]:
    """`count` files, a thousand to a directory."""
    yield _case(room, count, trees.PER_DIRECTORY, f"{count:,} files, nothing to do")


@contextmanager
def stage_flat(room: Path, count: int) -> Iterator[Case]:
    """`count` files in one directory."""
    yield _case(room, count, 0, f"{count:,} files in one directory, nothing to do")


def _case(room: Path, count: int, per_directory: int, title: str) -> Case:
    source, target, spec = room / "source", room / "target", room / "spec"
    trees.make_apart(source, count, per_directory=per_directory)
    trees.make_apart(target, count, per_directory=per_directory)
    peers.write_spec(spec, source, str(target))
    subprocess.run(peers.reconcile(spec, "apply", "--auto-approve"), check=True, stdout=subprocess.DEVNULL)
    find = [tool("find"), source, target, "-type", "f", "-printf", r"%p %s %T@ %C@ %i\n"]
    contenders = [
        Contender("`reconcile plan`", lambda _round: peers.reconcile(spec, "plan"), check=peers.nothing_to_do),
        Contender("`find SOURCE TARGET -printf`", lambda _round: find),
    ]
    return Case(title, count, contenders, yardstick="`find SOURCE TARGET -printf`")
