"""A plan of an unchanged tree against a bucket, beside what the peers call a dry run.

`real` asks SeaweedFS, into which the tree was uploaded. `listed` asks `list_server`, which shows a million objects that
nobody had to upload, 30 ms a request: our state is seeded by an ordinary `apply`, which adopts every object because
its ETag is the MD5 of the file; the server is as quick as it can be for that, and slow from then on.

rclone's default asks for the headers of every object, to learn the time it once wrote there; so it gets a prefix it
uploaded itself, and on `listed` the time limit is what it shows. aws trusts the order of a listing, which SeaweedFS
does not keep: there it would send a few files again, and is timed all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import subprocess

from tests.benchmarks import peers, servers, trees
from tests.benchmarks.measure import Argv, Case, Contender
from tests.benchmarks.peers import Peers

REAL_SIZES = (100_000,)
LISTED_SIZES = (1_000_000,)
DELAY_MS = 30.0
YARDSTICK = "`s5cmd --dry-run sync`"


@contextmanager
def stage_real(room: Path, count: int) -> Iterator[Case]:
    """Objects that were uploaded to SeaweedFS: by us under `tree/`, by rclone under `rclone/`."""
    source = room / "source"
    trees.make_apart(source, count)
    with servers.seaweedfs(room) as endpoint:
        rivals = Peers(endpoint)
        _seed(room, source, endpoint)
        _run(rivals.rclone(source, "rclone"), rivals.env)
        yield _case(room, f"{count:,} objects on SeaweedFS, nothing to do", count, rivals, rclone_prefix="rclone")


@contextmanager
def stage_listed(room: Path, count: int) -> Iterator[Case]:
    """Objects that are only listed."""
    source, port = room / "source", servers.free_port()
    trees.make_apart(source, count)
    with servers.list_server(room, count, port=port, delay_ms=0) as endpoint:
        _seed(room, source, endpoint)
    title = f"{count:,} listed objects, {DELAY_MS:.0f} ms a request, nothing to do"
    with servers.list_server(room, count, port=port, delay_ms=DELAY_MS) as endpoint:
        yield _case(room, title, count, Peers(endpoint), rclone_prefix="tree")


def _run(argv: Argv, env: dict[str, str]) -> None:
    subprocess.run([str(part) for part in argv], env=os.environ | env, check=True, stdout=subprocess.DEVNULL)


def _seed(room: Path, source: Path, endpoint: str) -> None:
    peers.write_spec(room / "spec", source, "bench:tree", endpoint=endpoint)
    _run(peers.reconcile(room / "spec", "apply", "--auto-approve"), Peers(endpoint).env)


def _case(room: Path, title: str, count: int, rivals: Peers, *, rclone_prefix: str) -> Case:
    source, spec = room / "source", room / "spec"
    silent: dict[str, Argv] = {
        "`rclone sync --dry-run`": rivals.rclone(source, rclone_prefix, "--dry-run"),
        "`rclone sync --dry-run --fast-list --size-only`": rivals.rclone(
            source, rclone_prefix, "--dry-run", "--fast-list", "--size-only"
        ),
        "`s5cmd --dry-run sync`": rivals.s5cmd("sync", source, "tree", "--dry-run"),
    }
    aws = rivals.aws(source, "tree", "--dryrun")
    ours = Contender(
        "`reconcile plan`", lambda _round: peers.reconcile(spec, "plan"), rivals.env, check=peers.nothing_to_do
    )
    others = [
        Contender(name, lambda _round, argv=argv: argv, rivals.env, check=peers.silent) for name, argv in silent.items()
    ]
    unchecked = Contender("`aws s3 sync --dryrun`", lambda _round: aws, rivals.env)
    return Case(title, count, [ours, *others, unchecked], yardstick=YARDSTICK)
