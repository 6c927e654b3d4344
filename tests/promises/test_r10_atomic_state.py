"""R10: the state is read as the last commit or the one before, whatever is lost, damaged, full or failing.

A state is one SQLite file, its log and a small head. Losses of power, byte by byte, are played in `crash/`
(`test_power_loss`), damage in `state/` (`test_state_damage`), failing steps in `crash/` (`test_disk_faults`). Here the
same is shown once on real disks: full ones, read-only ones, and one whose sync fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import errno
import os
from pathlib import Path
import subprocess
from typing import Any

import pytest

from reconcile.core.errors import StateError
from reconcile.flow.clock import RealClock
from reconcile.state import alive
from reconcile.state.lease import acquire
from reconcile.state.store import open_state
from tests.crash import sqlite_io
from tests.crash.blackouts import read_state
from tests.flow.world import World
from tests.state.state_kit import KEYS, fold_keys, made

MIB = 1 << 20


@pytest.fixture(autouse=True)
def the_dead_hold_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that could not give its lease back is this very process, which lives; its user's would be gone."""
    monkeypatch.setattr(alive, "life", lambda _: "dead")


@contextmanager
def mounted(at: Path, *options: str) -> Iterator[Path]:
    """A file system of its own; skipped where nobody may mount one."""
    at.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(at)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"no file system may be mounted here: {done.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)


def fill(directory: Path, room_bytes: int = 0) -> Path:
    """Leaves no more room on a disk; what to remove to make some."""
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            with pytest.raises(OSError, match="No space left"):
                write_for_ever(file, b"x" * size)
        file.truncate(file.tell() - room_bytes)
    return ballast


def write_for_ever(file: Any, piece: bytes) -> None:
    while True:
        file.write(piece)


def failed(work: Callable[[], Any]) -> str:
    """What the run said of its failure."""
    try:
        result = work()
    except StateError as error:
        return str(error)
    assert result.exit_code == 7
    return "; ".join(outcome.error for outcome in result.outcomes)


@pytest.mark.hazard("T18")
def test_a_disk_that_is_full_for_the_state_stops_the_run_and_harms_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    with mounted(tmp_path / "state", "size=1m") as disk:
        world.put(a="1", b="2")
        world.settled()
        world.put(a="one", c="3")
        before = read_state(disk / "reconcile.db")
        ballast = fill(disk)
        assert "full" in failed(world.apply)
        ballast.unlink()
        after = read_state(disk / "reconcile.db")
        assert before is not None
        assert after is not None
        assert [row[:5] for row in after["records"]] == [row[:5] for row in before["records"]]
        world.settled()
        assert world.there() == {"a": "one", "b": "2", "c": "3"}


@pytest.mark.hazard("T18")
@pytest.mark.parametrize("room_bytes", [0, 16 << 10, 48 << 10])
def test_a_disk_that_fills_up_is_told_by_its_name_and_what_to_do(tmp_path: Path, room_bytes: int) -> None:
    """Wherever in a run it fills up: what failed first is the error, not what a broken disk cannot do either."""
    world = World(tmp_path)
    with mounted(tmp_path / "state", "size=1m") as disk:
        world.put(a="1")
        world.settled()
        world.put(**{f"f{number:03}": str(number) for number in range(150)})
        ballast = fill(disk, room_bytes)
        with pytest.raises(StateError, match="the disk is full; the last committed state is whole") as failure:
            world.apply()
        assert failure.value.hint == "make room on this disk; the next run goes on from there"
        ballast.unlink()
        world.settled()
        assert len(world.there()) == 151


@pytest.mark.hazard("T18")
def test_a_target_of_one_mebibyte_takes_what_fits_and_keeps_what_it_has(tmp_path: Path) -> None:
    """One after the other: side by side, the small one may come while half of the large one is in its way."""
    world = World(tmp_path, options={"concurrency": 1})
    with mounted(tmp_path / "out", "size=1m"):
        world.put(small="1", large="x" * (MIB // 2))
        world.settled()
        world.put(small="2", large="y" * (3 * MIB // 4))
        assert "No space left" in failed(world.apply)
        assert world.there() == {"small": "2", "large": "x" * (MIB // 2)}
        world.put(large="y")
        world.settled()
        assert world.there() == {"small": "2", "large": "y"}


@pytest.mark.hazard("T18")
def test_in_a_read_only_directory_of_the_state_nothing_is_tried(tmp_path: Path) -> None:
    world = World(tmp_path)
    with mounted(tmp_path / "state", "size=1m") as disk:
        world.put(a="1")
        world.settled()
        world.put(a="2", b="3")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert world.told() == ["update a", "create b"], "a plan writes nothing"
        told = failed(world.apply)
        assert str(disk / "reconcile.db") in told
        assert world.there() == {"a": "1"}, "nothing was tried"
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        world.settled()
        assert world.there() == {"a": "2", "b": "3"}


@pytest.mark.hazard("T18")
def test_a_full_disk_for_the_cache_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does anything need a temporary directory."""
    world = World(tmp_path)
    with mounted(tmp_path / "small", "size=1m") as disk:
        monkeypatch.setenv("RECONCILE_CACHE_DIR", str(disk / "cache"))
        monkeypatch.setenv("TMPDIR", str(disk))
        monkeypatch.setenv("SQLITE_TMPDIR", str(disk))
        fill(disk)
        world.put(a="1", b="2" * MIB)
        world.settled()
        assert world.there() == {"a": "1", "b": "2" * MIB}


@pytest.mark.hazard("T20")
@pytest.mark.skipif(bool(sqlite_io.WHY_NOT), reason=sqlite_io.WHY_NOT)
def test_a_commit_whose_sync_failed_is_no_commit_and_its_connection_makes_none(tmp_path: Path) -> None:
    """The kernel may have dropped the very pages that a second sync would call safe."""
    path = made(tmp_path / "reconcile.db")
    synced: list[str] = []
    broken = False

    def hear(step: str, told: tuple[Any, ...], done: bool) -> None:
        if step == "sqlite.sync" and not done and told[0].endswith("-wal"):
            synced.append(told[0])
            if broken:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    with sqlite_io.heard(hear):
        state = open_state(str(path), write=True)
        lease = acquire(state, "apply", clock=RealClock())
        before = len(synced)
        broken = True
        with pytest.raises(StateError, match="the disk failed"):
            fold_keys(state, lease, ["new"])
        broken = False
        assert len(synced) == before + 1
        with pytest.raises(StateError, match="the disk failed before"):
            fold_keys(state, lease, ["newer"])
        assert len(synced) == before + 1, "nothing was synced again"
        state.close()
    state = open_state(str(path))
    [(scope, _, _)] = state.scopes()
    assert [record.key for record in state.records(scope.id)] == KEYS
    state.close()


@pytest.mark.hazard("T20")
def test_a_file_whose_sync_failed_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never is the same file synced twice, never does it get its name."""
    world = World(tmp_path)
    world.put(a="1")
    world.settled()
    world.put(a="2")
    tried: list[int] = []
    fsync = os.fsync

    def fail(descriptor: int) -> None:
        found = os.fstat(descriptor)
        if os.readlink(f"/proc/self/fd/{descriptor}").startswith(str(world.out)) and found.st_size == 1:
            tried.append(found.st_ino)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        assert "Input/output error" in failed(world.apply)
    assert len(tried) == 1
    assert world.there() == {"a": "1"}
    world.settled()
    assert world.there() == {"a": "2"}
