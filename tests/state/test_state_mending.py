"""Looking at and mending the state by hand: mv, rm, reset, pull, push, generations, migrations."""

from __future__ import annotations

from contextlib import closing
import os

import pytest

from reconcile.core.errors import CorruptStateError, FencedError, LineageError, LockedError, UsageError
from reconcile.core.record import Scope
from reconcile.state.generations import KEPT, due, generations
from reconcile.state.lease import acquire, show
from reconcile.state.mending import move_scope, remove, reset
from reconcile.state.pushing import pull, push
from reconcile.state.store import open_state
from tests.state.state_kit import DATA, DOCS, KEYS, FakeClock, bytes_of, everything, fold_keys, made, record

CLOCK = FakeClock()


@pytest.fixture
def path(tmp_path):
    return made(tmp_path / "reconcile.db")


@pytest.fixture
def state(path):
    opened = open_state(str(path), write=True)
    yield opened
    opened.close()


@pytest.fixture
def lease(state):
    return acquire(state, "state mv", clock=CLOCK)


def keys(state, scope=DOCS):
    return [r.key for r in state.records(scope.id)]


def test_a_scope_moves_with_its_records_and_gets_a_new_serial(state, lease):
    new = Scope("papers", "./docs", "s3://acme/papers")
    state.open_scope(new, lease)
    assert move_scope(state, DOCS.id, new, lease) == len(KEYS)
    assert state.scopes() == [(new, 2, len(KEYS))]
    assert (keys(state, new), keys(state), state.completed(new.id)) == (KEYS, [], True)


def test_a_scope_does_not_move_onto_records_or_from_nowhere(state, lease):
    fold_keys(state, lease, ["x"], scope=DATA)
    with pytest.raises(UsageError, match="1 records of its own"):
        move_scope(state, DOCS.id, DATA, lease)
    with pytest.raises(UsageError, match="no scope"):
        move_scope(state, "nothing", DATA, lease)
    assert (keys(state), keys(state, DATA)) == (KEYS, ["x"])


def test_chosen_records_are_forgotten_after_a_copy(state, lease):
    assert remove(state, DOCS.id, lambda key: key.startswith("a/"), lease) == 2
    assert keys(state) == [key for key in KEYS if not key.startswith("a/")]
    assert state.serial(DOCS.id) == 2
    newest = open_state(str(generations(state.path)[0][1]))
    assert keys(newest) == KEYS
    newest.close()


@pytest.mark.parametrize("mend", [lambda state, lease: move_scope(state, DOCS.id, DATA, lease), reset])
def test_what_moves_or_forgets_all_makes_a_copy_first(state, lease, mend):
    mend(state, lease)
    with closing(open_state(str(generations(state.path)[0][1]))) as newest:
        assert keys(newest) == KEYS


def test_a_reset_forgets_records_and_keeps_history(state, lease):
    reset(state, lease)
    assert (state.scopes(), keys(state), len(state.runs())) == ([], [], 1)
    fold_keys(state, lease, ["again"])
    state.close()
    assert [len(records) for records in everything(state.path)[2].values()] == [1]


def test_mending_needs_the_lease(state, lease):
    lease.release()
    for mend in (
        lambda: move_scope(state, DOCS.id, DATA, lease),
        lambda: remove(state, DOCS.id, bool, lease),
        lambda: reset(state, lease),
    ):
        with pytest.raises(FencedError):
            mend()
    assert keys(state) == KEYS


def test_generations_are_few_and_not_too_often(state, lease):
    os.utime(generations(state.path)[0][1], (1.0, 1.0))
    for turn in range(KEPT + 2):
        fold_keys(state, lease, ["a"], content=str(turn))
        assert not due(state.path)
    assert len(generations(state.path)) == 2
    for turn in range(KEPT + 2):
        fold_keys(state, lease, ["b"], content=str(turn))
        state.keep_generation()
    serials = [serial for serial, _ in generations(state.path)]
    assert (len(serials), serials[0]) == (KEPT, state.head().serial)


