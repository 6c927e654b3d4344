"""Many small files into an empty prefix of SeaweedFS, beside the peers: objects per second of processor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import peers, servers, trees
from tests.benchmarks.measure import Case, Contender
from tests.benchmarks.peers import Peers

SIZES = (10_000,)
FILE_BYTES = 4096


@contextmanager
def stage(room: Path, count: int) -> Iterator[Case]:
    """`count` files of 4 KiB; every run of every program gets a prefix, and ours a state, nobody has used."""
    source = room / "source"
    trees.make_apart(source, count, size=FILE_BYTES)
    with servers.seaweedfs(room) as endpoint:
        yield Case(f"{count:,} files of 4 KiB to SeaweedFS", count, _contenders(room, source, endpoint), "`s5cmd cp`")


def _contenders(room: Path, source: Path, endpoint: str) -> list[Contender]:
    rivals = Peers(endpoint)

    def fresh(number: int) -> None:
        peers.write_spec(room / f"spec{number}", source, f"bench:reconcile{number}", endpoint=endpoint)

    return [
        Contender(
            "`reconcile apply`",
            lambda number: peers.reconcile(room / f"spec{number}", "apply", "--auto-approve"),
            rivals.env,
            before=fresh,
            check=peers.all_done,
        ),
        Contender("`s5cmd cp`", lambda number: rivals.s5cmd("cp", source, f"cp{number}"), rivals.env),
        Contender("`s5cmd sync`", lambda number: rivals.s5cmd("sync", source, f"sync{number}"), rivals.env),
        Contender("`rclone sync`", lambda number: rivals.rclone(source, f"rclone{number}"), rivals.env),
        Contender("`aws s3 sync`", lambda number: rivals.aws(source, f"aws{number}"), rivals.env),
    ]
