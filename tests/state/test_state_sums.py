"""The history is under sums as the records are: a row that is lost, or too many, is missed by whoever reads it."""

from __future__ import annotations

from contextlib import closing
import shutil
import sqlite3

import pytest

from reconcile.core.entry import Version
from reconcile.core.errors import CorruptStateError, StateError
from reconcile.ports import Fold, Intent, Outcome, Run
from reconcile.state.lease import acquire
from reconcile.state.mending import move_scope, reset
from reconcile.state.opening import examine
from reconcile.state.store import open_state
from tests.state.state_kit import DATA, DOCS, FakeClock, everything, fold_keys, record, told_by


def a_run(state, lease, *keys):
    """A run that changes what is there; returns its number."""
    run = state.begin(Run(0, "apply", 1.0, plan=f"plan of {keys}"), lease)
    folds = [Fold(DOCS.id, seq, put=record(key, f"{run}"), there=Version("v")) for seq, key in enumerate(keys)]
    state.fold(run, folds, [Outcome(seq, "docs", "update", key, "done") for seq, key in enumerate(keys)], lease)
    state.end(Run(run, "apply", 1.0, 2.0, plan=f"plan of {keys}"), [DOCS.id], lease)
    return run


@pytest.fixture
def path(tmp_path):
    """A closed state with a history: three runs over the same paths, one of them open."""
    path = tmp_path / "reconcile.db"
    with closing(open_state(str(path), write=True)) as state:
        lease = acquire(state, "apply", clock=FakeClock())
        fold_keys(state, lease, ["a", "b"])
        a_run(state, lease, "a", "b")
        a_run(state, lease, "a")
        run = state.begin(Run(0, "apply", 5.0), lease)
        state.journal.intend([Intent(run, seq, DOCS.id, key, "update", Version("v")) for seq, key in enumerate("ab")])
        lease.release()
    return path


def change(path, *statements):
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount == 1


LOST = {
    "the newest run": "DELETE FROM runs WHERE id = 4",
    "a run in the middle": "DELETE FROM runs WHERE id = 2",
    "the first run": "DELETE FROM runs WHERE id = 1",
    "an outcome": "DELETE FROM outcomes WHERE run = 2 AND id = 1",
    "what a run found": "DELETE FROM past WHERE run = 3",
    "that a run was here": "DELETE FROM reached WHERE run = 3",
    "what is about to be done": "DELETE FROM intents WHERE seq = 1",
    "the sum of the runs": "DELETE FROM sums WHERE name = 'runs'",
    "the sum of a run's outcomes": "DELETE FROM sums WHERE name = 'outcomes' AND part = 4",
    "the sum of the past": "DELETE FROM sums WHERE name = 'past'",
}


@pytest.mark.hazard("T03")
@pytest.mark.parametrize("statement", LOST.values(), ids=LOST)
def test_a_row_that_is_lost_is_missed(path, statement):
    everything(path)
    change(path, statement)
    with pytest.raises(CorruptStateError):
        everything(path)
    with pytest.raises(CorruptStateError):
        examine(path)


RENAMED = {
    "past": "UPDATE past SET key = 'c' WHERE run = 2 AND key = 'a'",
    "outcomes": "UPDATE outcomes SET id = 7 WHERE run = 2 AND id = 1",
    "runs": "UPDATE runs SET id = 9 WHERE id = 2",
    "reached": "UPDATE reached SET run = 9 WHERE run = 2",
}


@pytest.mark.hazard("T03")
@pytest.mark.parametrize("statement", RENAMED.values(), ids=RENAMED)
def test_a_row_that_is_found_under_another_name_is_missed(path, statement):
    change(path, statement)
    with pytest.raises(CorruptStateError):
        everything(path)


OF_NOTHING = {
    "outcomes": "run, id, mapping, action, key, outcome, size_bytes, sent_bytes, seconds, error, hint, reason, kept",
    "past": "scope, key, run, there, record",
    "records": "scope, key, path, size, digest, version, flags, run",
}


@pytest.mark.hazard("T03")
@pytest.mark.parametrize("table", OF_NOTHING)
def test_a_row_of_nothing_that_is_known_is_found_by_who_reads_all(path, table):
    first, *rest = OF_NOTHING[table].split(", ")
    columns = ", ".join([*rest, "row_check"])
    change(path, f"INSERT INTO {table} ({first}, {columns}) SELECT 99, {columns} FROM {table} LIMIT 1")
    with pytest.raises(CorruptStateError, match="nothing that is known"):
        examine(path)


