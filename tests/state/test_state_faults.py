"""Disks that are full or fail: the last committed state stays, the error says so, the next run goes on."""

from __future__ import annotations

from contextlib import contextmanager
import errno
import os
import resource

import pytest

from reconcile.core.entry import Version
from reconcile.core.errors import StateError
from reconcile.ports import Fold, Intent, Run
from reconcile.state.lease import acquire, given_back
from reconcile.state.store import open_state
from tests.state.state_kit import DOCS, FakeClock, everything, fold_keys, made, record


@pytest.fixture
def path(tmp_path):
    return made(tmp_path / "reconcile.db")


@contextmanager
def files_up_to(size_bytes):
    """No file can grow beyond `size_bytes`: a disk that fails in the middle of a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def big_fold(state, run, lease):
    state.fold(run, [Fold(DOCS.id, n, put=record(f"new/{n:05}")) for n in range(2_000)], [], lease)


@pytest.mark.hazard("T18")
def test_a_full_disk_leaves_the_state_of_before(path):
    whole = everything(path)
    state = open_state(str(path), write=True)
    lease = acquire(state, "apply", clock=FakeClock())
    with state.database.reading() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StateError, match="disk is full") as failure:
        big_fold(state, 1, lease)
    assert failure.value.exit_code == 1
    with pytest.raises(StateError, match="failed before"):
        state.fold(1, [Fold(DOCS.id, 1, drop="a")], [], lease)
    state.close()
    assert everything(path) == whole

    state = open_state(str(path), write=True)
    ours = state.database
    with ours.transaction() as connection:
        connection.execute("UPDATE lease SET holder = NULL")
    fold_keys(state, acquire(state, "apply", clock=FakeClock()), ["later"])
    state.close()


@pytest.mark.hazard("T18")
def test_what_failed_first_is_told_and_not_that_the_lease_could_not_be_given_back(path):
    state = open_state(str(path), write=True)
    lease = acquire(state, "state mv", clock=FakeClock())
    log = path.with_name("reconcile.db-wal").stat().st_size
    with files_up_to(log), pytest.raises(StateError, match="the disk failed;"), given_back(lease):
        big_fold(state, 1, lease)
    with pytest.raises(StateError, match="failed before"), given_back(lease):
        pass
    state.close()


@pytest.mark.hazard("T18")
@pytest.mark.hazard("T20")
@pytest.mark.parametrize("room", [0, 1, 4096, 20_000, 100_000])
def test_a_write_that_fails_in_the_middle_leaves_the_state_of_before(path, room):
    whole = everything(path)
    state = open_state(str(path), write=True)
    lease = acquire(state, "apply", clock=FakeClock())
    log = path.with_name("reconcile.db-wal").stat().st_size
    with files_up_to(log + room), pytest.raises(StateError, match="the disk failed"):
        big_fold(state, 1, lease)
    with pytest.raises(StateError, match="failed before"):
        lease.renew()
    state.close()
    assert everything(path) == whole


@pytest.mark.hazard("T18")
def test_an_intent_that_is_not_durable_is_an_error_in_its_worker(path):
    state = open_state(str(path), write=True)
    lease = acquire(state, "apply", clock=FakeClock())
    run = state.begin(Run(0, "apply", 1.0), lease)
    many = [Intent(run, n, DOCS.id, f"new/{n}", "create", Version("")) for n in range(2_000)]
    log = path.with_name("reconcile.db-wal").stat().st_size
    with files_up_to(log), pytest.raises(StateError, match="the disk failed"):
        state.journal.intend(many)
    state.close()
    assert everything(path)[6] == []


@pytest.mark.hazard("T20")
@pytest.mark.hazard("T21")
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_head_that_cannot_be_written_is_an_error_and_no_temporary_stays(path, monkeypatch, call):
    state = open_state(str(path), write=True)
    lease = acquire(state, "apply", clock=FakeClock())
    fired = []

    def fail(*_):
        fired.append(call)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync" if call == "fsync" else "pathlib.Path.replace", fail)
        with pytest.raises(StateError, match="Input/output"):
            state.fold(1, [Fold(DOCS.id, 1, put=record("new"))], [], lease)
    assert fired == [call]
    state.fold(1, [Fold(DOCS.id, 1, put=record("new"))], [], lease)
    state.close()
    assert [name for name in os.listdir(path.parent) if ".new-" in name] == []
    assert record("new") in everything(path)[2][DOCS.id]


@pytest.mark.hazard("T18")
def test_a_generation_that_finds_no_room_costs_no_run(tmp_path):
    path = made(tmp_path / "reconcile.db", [f"{n:05}" for n in range(3_000)])
    for generation in tmp_path.glob("*.g*"):
        generation.unlink()
    state = open_state(str(path), write=True)
    lease = acquire(state, "apply", clock=FakeClock())
    run = state.begin(Run(0, "apply", 1.0), lease)
    state.fold(run, [Fold(DOCS.id, 1, drop="00000")], [], lease)
    with files_up_to(path.stat().st_size - 1):
        state.end(Run(run, "apply", 1.0, 2.0), [DOCS.id], lease)
    assert state.runs()[0].ended == 2.0
    assert list(tmp_path.glob("*.g*")) == list(tmp_path.glob("*.new-*")) == []
    state.close()


def test_a_state_that_cannot_be_made_is_an_error(tmp_path):
    with files_up_to(100), pytest.raises(StateError):
        open_state(str(tmp_path / "reconcile.db"), write=True)
    assert list(tmp_path.iterdir()) == []
