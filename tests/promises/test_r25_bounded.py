"""R25: memory does not follow the size of files, grows little with their number; files, copies and logs are bounded.

Peaks are those of real processes, as the kernel counted them; a bound is a multiple of what was measured, far below
what would be needed if anything were held whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import gzip
import os
from pathlib import Path
import subprocess
import sys

import pytest

from reconcile.flow.clock import RealClock
from reconcile.flow.collecting import collect
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import Answer, answer
from tests.flow.world import World
from tests.servers import KEY_ID, SECRET, Server, seaweed_s3

__all__ = ["seaweed_s3"]

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read where Linux tells them")

MIB = 1 << 20
CHILD = """
import resource, sys
size = int(sys.argv[1])
if size:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
from reconcile.cli.main import run
code = run(sys.argv[2:])
status = open("/proc/self/status").read()
print("peak", int(status.split("VmHWM:")[1].split()[0]) * 1024, file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True)
class Ran:
    """How a command ended, in a process of its own; `peak` in bytes of resident memory."""

    code: int
    peak: int
    out: str
    err: str


def ran(root: Path, *words: str, largest_file: int = 0, **environ: str) -> Ran:
    """Runs a command; with `largest_file` the process may write no file beyond so many bytes, wherever it is."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(largest_file), "-C", str(root), *words],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    *err, last = done.stderr.splitlines()
    assert last.startswith("peak "), done.stderr
    return Ran(done.returncode, int(last.split()[1]), done.stdout, "\n".join(err))


def spec(root: Path, target: str) -> Path:
    (root / "src").mkdir(parents=True)
    (root / "reconcile.yaml").write_text(f"version: 1\nmappings:\n  docs: {{source: ./src, target: '{target}'}}\n")
    return root


def sparse(path: Path, size: int) -> None:
    """A file of so many bytes that takes no room."""
    with path.open("wb") as file:
        file.truncate(size)


def applied(root: Path, target: str, size: int, **how: object) -> Ran:
    """A first apply of one file of this size."""
    spec(root, target)
    sparse(root / "src/large", size)
    done = ran(root, "apply", "--auto-approve", **how)  # type: ignore[arg-type]
    assert done.code == 0, done.err
    return done


@pytest.mark.hazard("L25")
def test_a_huge_file_goes_to_a_directory_in_little_memory(tmp_path: Path) -> None:
    small = applied(tmp_path / "small", "./there", MIB)
    large = applied(tmp_path / "large", "./there", 512 * MIB)
    assert (tmp_path / "large/there/large").stat().st_size == 512 * MIB
    assert large.peak - small.peak < 32 * MIB


@pytest.mark.hazard("L25")
@pytest.mark.hazard("O07")
def test_a_huge_file_goes_to_s3_in_little_memory_and_through_no_file(tmp_path: Path, seaweed_s3: Server) -> None:
    """The process may not write any file beyond 4 MiB: not in a temporary directory, nor anywhere else."""
    access = {
        "AWS_ENDPOINT_URL": seaweed_s3.endpoint,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
    }
    bucket = seaweed_s3.bucket()
    small = applied(tmp_path / "small", f"s3://{bucket}/small", MIB, largest_file=4 * MIB, **access)
    large = applied(tmp_path / "large", f"s3://{bucket}/large", 384 * MIB, largest_file=4 * MIB, **access)
    assert seaweed_s3.client.head_object(Bucket=bucket, Key="large/large")["ContentLength"] == 384 * MIB
    assert large.peak - small.peak < 160 * MIB, "five parts of 16 MiB at once, and what sends them"


@pytest.mark.campaign
@pytest.mark.hazard("L25")
def test_twenty_gibibytes_go_to_a_directory_in_little_memory(tmp_path: Path) -> None:
    small = applied(tmp_path / "small", "./there", MIB)
    large = applied(tmp_path / "large", "./there", 20 << 30)
    assert large.peak - small.peak < 32 * MIB


def planned(root: Path, count: int) -> Ran:
    spec(root, "./there")
    for at in range(count):
        (root / "src" / f"file number {at}").touch()
    done = ran(root, "plan")
    assert (done.code, f"Plan: {count:,} to create" in done.out) == (0, True), done
    return done


@pytest.mark.hazard("L26")
@pytest.mark.parametrize(("few", "many"), [(1_000, 11_000), pytest.param(50_000, 250_000, marks=pytest.mark.campaign)])
def test_memory_grows_little_with_every_entry(tmp_path: Path, few: int, many: int) -> None:
    less, more = planned(tmp_path / "few", few), planned(tmp_path / "many", many)
    assert (more.peak - less.peak) / (many - few) < 2_048, "bytes an entry"


def test_many_runs_leave_few_files_and_a_small_state(tmp_path: Path) -> None:
    """A hundred runs that each overwrite a file: what is beside the state does not grow, the history a little."""
    world = World(tmp_path, options={"keep": "always"})
    files, sizes = [], []
    for run in range(100):
        world.put(a=f"text number {run:04}", steady="1")
        assert world.apply().exit_code == 0
        if run in (49, 99):
            files.append(len(list((tmp_path / "state").iterdir())))
            sizes.append((tmp_path / "state/reconcile.db").stat().st_size)
    assert files[0] == files[1] <= 8
    assert sizes[1] - sizes[0] < 50 * 2_048
    with world.house(write=True) as house:
        assert collect(house, RealClock(), older_than_s=0.0).gone["kept"].count == 99
    assert sorted(path.name for path in world.out.iterdir()) == ["a", "steady"]


@pytest.fixture
def hostile() -> Iterator[FakeS3]:
    with FakeS3() as server:
        yield server


def asked(root: Path, server: FakeS3, **environ: str) -> Ran:
    """A plan against a server that means harm."""
    spec(root, "s3://bucket/p")
    access = {"AWS_ACCESS_KEY_ID": "fake", "AWS_SECRET_ACCESS_KEY": "fake", "AWS_REGION": "us-east-1"}
    return ran(root, "plan", AWS_ENDPOINT_URL=server.endpoint, **access, **environ)


@pytest.mark.hazard("S16")
def test_a_small_answer_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path, hostile: FakeS3) -> None:
    calm = asked(tmp_path / "calm", hostile)
    assert calm.code == 0, calm.err
    bomb = gzip.compress(bytes(512 * MIB), 6)
    assert len(bomb) < MIB
    fault = hostile.fault("list", answer(Answer(200, bomb, {"Content-Encoding": "gzip"})), times=99)
    harmed = asked(tmp_path / "harmed", hostile)
    assert fault.fired
    assert harmed.code in (1, 7)
    assert harmed.peak - calm.peak < 96 * MIB


@pytest.mark.hazard("S16")
def test_a_flood_of_headers_is_refused(tmp_path: Path, hostile: FakeS3) -> None:
    calm = asked(tmp_path / "calm", hostile)
    flood = {f"X-Flood-{at}": "x" * 1_000 for at in range(10_000)}
    fault = hostile.fault("list", answer(Answer(200, b"", flood)), times=2)
    harmed = asked(tmp_path / "harmed", hostile)
    assert fault.fired == 2, "it is asked again, as after any broken answer"
    assert harmed.code == 0, harmed.err
    assert harmed.peak - calm.peak < 64 * MIB
