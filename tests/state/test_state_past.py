"""What runs found before they changed it: kept in the transaction of the change, and only where there was something."""

from __future__ import annotations

import pytest

from reconcile.core.entry import Version
from reconcile.ports import Fold, Past, Run
from reconcile.state.lease import acquire
from reconcile.state.mending import move_scope, reset
from reconcile.state.store import open_state
from tests.state.state_kit import DATA, DOCS, FakeClock, fold_keys, record


@pytest.fixture
def opened(tmp_path):
    state = open_state(str(tmp_path / "state.db"), write=True)
    lease = acquire(state, "apply", clock=FakeClock())
    yield state, lease
    state.close()


def past(state, run, *keys, scope=DOCS):
    return list(state.past(run, scope.id, keys))


def test_a_path_as_a_run_found_it_and_left_it(opened):
    state, lease = opened
    first = fold_keys(state, lease, ["a", "b"])
    second = state.begin(Run(0, "apply", 1.0), lease)
    old, new = record("a"), record("a", "two")
    folds = [Fold(DOCS.id, 1, put=new, there=old.version), Fold(DOCS.id, 2, drop="b", there=record("b").version)]
    state.fold(second, folds, [], lease)
    assert past(state, first, "a") == [Past("a", left=old, changed_by=second)]
    assert past(state, second, "a", "b") == [
        Past("a", old.version, old, left=new),
        Past("b", record("b").version, record("b")),
    ]


def test_what_a_run_finds_first_stands(opened):
    state, lease = opened
    fold_keys(state, lease, ["a"])
    run = state.begin(Run(0, "apply", 1.0), lease)
    for content in ("two", "three"):
        there = record("a").version if content == "two" else record("a", "two").version
        state.fold(run, [Fold(DOCS.id, 1, put=record("a", content), there=there)], [], lease)
    (found,) = past(state, run, "a")
    assert (found.record, found.left) == (record("a"), record("a", "three"))


def test_a_stranger_that_had_no_record_is_remembered(opened):
    state, lease = opened
    state.open_scope(DOCS, lease)
    run = state.begin(Run(0, "apply", 1.0), lease)
    state.fold(run, [Fold(DOCS.id, 1, drop="theirs", there=Version("v"))], [], lease)
    assert past(state, run, "theirs") == [Past("theirs", Version("v"))]


def test_a_first_upload_keeps_no_row(opened):
    state, lease = opened
    fold_keys(state, lease, ["a", "b", "c"])
    with state.database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM past").fetchone() == (0,)


def test_a_run_in_another_scope_tells_nothing(opened):
    state, lease = opened
    run = fold_keys(state, lease, ["a"])
    state.open_scope(DATA, lease)
    assert past(state, run, "a", scope=DATA) == []
    assert past(state, run + 1, "a") == []


def test_the_past_follows_a_renamed_mapping_and_goes_with_a_reset(opened):
    state, lease = opened
    run = fold_keys(state, lease, ["a"])
    move_scope(state, DOCS.id, DATA, lease)
    assert past(state, run, "a", scope=DATA) == [Past("a", left=record("a"))]
    move_scope(state, DATA.id, DATA, lease)
    assert past(state, run, "a", scope=DATA) == [Past("a", left=record("a"))]
    reset(state, lease)
    state.open_scope(DATA, lease)
    assert past(state, run, "a", scope=DATA) == []


def test_the_past_of_a_shared_state_is_on_every_copy(tmp_path):
    """A deed finds the same past on each copy, whoever does it."""
    from reconcile.state.shared import open_shared
    from reconcile.stores.memory import MemoryStore

    name = f"shared-{tmp_path.name}"
    state = open_shared(MemoryStore(name), write=True)
    lease = acquire(state, "apply", clock=FakeClock())
    fold_keys(state, lease, ["a"])
    run = state.begin(Run(0, "apply", 1.0), lease)
    state.fold(run, [Fold(DOCS.id, 1, drop="a", there=record("a").version)], [], lease)
    state.path.unlink()
    state.close()
    again = open_shared(MemoryStore(name))
    assert past(again, run, "a") == [Past("a", record("a").version, record("a"))]
    again.close()


def test_what_was_confirmed_is_settled_and_leaves_no_past(opened):
    state, lease = opened
    state.open_scope(DOCS, lease)
    run = state.begin(Run(0, "apply", 1.0), lease)
    told = [record(key, settled=False) for key in ("a", "b")]
    state.fold(run, [Fold(DOCS.id, seq, put=one) for seq, one in enumerate(told)], [], lease)
    shown = Version("as it is shown")
    state.confirm(
        DOCS.id, [("a", told[0].version, shown), ("b", Version("of another"), shown), ("c", shown, shown)], lease
    )
    [first, second] = state.records(DOCS.id)
    assert (first.version, first.settled) == (shown, True)
    assert second == told[1]
    assert past(state, run, "a") == [Past("a", left=first)]