def test_a_damaged_state_makes_no_generation(path):
    content = path.read_bytes()
    at = content.rindex(record("z").digest)
    state = open_state(str(path), write=True)
    path.write_bytes(content[:at] + b"?" + content[at + 1 :])
    before = generations(path)
    with pytest.raises(CorruptStateError):
        state.keep_generation()
    assert generations(path) == before
    state.close()


def test_what_is_pulled_can_be_pushed_back(state, lease, tmp_path):
    pull(state, str(tmp_path / "copy"))
    lease.release()
    push(str(state.path), str(tmp_path / "copy"), clock=CLOCK)
    assert keys(state) == KEYS
    assert show(state) is None
    assert state.head().serial > lease.fence
    later = acquire(state, "apply", clock=CLOCK)
    fold_keys(state, later, ["later"])
    later.release()
    with pytest.raises(LineageError, match="the file is older"):
        push(str(state.path), str(tmp_path / "copy"), clock=CLOCK)
    assert "later" in keys(state)
    assert show(state) is None
    serial = state.serial(DOCS.id)
    push(str(state.path), str(tmp_path / "copy"), force=True, clock=CLOCK)
    assert keys(state) == KEYS
    assert state.serial(DOCS.id) > serial
    assert "later" in [r.key for _, r in reading(generations(state.path)[0][1])]


def reading(path):
    state = open_state(str(path))
    rows = [(scope, r) for scope, _, _ in state.scopes() for r in state.records(scope.id)]
    state.close()
    return rows


def test_the_state_of_another_family_is_pushed_only_by_force(state, tmp_path):
    other = made(tmp_path / "other" / "reconcile.db", ["theirs"])
    with pytest.raises(LineageError, match="another family"):
        push(str(state.path), str(other), clock=CLOCK)
    state.close()
    push(str(state.path), str(other), force=True, clock=CLOCK)
    again = open_state(str(state.path), write=True)
    assert keys(again) == ["theirs"]
    again.close()


def test_a_held_state_is_not_replaced(state, lease, tmp_path):
    pull(state, str(tmp_path / "copy"))
    with pytest.raises(LockedError):
        push(str(state.path), str(tmp_path / "copy"), clock=CLOCK)
    lease.renew()


def test_what_is_damaged_is_not_pushed(path, tmp_path):
    (tmp_path / "bad").write_bytes(path.read_bytes()[:-1])
    before = bytes_of(tmp_path)
    with pytest.raises(CorruptStateError):
        push(str(path), str(tmp_path / "bad"), force=True, clock=CLOCK)
    assert bytes_of(tmp_path) == before


def test_a_state_is_pushed_where_none_is(path, tmp_path):
    push(str(tmp_path / "new" / "reconcile.db"), str(path), clock=CLOCK)
    assert everything(tmp_path / "new" / "reconcile.db")[2] == everything(path)[2]


def test_a_state_older_than_its_head_can_be_accepted_as_it_stands(path):
    copy = path.read_bytes()
    state = open_state(str(path), write=True)
    fold_keys(state, acquire(state, "apply", clock=CLOCK), ["later"])
    state.close()
    path.write_bytes(copy)
    with pytest.raises(LineageError):
        open_state(str(path))
    push(str(path), str(path), clock=CLOCK)
    again = open_state(str(path), write=True)
    assert keys(again) == KEYS
    assert again.head().serial == 8
    again.close()
    assert path.with_name("reconcile.db.replaced-1").read_bytes() == copy


def test_a_crash_in_the_middle_of_a_push_leaves_a_good_state(state, tmp_path, monkeypatch):
    pull(state, str(tmp_path / "copy"))

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("reconcile.state.pushing.write_head", die)
        with pytest.raises(KeyboardInterrupt):
            push(str(state.path), str(tmp_path / "copy"), clock=CLOCK)
    state.close()
    assert len(everything(state.path)[2][DOCS.id]) == len(KEYS)
