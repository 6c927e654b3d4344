"""Volumes and DBFS of the emulated workspace, 30 ms a request, beside the SDK's own upload calls.

The emulator runs in this process, so that it can tell what was asked of it; latency, not bandwidth, is what is
imitated. (This module is not called `databricks`: the peer, started from this directory, would take it for the SDK.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
import os
from pathlib import Path
import subprocess
import sys

from tests.benchmarks import peers, trees
from tests.benchmarks.measure import BenchmarkError, Case, Contender
from tests.fakes.databricks import Emulator
from tests.fakes.databricks.log import Seen

SMALL_SIZES = (2_000,)
LANES_SIZES = (1_000,)
NOOP_SIZES = (50_000,)
LARGE_SIZES = (2_048,)
FILE_BYTES = 4096
LATENCY_S = 0.03
CONCURRENCY = 16
LANES = (4, 8, 16, 32, 64)
PER_DIRECTORY = 100
PAGE_ENTRIES = 1000
KEPT_BYTES = 1 << 20
BLOCK_BYTES = 1 << 20
PEER = Path(__file__).with_name("databricks_peer.py")
VOLUME = "/Volumes/main/bench/files"
DBFS = "dbfs:/bench"


class Bench:
    """One emulated workspace, and what each contender asked of it in its last round."""

    def __init__(self, workspace: Emulator, count: int) -> None:
        self.workspace = workspace
        self.count = count
        self.asked: dict[str, Counter[str]] = {}
        self.changing: dict[str, str] = {}
        workspace.catalog.add("main", "bench", "files")

    @property
    def env(self) -> dict[str, str]:
        """How the contenders find the workspace."""
        return {
            "DATABRICKS_HOST": self.workspace.url,
            "DATABRICKS_TOKEN": self.workspace.token,
            "NO_PROXY": "127.0.0.1",
        }

    def contender(
        self,
        name: str,
        argv: Callable[[int], list[str | Path]],
        before: Callable[[int], None] = lambda _round: None,
        check: Callable[[str], None] = lambda _said: None,
    ) -> Contender:
        """One that is counted."""

        def ready(number: int) -> None:
            before(number)
            self.workspace.log.clear()

        def counted(said: str) -> None:
            self.asked[name] = self.workspace.log.counts()
            self.changing[name] = _changing(self.workspace.log.of("PUT|POST"))
            check(said)

        return Contender(name, argv, self.env, before=ready, check=counted)

    def remarks(self) -> str:
        """Requests for each file, what they were, and how long it took from the first change to the last."""
        lines = []
        for name, counts in self.asked.items():
            total = counts.total()
            kinds = ", ".join(f"{op} {number:,}" for op, number in counts.most_common(4))
            told = f"{total:,} requests, {total / self.count:.3f} for each file ({kinds})"
            lines.append(f"- {name}: {told}{self.changing[name]}")
        return "\n".join(lines)


def _called(root: str) -> str:
    return "a volume" if root == VOLUME else "DBFS"


def _changing(requests: Sequence[Seen]) -> str:
    """What start and end of a program have no part in: the time between the first change and the last."""
    if not requests:
        return ""
    first_s = min(each.at_s for each in requests)
    span_s = max(each.at_s + each.took_s for each in requests) - first_s
    under_way = sum(each.took_s for each in requests) / span_s
    return f"; {span_s:.2f} s from the first change to the last, {under_way:.1f} requests under way"


@contextmanager
def stage_small(room: Path, count: int, *, root: str) -> Iterator[Case]:
    """`count` files of 4 KiB; every run gets a directory, and ours a state, nobody has used."""
    source = room / "source"
    trees.make_apart(source, count, size=FILE_BYTES)
    with Emulator(latency_s=LATENCY_S) as workspace:
        bench = Bench(workspace, count)
        title = f"{count:,} files of 4 KiB to {_called(root)}, {LATENCY_S * 1000:.0f} ms a request"
        sides = f"the SDK's upload in {CONCURRENCY} threads"
        contenders = [_ours(bench, room, source, root), *_sdk(bench, source, root, sides)]
        yield Case(title, count, contenders, sides, remarks=bench.remarks)


def _ours(bench: Bench, room: Path, source: Path, root: str, *words: str) -> Contender:
    name = "-".join(["ours", *words])

    def fresh(number: int) -> None:
        peers.write_spec(room / f"{name}{number}", source, f"{root}/{name}{number}")

    return bench.contender(
        " ".join(["`reconcile apply", *words]) + "`",
        lambda number: [*peers.reconcile(room / f"{name}{number}", "apply", "--auto-approve", *words)],
        before=fresh,
        check=peers.all_done,
    )


@contextmanager
def stage_lanes(room: Path, count: int, *, root: str) -> Iterator[Case]:
    """The same files with more and more requests under way: what the default is chosen by."""
    source = room / "source"
    trees.make_apart(source, count, size=FILE_BYTES)
    with Emulator(latency_s=LATENCY_S) as workspace:
        bench = Bench(workspace, count)
        contenders = [_ours(bench, room, source, root, "--concurrency", str(lanes)) for lanes in LANES]
        title = f"{count:,} files of 4 KiB to {_called(root)}, {LATENCY_S * 1000:.0f} ms a request"
        yield Case(title, count, contenders, contenders[LANES.index(CONCURRENCY)].name, remarks=bench.remarks)


def _sdk(bench: Bench, source: Path, root: str, sides: str) -> Iterator[Contender]:
    for name, threads in ((sides, CONCURRENCY), ("the SDK's upload, one after the other", 1)):

        def argv(number: int, threads: int = threads) -> list[str | Path]:
            return [sys.executable, PEER, source, f"{root}/sdk{threads}_{number}", str(threads)]

        yield bench.contender(name, argv)


@contextmanager
def stage_noop(room: Path, count: int) -> Iterator[Case]:
    """A plan of files that an ordinary apply sent, at no latency; then it is asked with it."""
    source = room / "source"
    trees.make_apart(source, count, per_directory=PER_DIRECTORY)
    with Emulator() as workspace:
        bench = Bench(workspace, count)
        peers.write_spec(room / "spec", source, f"{VOLUME}/tree")
        _run([*peers.reconcile(room / "spec", "apply", "--auto-approve")], bench.env)
        workspace.latency_s = LATENCY_S
        directories = len({os.path.dirname(name) for name in trees.names(count, PER_DIRECTORY)})
        name = "`reconcile plan`"

        def check(said: str) -> None:
            peers.nothing_to_do(said)
            pages = sum(-(-size // PAGE_ENTRIES) for size in _sizes(count).values())
            if (asked := bench.asked[name].total()) > directories + pages:
                raise BenchmarkError(f"{asked} requests for {directories} directories of {pages} pages")

        ours = bench.contender(name, lambda _round: [*peers.reconcile(room / "spec", "plan")], check=check)
        title = f"{count:,} files in {directories:,} directories of a volume, {LATENCY_S * 1000:.0f} ms a request"
        yield Case(f"{title}, nothing to do", count, [ours], name, remarks=lambda: _floor(bench, name))


def _sizes(count: int) -> Counter[str]:
    """How many entries each directory holds, its directories among them."""
    held: Counter[str] = Counter()
    seen: set[str] = set()
    for name in trees.names(count, PER_DIRECTORY):
        directory = os.path.dirname(name)
        held[directory] += 1
        if directory and directory not in seen:
            seen.add(directory)
            held[""] += 1
    return held


def _floor(bench: Bench, name: str) -> str:
    floor_s = bench.asked[name].total() * LATENCY_S / CONCURRENCY
    return f"{bench.remarks()}\n- requests times latency by concurrency: {floor_s:.2f} s"


@contextmanager
def stage_large(room: Path, mebibytes: int) -> Iterator[Case]:
    """One file of so many MiB to a volume; of what arrives the emulator keeps size and digest only."""
    source = room / "source"
    source.mkdir()
    noise = os.urandom(BLOCK_BYTES)
    with (source / "large.bin").open("wb") as file:
        for number in range(mebibytes):
            file.write(number.to_bytes(8, "big") + noise[8:])
    with Emulator(latency_s=LATENCY_S, keep_bytes=KEPT_BYTES) as workspace:
        bench = Bench(workspace, 1)
        peer, *_ = _sdk(bench, source, VOLUME, "the SDK's upload")
        ours = _ours(bench, room, source, VOLUME)
        title = f"one file of {mebibytes:,} MiB to a volume, {LATENCY_S * 1000:.0f} ms a request"
        yield Case(title, 1, [ours, peer], peer.name, remarks=bench.remarks)


def _run(argv: list[str | Path], env: dict[str, str]) -> None:
    command = [str(part) for part in argv]
    subprocess.run(command, env=os.environ | env, check=True, stdout=subprocess.DEVNULL)


stage_volume = partial(stage_small, root=VOLUME)
stage_dbfs = partial(stage_small, root=DBFS)
stage_volume_lanes = partial(stage_lanes, root=VOLUME)
stage_dbfs_lanes = partial(stage_lanes, root=DBFS)
