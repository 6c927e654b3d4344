"""The lease: one holder at a time, taken over only from one that is gone for certain."""

from __future__ import annotations

import os
from pathlib import Path
import re
import subprocess
import sys
import threading

from msgspec.structs import replace
import pytest

from reconcile.core.errors import FencedError, LockedError, StateError, UsageError
from reconcile.ports import Fold, Holder
from reconcile.state import alive
from reconcile.state.fence import read_row, write_row
from reconcile.state.heartbeat import STALE_S, Heartbeat
from reconcile.state.lease import TTL_S, acquire, break_lease, describe, hold, show
from reconcile.state.store import open_state
from tests.state.state_kit import DOCS, FakeClock, fold_keys, made, record

ROOT = Path(__file__).parents[2]
HOLDING = """
import sys, time
from reconcile.state.lease import acquire
from reconcile.state.store import open_state

class Clock:
    now, monotonic, sleep = time.time, time.monotonic, time.sleep

state = open_state(sys.argv[1], write=True)
lease = acquire(state, "apply", clock=Clock())
lease.renew(run=42, done=0.61)
sys.stdout.write(lease.holder.id + "\\n")
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def state(tmp_path):
    opened = open_state(str(made(tmp_path / "reconcile.db")), write=True)
    yield opened
    opened.close()


@pytest.fixture
def other_process(state):
    """A process that holds the lease until its input ends."""
    command = [sys.executable, "-c", HOLDING, str(state.path)]
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    id_ = child.stdout.readline().strip()
    assert id_
    yield child, id_
    child.kill()
    child.communicate()


def put_holder(state, holder, fence=7):
    with state.database.transaction() as connection:
        write_row(connection, fence, holder)


def us(**changes):
    """A holder as this very process would be."""
    pid = os.getpid()
    holder = Holder("abcd", "etl", alive.host(), pid, "apply", 1.0, boot=alive.boot(), started=alive.started(pid))
    return replace(holder, **changes)


def dead_process():
    """The pid and start time of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = alive.started(child.pid)
    child.communicate(b"\n")
    return child.pid, started


@pytest.mark.hazard("T07")
def test_a_second_process_is_told_who_holds_it(state, clock, other_process):
    child, id_ = other_process
    with pytest.raises(LockedError) as refusal:
        acquire(state, "apply", clock=clock)
    told = str(refusal.value)
    assert re.fullmatch(
        r"Locked since .*\d\d:\d\d:\d\d by .+@.+: apply, run 42, 61 % done, last heard \d+ s ago\.", told
    )
    assert refusal.value.exit_code == 6
    assert refusal.value.holder.pid == child.pid
    assert f"reconcile unlock {id_}" in refusal.value.hint


@pytest.mark.hazard("T07")
def test_a_waiting_process_gets_it_when_the_other_releases(state, clock):
    first = acquire(state, "apply", clock=clock)
    clock.on_sleep = lambda: first.release() if clock.passed > 3 else None
    second = acquire(state, "apply", timeout_s=10, clock=clock)
    assert 3 < clock.passed < 4
    assert second.fence == first.fence + 1


@pytest.mark.hazard("T07")
def test_a_wait_ends(state, clock):
    acquire(state, "apply", clock=clock)
    with pytest.raises(LockedError):
        acquire(state, "apply", timeout_s=10, clock=clock)
    assert clock.passed == pytest.approx(10)


@pytest.mark.hazard("T11")
def test_a_killed_holder_is_taken_over_at_once(state, clock, other_process):
    child, _ = other_process
    child.kill()
    child.wait()
    assert acquire(state, "apply", clock=clock).fence > 2
    assert clock.passed == 0


@pytest.mark.hazard("T11")
def test_a_zombie_is_dead(state, clock, other_process):
    child, _ = other_process
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{child.pid}").exists()
    assert acquire(state, "apply", clock=clock)


BOOT, _, MACHINE = alive.boot().partition("/")


@pytest.mark.hazard("T11")
@pytest.mark.parametrize(
    ("changes", "life"),
    [
        ({}, "alive"),
        ({"started": "1 " + us().started.partition(" ")[2]}, "dead"),  # the pid was given to another process
        ({"started": us().started.partition(" ")[0] + " pid:[1]"}, "perhaps"),  # pid 1 of another container
        ({"host": "elsewhere", "boot": "another-boot/another-machine"}, "perhaps"),
        ({"host": "another-name"}, "alive"),  # a container of this machine with our process namespace
        ({"boot": ""}, "perhaps"),
        ({"boot": "/"}, "perhaps"),
        ({"pid": 0}, "perhaps"),
    ],
)
def test_who_is_alive(changes, life):
    assert alive.life(us(**changes)) == life


