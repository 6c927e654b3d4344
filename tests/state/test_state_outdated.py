"""What is kept of a state and has had its day: it goes, and whoever still reads goes on from what stayed."""

from __future__ import annotations

from contextlib import closing
import os
import time

import pytest

from reconcile.core.entry import ANY
from reconcile.core.errors import CorruptStateError, StateError
from reconcile.state import shared
from reconcile.state.generations import generations, left_of_lost, outlive
from reconcile.state.lease import acquire
from reconcile.state.store import open_state
from tests.state.state_kit import FakeClock, fold_keys, made
from tests.state.test_state_shared import CLOCK, keys, on, store

__all__ = ["on", "store"]

LATER = time.time() + 86_400


def aged(path, days):
    os.utime(path, (time.time() - days * 86_400,) * 2)


def names(state, before_s=LATER, dead_before_s=LATER):
    return [item.name.rpartition("/")[2] for item in state.outdated(before_s, dead_before_s)]


def clear(state, before_s=LATER):
    found = state.outdated(before_s, before_s)
    for item in found:
        state.drop(item)
    return len(found)


def test_the_copies_of_a_lost_state_get_other_names_the_newest_the_highest(tmp_path):
    path = tmp_path / "reconcile.db"
    made(path)
    with closing(open_state(str(path), write=True)) as state:
        lease = acquire(state, "apply", clock=FakeClock())
        for at in range(2):
            fold_keys(state, lease, [f"k{at}"])
            state.keep_generation()
    contents = [copy.read_bytes() for _, copy in reversed(generations(path))]
    for _, copy in generations(path):
        aged(copy, 40)
    assert left_of_lost(path) == generations(path)[0][1]
    outlive(path)
    left = [tmp_path / f"reconcile.db.replaced-{number}" for number in range(1, len(contents) + 1)]
    assert len(left) >= 2
    assert [copy.read_bytes() for copy in left] == contents
    assert generations(path) == []
    assert left_of_lost(path) == left[-1]
    left[-1].write_bytes(b"cut off")
    assert left_of_lost(path) == left[-2]
    with closing(open_state(str(path))) as state:
        assert names(state, time.time() - 30 * 86_400) == [], "their age is counted from now"


def test_old_copies_go_and_the_newest_that_is_whole_stays(tmp_path):
    path = tmp_path / "reconcile.db"
    made(path)
    with closing(open_state(str(path), write=True)) as state:
        lease = acquire(state, "apply", clock=FakeClock())
        for at in range(3):
            fold_keys(state, lease, [f"k{at}"])
            state.keep_generation()
        lease.release()
        (newest, *_), (older, *_), (oldest, *_) = [(path, number) for number, path in generations(path)]
        newest.write_bytes(b"damaged since")
        for side in ("new-0123456789ab", "replaced-1", "replaced-1-wal", "schema-0", "strange"):
            path.with_name(f"{path.name}.{side}").write_bytes(b"x")
        aged(oldest, 40)
        aged(path.with_name(f"{path.name}.replaced-1"), 40)
        now = time.time()
        assert names(state, now - 30 * 86_400) == [
            oldest.name,
            f"{path.name}.replaced-1",
            f"{path.name}.new-0123456789ab",
        ]
        assert names(state, now - 30 * 86_400, now - 86_400) == [oldest.name, f"{path.name}.replaced-1"]
        assert clear(state) == 5
        left = {file.name.removeprefix(path.name) for file in tmp_path.iterdir()} - {"-wal", "-shm"}
        assert left == {"", ".head", ".schema-0", ".strange", older.name.removeprefix(path.name)}
    with closing(open_state(str(path))) as state:
        assert len(state.runs()) == 4


@pytest.fixture
def long(on, store, monkeypatch):
    """A log with two snapshots, and more commits behind them."""
    monkeypatch.setattr(shared, "SNAPSHOT_EVERY", 5)
    state = on("writer")
    lease = acquire(state, "apply", clock=CLOCK)
    for at in range(8):
        fold_keys(state, lease, [f"k{at}"])
    lease.release()
    assert len(list(store.list("state"))) >= 3
    return state


def test_commits_that_two_snapshots_lead_beyond_go(long, store, on):
    before = [item.key for item in store.list("log")]
    snapshots = sorted(int(item.key[-12:]) for item in store.list("state"))
    assert clear(long) > 0
    left = [int(item.key[-12:]) for item in store.list("log")]
    assert left == [number for number in range(1, len(before) + 1) if number > snapshots[-2]]
    assert sorted(int(item.key[-12:]) for item in store.list("state")) == snapshots[-2:]
    assert clear(long) == 0
    assert keys(on("fresh", write=False)) == keys(long) == [f"k{at}" for at in range(8)]


def test_a_copy_that_was_outrun_goes_on_from_a_snapshot(on, store, monkeypatch):
    monkeypatch.setattr(shared, "SNAPSHOT_EVERY", 5)
    on("behind").close()
    state = on("writer")
    lease = acquire(state, "apply", clock=CLOCK)
    for at in range(8):
        fold_keys(state, lease, [f"k{at}"])
    lease.release()
    assert clear(state) > 0
    behind = on("behind")
    assert keys(behind) == keys(state)
    fold_keys(behind, acquire(behind, "apply", clock=CLOCK), ["more"])


def test_a_death_in_the_middle_leaves_a_log_that_is_read(long, store, on):
    """Some go and others stay, in any order: a copy that lacks them goes on from a snapshot."""
    on("behind", write=False).close()
    items = long.outdated(LATER, LATER)
    for item in items[1::2]:
        long.drop(item)
    for machine in ("fresh", "behind"):
        assert keys(on(machine, write=False)) == keys(long)
    assert clear(long) == len(items) - len(items[1::2])


def test_young_commits_stay(long):
    assert long.outdated(LATER, time.time() - 86_400) == []


def test_damaged_snapshots_lead_nowhere(long, store):
    newest = max(item.key for item in store.list("state"))
    store.write(newest, _garbage(), expect=ANY)
    clear(long)
    left = sorted(int(item.key[-12:]) for item in store.list("state"))
    assert len(left) == 3, "the damaged one, and two whole ones"
    assert min(int(item.key[-12:]) for item in store.list("log")) == left[0] + 1


def test_without_two_snapshots_nothing_goes(on):
    state = on("writer")
    fold_keys(state, acquire(state, "apply", clock=CLOCK), ["a"])
    state.keep_generation()
    assert state.outdated(LATER, LATER) == []


def test_a_log_with_a_gap_that_nothing_leads_beyond_is_damaged(long, store, on):
    for item in list(store.list("state")):
        store.delete([(item.key, item.version)])
    on("behind", write=False).close()
    store.delete([("log/000000000003", ANY)])
    with pytest.raises(CorruptStateError, match="missing"):
        on("fresh", write=False)


def test_what_may_not_be_removed_is_told(on, store):
    state = on("reader", write=False)
    on("writer").close()
    with pytest.raises(StateError, match="reading only"):
        on("looker", write=False).drop(shared.Outdated("commits", "log/000000000001", 1))
    state.close()


def _garbage():
    from io import BytesIO

    from reconcile.ports import Body

    return Body(size_bytes=7, open=lambda: BytesIO(b"garbage"), data=b"garbage")
