"""The state store: what is folded is read back, in order, and only under the lease."""

from __future__ import annotations

from contextlib import closing
import stat
import threading

import pytest

from reconcile.core.entry import Version
from reconcile.core.errors import FencedError, LockedError, StalePlanError, StateError
from reconcile.ports import Fold, Intent, Outcome, Run, StateStore
from reconcile.state import runs
from reconcile.state.files import alone_in
from reconcile.state.lease import acquire, break_lease
from reconcile.state.store import open_state
from tests.state.state_kit import DATA, DOCS, KEYS, FakeClock, bytes_of, fold_keys, made, record


@pytest.fixture
def state(tmp_path):
    opened = open_state(str(tmp_path / "state" / "reconcile.db"), write=True)
    yield opened
    opened.close()


@pytest.fixture
def lease(state):
    return acquire(state, "apply", clock=FakeClock())


def test_it_is_a_state_store(state):
    port: StateStore = state
    assert len(port.lineage) == 32


def test_records_come_back_whole_and_in_byte_order(state, lease):
    kinds = [{}, {"path": "src/x"}, {"settled": False}, {"executable": True}, {"run": 7}, {"accepted": True}]
    wanted = [record(key, **kinds[n % len(kinds)]) for n, key in enumerate(KEYS)]
    state.open_scope(DOCS, lease)
    state.fold(1, [Fold(DOCS.id, n, put=r) for n, r in enumerate(reversed(wanted))], [], lease)
    assert list(state.records(DOCS.id)) == sorted(wanted, key=lambda r: r.key.encode())
    assert state.record(DOCS.id, "a/b") == wanted[KEYS.index("a/b")]
    assert state.record(DOCS.id, "nothing") is None
    assert state.record("no scope", "a") is None
    assert list(state.records("no scope")) == []


def test_the_later_fold_of_a_key_counts(state, lease):
    state.open_scope(DOCS, lease)
    state.fold(1, [Fold(DOCS.id, 1, put=record("a")), Fold(DOCS.id, 2, drop="a", put=record("b"))], [], lease)
    state.fold(1, [Fold(DOCS.id, 3, drop="b"), Fold(DOCS.id, 4, put=record("b", "two")), Fold(DOCS.id, 5)], [], lease)
    assert list(state.records(DOCS.id)) == [record("b", "two")]
    assert state.scopes() == [(DOCS, 2, 1)]


def test_a_scope_has_its_own_records_serial_and_completion(state, lease):
    fold_keys(state, lease, ["a", "b"])
    state.open_scope(DATA, lease)
    commits = state.head().serial
    state.open_scope(DATA, lease)
    assert state.head().serial == commits, "what is known costs no commit"
    assert state.scopes() == [(DOCS, 1, 2), (DATA, 0, 0)]
    assert (state.serial(DOCS.id), state.serial(DATA.id), state.serial("unknown")) == (1, 0, 0)
    assert (state.completed(DOCS.id), state.completed(DATA.id), state.completed("unknown")) == (True, False, False)
    state.fold(1, [Fold(DATA.id, 1, put=record("a", "other"))], [], lease)
    assert list(state.records(DOCS.id)) == [record("a"), record("b")]
    with pytest.raises(StateError, match="never opened"):
        state.fold(1, [Fold("unknown", 1, put=record("a"))], [], lease)


def test_a_fold_is_all_or_nothing(state, lease):
    fold_keys(state, lease, ["a"])
    with pytest.raises(StateError):
        state.fold(1, [Fold(DOCS.id, 1, put=record("b")), Fold("unknown", 2, put=record("c"))], [], lease)
    assert [r.key for r in state.records(DOCS.id)] == ["a"]
    assert state.serial(DOCS.id) == 1


def test_runs_are_numbered_and_shown_newest_first(state, lease):
    first = state.begin(Run(0, "apply", 1.0, who="me", mappings=["docs"], counts={"create": 1}), lease)
    second = state.begin(Run(0, "watch", 2), lease)
    ended = Run(first, "apply", 1.0, 3.5, who="me", exit_code=7, total=9, counts={"create": 1}, mappings=["docs"])
    state.end(ended, [], lease)
    assert (first, second) == (1, 2)
    assert state.runs() == [Run(2, "watch", 2.0), ended]
    assert state.runs(limit=1) == [Run(2, "watch", 2.0)]


def test_outcomes_are_kept_per_run_and_the_last_word_stands(state, lease):
    run = state.begin(Run(0, "apply", 1.0), lease)
    failed = Outcome(1, "docs", "create", "a", "failed", error="no", hint="try")
    done = Outcome(1, "docs", "move", "a", "done", 5, 5, 0.25, from_key="b", reason="renamed", kept="u/1")
    other = Outcome(2, "docs", "delete", "z", "skipped")
    state.fold(run, [], [other, failed], lease)
    state.fold(run, [], [done], lease)
    assert list(state.outcomes(run)) == [done, other]
    assert list(state.outcomes(run + 1)) == []
    (so_far,) = state.runs()
    assert (so_far.done, so_far.failed, so_far.bytes) == (1, 1, 5), "whoever dies now has counted nothing himself"


def test_a_plan_is_used_once_but_an_unfinished_run_of_it_goes_on(state, lease):
    run = state.begin(Run(0, "apply", 1.0, plan="p1"), lease)
    assert state.consumed("p1") == run
    assert state.consumed("p2") is state.consumed("") is None
    assert state.begin(Run(0, "apply", 9.0, plan="p1"), lease) == run
    assert state.runs()[0].started == 1.0
    state.end(Run(run, "apply", 1.0, 2.0, plan="p1"), [], lease)
    with pytest.raises(StalePlanError, match="run 1 has already used"):
        state.begin(Run(0, "apply", 3.0, plan="p1"), lease)
    assert state.begin(Run(0, "apply", 3.0), lease) == run + 1


