"""The journal: durable before the deed, one fsync for many, and found again by the next run."""

from __future__ import annotations

from contextlib import contextmanager
import os
from pathlib import Path
import signal
import subprocess
import sys
import threading

import pytest

from reconcile.core.entry import Version
from reconcile.core.errors import FencedError, StateError
from reconcile.ports import Fold, Intent, Run
from reconcile.state.lease import acquire, break_lease
from reconcile.state.store import open_state
from tests.state.state_kit import DOCS, FakeClock, everything, fold_keys, made, record

ROOT = Path(__file__).parents[2]
DYING = """
import os, signal, sys
sys.path.insert(0, "tests/state")
from tests.state.state_kit import *
from reconcile.ports import Intent
state = open_state(sys.argv[1], write=True)
lease = acquire(state, "apply", clock=FakeClock())
state.open_scope(DOCS, lease)
run = state.begin(Run(0, "apply", 1.0, plan="p"), lease)
state.journal.intend([Intent(run, 1, DOCS.id, "a", "update", record("a").version, b"d" * 32, 3, "token")])
if sys.argv[2] == "folded":
    state.fold(run, [Fold(DOCS.id, 1, put=record("a", "two"))], [], lease)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def state(tmp_path):
    opened = open_state(str(tmp_path / "reconcile.db"), write=True)
    yield opened
    opened.close()


def intent(run, seq):
    return Intent(run, seq, DOCS.id, f"k{seq}", "create", Version(""))


def at_once(calls):
    """Runs all calls in threads that start together; returns what they raised."""
    raised = []
    barrier = threading.Barrier(len(calls))

    def one(call):
        barrier.wait()
        try:
            call()
        except Exception as error:  # noqa: BLE001
            raised.append(error)

    threads = [threading.Thread(target=one, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_many_workers_share_few_commits(state, monkeypatch):
    lease = acquire(state, "apply", clock=FakeClock())
    run = state.begin(Run(0, "apply", 1.0), lease)
    commits = []
    whole = type(state.database).transaction

    @contextmanager
    def counted(database):
        with whole(database) as connection:
            commits.append(1)
            threading.Event().wait(0.002)  # a disk that takes its time
            yield connection

    monkeypatch.setattr(type(state.database), "transaction", counted)
    calls = [lambda seq=seq: state.journal.intend([intent(run, seq), intent(run, seq + 1000)]) for seq in range(64)]
    assert at_once(calls) == []
    assert len(state.journal.open_intents()) == 128
    assert len(commits) < 32


def test_an_intent_is_durable_when_intend_returns(state):
    lease = acquire(state, "apply", clock=FakeClock())
    run = state.begin(Run(0, "apply", 1.0), lease)
    state.journal.intend([intent(run, 1)])
    reader = open_state(str(state.path))
    assert reader.journal.open_intents() == [intent(run, 1)]
    reader.close()


@pytest.mark.hazard("T10")
def test_all_workers_hear_of_a_lost_lease(state):
    lease = acquire(state, "apply", clock=FakeClock())
    run = state.begin(Run(0, "apply", 1.0), lease)
    break_lease(state, lease.holder.id)
    raised = at_once([lambda seq=seq: state.journal.intend([intent(run, seq)]) for seq in range(8)])
    assert len(raised) == 8
    assert {type(error) for error in raised} == {FencedError}
    assert state.journal.open_intents() == []


@pytest.mark.hazard("T15")
@pytest.mark.parametrize("step", ["intended", "folded"])
def test_a_killed_run_is_found_by_the_next(tmp_path, step):
    path = made(tmp_path / "reconcile.db", ["a", "b"])
    command = [sys.executable, "-c", DYING, str(path), step]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr

    state = open_state(str(path), write=True)
    lease = acquire(state, "apply", clock=FakeClock())
    run = state.runs()[0]
    assert (run.plan, run.ended) == ("p", 0.0)
    if step == "intended":
        (left,) = state.journal.open_intents()
        assert (left.run, left.key, left.token) == (run.id, "a", "token")
        assert state.record(DOCS.id, "a") == record("a")
        state.fold(left.run, [Fold(left.scope, left.seq, put=record("a", "two"))], [], lease)
    assert state.journal.open_intents() == []
    assert state.record(DOCS.id, "a") == record("a", "two")
    assert state.begin(Run(0, "apply", 9.0, plan="p"), lease) == run.id
    state.close()


@pytest.mark.hazard("T17")
def test_every_prefix_of_the_log_is_an_old_state_or_the_new_one(tmp_path):
    """What a power loss leaves of unsynced writes: the log up to any point, with the head of before."""
    path = made(tmp_path / "home" / "reconcile.db", ["a"])
    state = open_state(str(path), write=True)
    lease = acquire(state, "apply", clock=FakeClock())
    head = path.with_name("reconcile.db.head").read_bytes()
    main = path.read_bytes()
    state.fold(1, [Fold(DOCS.id, 1, put=record("b")), Fold(DOCS.id, 2, drop="a")], [], lease)
    log = path.with_name("reconcile.db-wal").read_bytes()
    state.close()

    after = tmp_path / "after"
    after.mkdir()
    (after / "reconcile.db.head").write_bytes(head)
    seen = []
    for cut in [*range(0, len(log), 509), len(log)]:
        (after / "reconcile.db").write_bytes(main)
        (after / "reconcile.db-wal").write_bytes(log[:cut])
        (after / "reconcile.db-shm").unlink(missing_ok=True)
        keys = [r.key for r in everything(after / "reconcile.db")[2][DOCS.id]]
        seen += [keys] if keys not in seen else []
    assert seen == [["a"], ["b"]]


def test_a_run_needs_its_own_begin(state):
    lease = acquire(state, "apply", clock=FakeClock())
    fold_keys(state, lease, ["a"])
    with pytest.raises(StateError):
        state.journal.intend([intent(99, 1)])
    assert os.path.exists(state.path)