@pytest.mark.hazard("T03")
def test_a_used_plan_whose_run_is_lost_is_not_taken_for_unused(path):
    plan = "plan of ('a',)"
    with closing(open_state(str(path))) as state:
        assert (state.consumed(plan), state.consumed("another"), state.consumed("")) == (3, None, None)
    for statement in ("DELETE FROM runs WHERE id = 3", "UPDATE runs SET plan = 'x' WHERE id = 3"):
        kept = shutil.copy(path, path.with_name("kept"))
        change(path, statement)
        with closing(open_state(str(path))) as state, pytest.raises(CorruptStateError):
            state.consumed(plan)
        shutil.copy(kept, path)


def test_what_changes_the_history_changes_its_sums(tmp_path):
    """Every kind of deed, and each twice; then all is read."""
    path = tmp_path / "reconcile.db"
    with closing(open_state(str(path), write=True)) as state:
        lease = acquire(state, "apply", clock=FakeClock())
        fold_keys(state, lease, ["a", "b"])
        run = a_run(state, lease, "a", "b")
        said_twice = [Outcome(0, "docs", "update", "a", "failed"), Outcome(0, "docs", "update", "a", "done")]
        for outcomes in (said_twice, said_twice[:1]):
            state.fold(run, [], outcomes, lease)
        assert [one.outcome for one in state.outcomes(run)] == ["failed", "done"]
        resumed = [state.begin(Run(0, "apply", 5.0, plan="p"), lease) for _ in range(2)]
        assert resumed[0] == resumed[1]
        for _ in range(2):
            state.journal.intend([Intent(run, seq, DOCS.id, "k", "create", Version("")) for seq in (1, 2, 2)])
        state.fold(run, [Fold(DOCS.id, seq) for seq in (1, 3)], [], lease)
        assert [intent.seq for intent in state.journal.open_intents()] == [2]
        fold_keys(state, lease, [], scope=DATA)
        examine(path)
        move_scope(state, DOCS.id, DATA, lease)
        examine(path)
        reset(state, lease)
        examine(path)
        assert (len(state.runs()), state.scopes(), state.journal.open_intents()) == (4, [], [])
        fold_keys(state, lease, ["a"])
        told = told_by(state)
        lease.release()
    assert everything(path) == told
    examine(path)


def test_what_is_forgotten_leaves_no_sum_behind(path):
    with closing(open_state(str(path), write=True)) as state:
        lease = acquire(state, "reset", clock=FakeClock())
        state.forget_runs(3, lease)
        reset(state, lease)
        lease.release()
        with state.database.reading() as connection:
            left = connection.execute("SELECT name, part FROM sums ORDER BY name, part").fetchall()
    assert left == [("intents", 0), ("outcomes", 3), ("outcomes", 4), ("runs", 0)]


def test_forgotten_runs_leave_whole_those_that_stay(path):
    with closing(open_state(str(path), write=True)) as state:
        before = [told_by(state)[:4], *told_by(state)[4:]]
        lease = acquire(state, "gc", clock=FakeClock())
        assert [state.forget_runs(number, lease) for number in (0, 1, 3, 3)] == [0, 0, 2, 0]
        assert told_by(state)[:4] == before[0]
        assert (state.runs(), [list(state.outcomes(run)) for run in (4, 3, 2)]) == (before[1][:2], [*before[2][:2], []])
        assert told_by(state)[7][DOCS.id] == before[4][DOCS.id][:2]
        assert list(state.past(2, DOCS.id, ["a"])) == []
        assert state.consumed("plan of ('a', 'b')") is None
        assert state.begin(Run(0, "apply", 9.0), lease) == 5
        lease.release()
        with state.database.reading() as connection:
            for table in ("past", "reached", "outcomes"):
                assert connection.execute(f"SELECT min(run) FROM {table}").fetchone() == (3,)
    examine(path)


def test_a_run_of_which_nothing_is_remembered_tells_nothing(path):
    with closing(open_state(str(path))) as state:
        assert [list(state.outcomes(run)) for run in (0, 4, 5)] == [[], [], []]
        assert state.runs(2)[0].id == 4


def test_a_history_that_lost_a_row_is_not_written_on(path):
    change(path, "DELETE FROM sums WHERE name = 'runs'")
    with pytest.raises(StateError):
        open_state(str(path), write=True)