@pytest.mark.hazard("T11")
def test_a_machine_that_was_started_again_has_no_holder_of_before(monkeypatch):
    monkeypatch.setattr(alive, "boot", lambda: "boot-2/machine")
    assert alive.life(us(boot="boot-1/machine")) == "dead"
    assert alive.life(us(boot="boot-1/machine", host="clone")) == "perhaps"
    assert alive.life(us(boot="boot-1/")) == "perhaps"


@pytest.mark.hazard("T11")
def test_a_dead_pid_is_dead():
    pid, started = dead_process()
    assert started
    assert alive.life(us(pid=pid, started=started)) == "dead"


@pytest.mark.hazard("T11")
@pytest.mark.hazard("T22")
def test_a_holder_elsewhere_is_never_given_up_for_its_age(state, clock):
    put_holder(state, us(boot="far/away", host="far", since=1.0, heard=1.0))
    for now in (1.0, clock.wall, clock.wall + 1e9, -5.0):
        clock.wall = now
        with pytest.raises(LockedError):
            acquire(state, "apply", clock=clock)
        with pytest.raises(LockedError):
            acquire(state, "apply", timeout_s=TTL_S / 2, clock=clock)


@pytest.mark.hazard("T11")
@pytest.mark.hazard("T22")
def test_a_holder_elsewhere_is_given_up_after_a_watched_silence(state, clock):
    put_holder(state, us(boot="far/away", host="far"))
    lease = acquire(state, "apply", timeout_s=TTL_S + 5, clock=clock)
    assert TTL_S <= clock.passed <= TTL_S + 1
    assert lease.fence == 8


@pytest.mark.hazard("T11")
def test_a_living_holder_of_this_machine_is_never_given_up_however_silent(state, clock):
    """Stopped by a debugger, or by a slow store: while its process lives, the lease is its own."""
    put_holder(state, us(since=1.0, heard=1.0))
    with pytest.raises(LockedError):
        acquire(state, "apply", timeout_s=5 * TTL_S, clock=clock)


@pytest.mark.hazard("R36")
def test_a_holder_elsewhere_that_beats_is_left_alone(state, clock):
    far = us(boot="far/away", host="far")
    put_holder(state, far)
    clock.on_sleep = lambda: put_holder(state, far) if clock.passed % 30 < 0.25 else None
    with pytest.raises(LockedError):
        acquire(state, "apply", timeout_s=5 * TTL_S, clock=clock)


@pytest.mark.hazard("T12")
@pytest.mark.parametrize("garbage", ["", "{}", "null", "[1]", '{"id": 5}', b"\xff\x00", 17, "x" * 5000])
def test_a_garbled_row_is_locked_until_it_is_broken_by_name(state, clock, garbage):
    with state.database.transaction() as connection:
        connection.execute("UPDATE lease SET holder = ?", (garbage,))
    with pytest.raises(LockedError) as refusal:
        acquire(state, "apply", timeout_s=10 * TTL_S, clock=clock)
    with pytest.raises(LockedError):
        hold(state, "freeze", clock=clock)
    id_ = show(state).id
    assert id_ in refusal.value.hint
    break_lease(state, id_)
    assert acquire(state, "apply", clock=clock)


@pytest.mark.hazard("T12")
def test_a_row_that_is_gone_is_locked(state, clock):
    with state.database.transaction() as connection:
        connection.execute("DELETE FROM lease")
    with pytest.raises(LockedError):
        acquire(state, "apply", clock=clock)
    break_lease(state, show(state).id)
    assert acquire(state, "apply", clock=clock)


@pytest.mark.hazard("T13")
def test_our_own_token_is_recognised_after_a_lost_reply(state, clock, monkeypatch):
    lost = []
    whole = type(state.database).transaction

    def forgetful(database):
        manager = whole(database)

        class Losing:
            def __enter__(self):
                return manager.__enter__()

            def __exit__(self, *error):
                manager.__exit__(*error)
                if not lost:
                    lost.append(True)
                    raise StateError("the reply was lost")

        return Losing()

    monkeypatch.setattr(type(state.database), "transaction", forgetful)
    lease = acquire(state, "apply", clock=clock)
    assert lost
    assert show(state).id == lease.holder.id
    lease.renew()


def test_a_failed_attempt_is_an_error(state, clock):
    state.close()
    with pytest.raises(StateError):
        acquire(state, "apply", clock=clock)


def test_a_hold_stays_until_it_is_unlocked(state, clock):
    held = hold(state, "migration", clock=clock)
    with pytest.raises(LockedError, match=r"Held since .* by .+@.+: migration\."):
        acquire(state, "apply", timeout_s=10 * TTL_S, clock=clock)
    with pytest.raises(LockedError):
        hold(state, "again", clock=clock)
    with pytest.raises(UsageError, match=f"the lock is {held.id}, not 1234"):
        break_lease(state, "1234")
    assert break_lease(state, held.id).reason == "migration"
    assert show(state) is None
    with pytest.raises(UsageError, match="not locked"):
        break_lease(state, held.id)


