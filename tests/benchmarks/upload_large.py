"""One large file to SeaweedFS, beside `s5cmd cp`: wall time, and memory that does not depend on the size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path

from tests.benchmarks import peers, servers
from tests.benchmarks.measure import Case, Contender
from tests.benchmarks.peers import Peers

SIZES = (4096,)
BLOCK_BYTES = 1 << 20


@contextmanager
def stage(room: Path, mebibytes: int) -> Iterator[Case]:
    """One file of so many MiB of noise (no two blocks alike, so that nothing is compressed or stored once)."""
    source = room / "source"
    source.mkdir()
    noise = os.urandom(BLOCK_BYTES)
    with (source / "large.bin").open("wb") as file:
        for number in range(mebibytes):
            file.write(number.to_bytes(8, "big") + noise[8:])
    with servers.seaweedfs(room) as endpoint:
        yield Case(f"one file of {mebibytes:,} MiB to SeaweedFS", 1, _contenders(room, endpoint), "`s5cmd cp`")


def _contenders(room: Path, endpoint: str) -> list[Contender]:
    rivals, source = Peers(endpoint), room / "source"

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
        Contender("`s5cmd cp`", lambda number: rivals.s5cmd("cp", source / "large.bin", f"cp{number}"), rivals.env),
    ]
