"""Times `reconcile` beside its yardsticks, in turns, on this machine; writes the tables into the README beside it.

::

    python tests/benchmarks/run.py startup noop_local            their usual sizes
    python tests/benchmarks/run.py noop_local --size 10000 --rounds 3
    python tests/benchmarks/run.py --list
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
import os
from pathlib import Path
import platform
import re
import shutil
import sys
import tempfile

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.benchmarks import (  # noqa: E402
    databricks_bench,
    guarantees,
    measure,
    noop_local,
    noop_s3,
    startup,
    table_append,
    table_load,
    table_small,
    upload_large,
    upload_small,
)

README = Path(__file__).with_name("README.md")
Stage = Callable[[Path, int], AbstractContextManager[measure.Case]]


@dataclass(frozen=True)
class Benchmark:
    """One thing to time, at its usual sizes and so many rounds."""

    stage: Stage
    sizes: tuple[int, ...]
    rounds: int = 5


BENCHMARKS = {
    "startup": Benchmark(startup.stage, startup.SIZES, rounds=21),
    "noop_local": Benchmark(noop_local.stage, noop_local.SIZES),
    "noop_flat": Benchmark(noop_local.stage_flat, noop_local.FLAT_SIZES),
    "noop_s3": Benchmark(noop_s3.stage_real, noop_s3.REAL_SIZES, rounds=3),
    "noop_s3_listed": Benchmark(noop_s3.stage_listed, noop_s3.LISTED_SIZES, rounds=3),
    "upload_small": Benchmark(upload_small.stage, upload_small.SIZES),
    "guarantees": Benchmark(guarantees.stage, guarantees.SIZES, rounds=7),
    "upload_large": Benchmark(upload_large.stage, upload_large.SIZES, rounds=3),
    "table_sqlite": Benchmark(table_load.stage_sqlite, table_load.SIZES, rounds=3),
    "table_postgres": Benchmark(table_load.stage_postgres, table_load.SIZES, rounds=3),
    "table_small": Benchmark(table_small.stage, table_small.SIZES, rounds=3),
    "table_append_sqlite": Benchmark(table_append.stage_sqlite, table_append.SIZES, rounds=3),
    "table_append_postgres": Benchmark(table_append.stage_postgres, table_append.SIZES, rounds=3),
    "databricks_volume": Benchmark(databricks_bench.stage_volume, databricks_bench.SMALL_SIZES, rounds=2),
    "databricks_dbfs": Benchmark(databricks_bench.stage_dbfs, databricks_bench.SMALL_SIZES, rounds=2),
    "databricks_volume_lanes": Benchmark(databricks_bench.stage_volume_lanes, databricks_bench.LANES_SIZES, rounds=2),
    "databricks_dbfs_lanes": Benchmark(databricks_bench.stage_dbfs_lanes, databricks_bench.LANES_SIZES, rounds=2),
    "databricks_noop": Benchmark(databricks_bench.stage_noop, databricks_bench.NOOP_SIZES, rounds=3),
    "databricks_large": Benchmark(databricks_bench.stage_large, databricks_bench.LARGE_SIZES, rounds=2),
}


def machine() -> str:
    """What the figures were measured on, in one line."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(encoding="utf-8"), re.MULTILINE)
        cpu = found[1] if found else cpu
    return f"{os.cpu_count()} x {cpu}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def tables(benchmark: Benchmark, asked: argparse.Namespace) -> Iterator[str]:
    """One table for each size."""
    for size in asked.size or benchmark.sizes:
        room = Path(tempfile.mkdtemp(prefix="reconcile-bench-", dir=asked.room))
        os.environ["XDG_CACHE_HOME"] = str(room / "cache")
        try:
            with benchmark.stage(room, size) as staged:
                case = measure.without(staged, asked.without)
                tell(case.title)
                rounds = asked.rounds or benchmark.rounds
                samples = measure.run_rounds(case, rounds=rounds, limit_s=asked.limit, tell=tell)
            below = f"{case.remarks()}\n\n" if case.remarks() else ""
            yield f"{measure.table(case, samples)}\n\n{below}Medians of {rounds} rounds, in turns; {machine()}."
        finally:
            shutil.rmtree(room, ignore_errors=True)


def tell(line: str) -> None:
    """Says how far it is."""
    print(line, file=sys.stderr, flush=True)


def put(readme: Path, name: str, text: str) -> None:
    """Replaces what stands between the two marks of a benchmark."""
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    before, found, rest = readme.read_text(encoding="utf-8").partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"{readme} has no {start} … {end}")
    readme.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")


def main() -> None:
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--list", action="store_true", help="names and usual sizes")
    parser.add_argument("--size", type=int, action="append", help="instead of the usual sizes; may be repeated")
    parser.add_argument("--rounds", type=int, help="measured rounds; one more warms up")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds after which a command is given up")
    parser.add_argument("--without", action="append", default=[], help="leave out whose name holds this (`s5cmd`)")
    parser.add_argument("--room", type=Path, help="where trees and servers live (default: the temporary directory)")
    parser.add_argument("--dry", action="store_true", help="print the tables, leave the README as it is")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(BENCHMARKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    if asked.list or not asked.names:
        print(*(f"{name}: {benchmark.sizes}" for name, benchmark in BENCHMARKS.items()), sep="\n")
    for name in asked.names:
        text = "\n\n".join(tables(BENCHMARKS[name], asked))
        print(text)
        if not asked.dry:
            put(README, name, text)


if __name__ == "__main__":
    main()