def test_intents_are_open_until_they_are_folded(state, lease):
    run = state.begin(Run(0, "apply", 1.0), lease)
    state.open_scope(DOCS, lease)
    intents = [
        Intent(run, 1, DOCS.id, "a", "create", Version(""), b"d" * 32, 3, "token", executable=True, temp="t"),
        Intent(run, 2, DOCS.id, "b", "move", Version("v"), path="p", from_key="c", from_version=Version("w")),
    ]
    state.journal.intend(intents)
    assert state.journal.open_intents() == intents
    state.fold(run, [Fold(DOCS.id, 1, put=record("a"))], [], lease)
    assert state.journal.open_intents() == intents[1:]
    state.fold(run, [Fold(DOCS.id, 2)], [], lease)
    assert state.journal.open_intents() == []


def test_a_reading_sees_one_moment_and_stops_nobody(state, lease):
    fold_keys(state, lease, [f"{n:05}" for n in range(2_000)])
    reading = state.records(DOCS.id)
    assert next(reading).key == "00000"
    state.fold(1, [Fold(DOCS.id, 1, drop="01999"), Fold(DOCS.id, 2, put=record("x"))], [], lease)
    assert sum(1 for _ in reading) == 1_999
    assert sum(1 for _ in state.records(DOCS.id)) == 2_000


def test_what_is_asked_at_once_is_told_of_one_commit(state, lease, monkeypatch):
    """Another process commits between two statements of a question."""
    fold_keys(state, lease, ["a"])
    whole = runs.numbers

    def numbers(connection):
        state.begin(Run(0, "apply", 3.0), lease)
        return whole(connection)

    with closing(open_state(str(state.path))) as reader:
        monkeypatch.setattr(runs, "numbers", numbers)
        assert [run.id for run in reader.runs()] == [1]
        monkeypatch.undo()
        assert [run.id for run in reader.runs()] == [2, 1]


def test_many_threads_share_one_state(state, lease):
    fold_keys(state, lease, KEYS)
    errors = []

    def work(number):
        try:
            for turn in range(5):
                state.fold(1, [Fold(DOCS.id, number, put=record(f"t{number}", str(turn)))], [], lease)
                assert len(list(state.records(DOCS.id))) >= len(KEYS)
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert state.serial(DOCS.id) == 1 + 6 * 5


def test_reading_makes_and_changes_nothing(tmp_path):
    absent = open_state(str(tmp_path / "none" / "reconcile.db"))
    assert (absent.lineage, absent.scopes(), absent.runs(), list(absent.records(DOCS.id))) == ("", [], [], [])
    assert absent.journal.open_intents() == []
    absent.close()
    assert list(tmp_path.iterdir()) == []

    made(tmp_path / "reconcile.db")
    before = bytes_of(tmp_path)
    state = open_state(str(tmp_path / "reconcile.db"))
    assert [r.key for r in state.records(DOCS.id)] == KEYS
    with pytest.raises(StateError, match="reading only"):
        state.journal.intend([])
    state.close()
    state.close()
    assert bytes_of(tmp_path) == before


def test_the_files_are_the_users_alone(tmp_path):
    made(tmp_path / "new" / "state" / "reconcile.db")
    state = open_state(str(tmp_path / "new" / "state" / "reconcile.db"), write=True)
    acquire(state, "apply", clock=FakeClock())
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").rglob("*")}
    state.close()
    assert modes.pop("state") == 0o700
    assert set(modes) >= {"reconcile.db", "reconcile.db-wal", "reconcile.db.head", "reconcile.db.g4"}
    assert set(modes.values()) == {0o600}


@pytest.mark.hazard("T10")
def test_after_a_forced_unlock_no_commit_of_the_old_holder_goes_through(state, lease):
    fold_keys(state, lease, ["a"])
    run = state.begin(Run(0, "apply", 1.0), lease)
    break_lease(state, lease.holder.id)
    intent = Intent(run, 1, DOCS.id, "a", "create", Version(""))
    for commit in (
        lambda: state.fold(run, [Fold(DOCS.id, 1, drop="a")], [], lease),
        lambda: state.journal.intend([intent]),
        lambda: state.begin(Run(0, "apply", 1.0), lease),
        lambda: state.end(Run(run, "apply", 1.0), [DOCS.id], lease),
        lambda: state.open_scope(DATA, lease),
        lease.renew,
    ):
        with pytest.raises(FencedError):
            commit()
    lease.release()
    assert [r.key for r in state.records(DOCS.id)] == ["a"]
    assert state.journal.open_intents() == []
    ours = acquire(state, "apply", clock=FakeClock())
    assert ours.fence > lease.fence
    state.open_scope(DATA, ours)


def test_an_intent_of_a_run_that_was_not_begun_here_is_refused(state, lease):
    with pytest.raises(FencedError, match="not begun here"):
        state.journal.intend([Intent(5, 1, DOCS.id, "a", "create", Version(""))])
    assert lease.fence == 1


@pytest.mark.hazard("T07")
def test_who_is_stopped_while_it_makes_a_state_blocks_nobody_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("reconcile.state.files.BUSY_S", 0.05)
    with alone_in(tmp_path), pytest.raises(LockedError, match="another process is making a state") as refusal:
        open_state(str(tmp_path / "reconcile.db"), write=True)
    assert refusal.value.exit_code == 6
    open_state(str(tmp_path / "reconcile.db"), write=True).close()