def test_a_lease_can_leave_a_hold_behind_that_gives_way_to_its_own_kind(state, clock):
    lease = acquire(state, "rollback", clock=clock)
    lease.leave_hold("rollback of run 41")
    with pytest.raises(LockedError):  # its process lives
        acquire(state, "rollback", clock=clock)
    lease.release()
    with pytest.raises(FencedError):
        lease.renew()
    again = acquire(state, "rollback", clock=clock)
    assert (show(state).id, show(state).hold, show(state).reason) == (again.holder.id, True, "rollback of run 41")
    again.leave_hold("")
    again.release()
    assert show(state) is None


def test_showing_takes_nothing(state, clock):
    assert show(state) is None
    lease = acquire(state, "apply", clock=clock)
    reader = open_state(str(state.path))
    assert show(reader) == lease.holder
    reader.close()
    lease.renew()
    lease.release()
    assert show(state) is None


def test_the_holder_in_one_line():
    holder = Holder("9c2e", "etl", "ci-runner-7", 5, "apply", 1000.0, heard=1090.0)
    assert describe(holder, 1096.0).endswith("by etl@ci-runner-7: apply, last heard 6 s ago.")
    assert "run 42, 61 % done, last heard 0 s ago" in describe(replace(holder, run=42, done=0.61), 1.0)
    assert re.search(r"since 1970-01-0\d ", describe(holder, 1e6))


@pytest.mark.hazard("T10")
def test_a_paused_holder_that_was_replaced_writes_nothing(tmp_path, clock):
    path = str(made(tmp_path / "reconcile.db"))
    paused, other = open_state(path, write=True), open_state(path, write=True)
    lease = acquire(paused, "apply", clock=clock)
    break_lease(other, lease.holder.id)
    fold_keys(other, acquire(other, "apply", clock=clock), ["theirs"])
    before = list(other.records(DOCS.id))
    with pytest.raises(FencedError, match="broken or taken"):
        paused.fold(1, [Fold(DOCS.id, 1, put=record("ours"))], [], lease)
    assert list(other.records(DOCS.id)) == before
    paused.close()
    other.close()


@pytest.mark.hazard("T10")
def test_who_was_stopped_looks_before_it_goes_on(state, clock, monkeypatch):
    passed = [0.0]
    monkeypatch.setattr("reconcile.state.heartbeat._awake_or_not_s", lambda: passed[0])
    lease = acquire(state, "apply", clock=clock)
    with Heartbeat(lease, every_s=1e6) as heartbeat:
        before = beats(state)
        assert not heartbeat.is_set()
        assert beats(state) == before
        passed[0] += STALE_S * 2
        assert not heartbeat.is_set()
        assert beats(state) == before + 1
        break_lease(state, lease.holder.id)
        passed[0] += STALE_S / 2
        assert not heartbeat.is_set()
        passed[0] += STALE_S
        assert heartbeat.is_set()


@pytest.mark.hazard("T07")
def test_a_commit_that_another_is_in_the_middle_of_is_a_lock(state, clock, monkeypatch):
    monkeypatch.setattr("reconcile.state.connection.BUSY_S", 0.05)
    other = open_state(str(state.path), write=True)
    with state.leasing():
        with pytest.raises(LockedError) as refusal:
            acquire(other, "apply", timeout_s=1, clock=clock)
        assert clock.passed >= 1
        with pytest.raises(LockedError, match="in the middle of a commit") as refusal:
            break_lease(other, "1234")
    assert refusal.value.exit_code == 6
    acquire(other, "apply", clock=clock).release()
    other.close()


@pytest.mark.hazard("R36")
def test_a_heartbeat_beats_by_itself_and_hears_of_the_loss(state, clock):
    lease = acquire(state, "apply", clock=clock)
    with Heartbeat(lease, every_s=0.01) as heartbeat:
        heartbeat.run, heartbeat.done = 5, 0.5
        with state.database.reading() as connection:
            before = read_row(connection).beats
        wait_until(lambda: show(state).run == 5 and beats(state) > before + 2)
        assert not heartbeat.lost.is_set()
        break_lease(state, lease.holder.id)
        assert heartbeat.lost.wait(5)


def beats(state):
    with state.database.reading() as connection:
        return read_row(connection).beats


def wait_until(truth):
    pause = threading.Event()
    for _ in range(500):
        if truth():
            return
        pause.wait(0.01)
    raise AssertionError("it never came true")


@pytest.mark.hazard("T31")
def test_a_child_inherits_nothing_of_the_state(state, clock):
    acquire(state, "apply", clock=clock)
    ours, inherited = (
        subprocess.run(["ls", "-l", where], close_fds=False, capture_output=True, text=True, check=False).stdout
        for where in (f"/proc/{os.getpid()}/fd", "/proc/self/fd")
    )
    assert str(state.path) in ours
    assert str(state.path) not in inherited
