"""What the guarantees cost: a first upload as it is, beside the same without a journal and without conditions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import sys

from tests.benchmarks import peers, servers, trees
from tests.benchmarks.measure import Argv, Case, Contender
from tests.benchmarks.peers import Peers
from tests.benchmarks.upload_small import FILE_BYTES, SIZES

__all__ = ["SIZES", "stage"]

UNGUARDED = Path(__file__).with_name("unguarded.py")
YARDSTICK = "the same, unguarded"


@contextmanager
def stage(room: Path, count: int) -> Iterator[Case]:
    """`count` files of 4 KiB to SeaweedFS; every run gets a prefix and a state of its own."""
    source = room / "source"
    trees.make_apart(source, count, size=FILE_BYTES)
    with servers.seaweedfs(room) as endpoint:
        ours = [
            _contender(room, "`reconcile apply`", "guarded", endpoint, [servers.tool("reconcile")]),
            _contender(room, YARDSTICK, "unguarded", endpoint, [sys.executable, UNGUARDED]),
        ]
        yield Case(f"{count:,} files of 4 KiB to SeaweedFS, with and without guarantees", count, ours, YARDSTICK)


def _contender(room: Path, name: str, prefix: str, endpoint: str, program: Argv) -> Contender:
    def fresh(number: int) -> None:
        peers.write_spec(room / f"{prefix}{number}", room / "source", f"bench:{prefix}{number}", endpoint=endpoint)

    def argv(number: int) -> Argv:
        return [*program, "-C", room / f"{prefix}{number}", "apply", "--auto-approve"]

    return Contender(name, argv, Peers(endpoint).env, before=fresh, check=peers.all_done)
