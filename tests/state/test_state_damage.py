"""A damaged, foreign, newer or older state is refused, left byte for byte as it is, and a generation is offered."""

from __future__ import annotations

import os
from pathlib import Path
import random
import shutil
import sqlite3

import pytest

from reconcile.core.entry import Version
from reconcile.core.errors import CorruptStateError, LineageError, NewerStateError, StateError
from reconcile.ports import Fold, Intent, Outcome, Run
from reconcile.state.generations import generations
from reconcile.state.lease import acquire
from reconcile.state.opening import inspect
from reconcile.state.pushing import push
from reconcile.state.store import open_state
from tests.state.state_kit import DOCS, KEYS, FakeClock, bytes_of, everything, fold_keys, made, record

MANY = [f"many/{n:04}" for n in range(300)]
FLIPS = int(os.environ.get("RECONCILE_FLIPS", "200"))
REFUSALS = (CorruptStateError, LineageError, NewerStateError)


@pytest.fixture
def path(tmp_path):
    """A closed state of one generation."""
    return made(tmp_path / "reconcile.db")


@pytest.fixture
def living(tmp_path):
    """The files of a state as a killed process leaves them: the last commits are only in the log."""
    home = tmp_path / "before"
    path = made(home / "reconcile.db", MANY)
    state = open_state(str(path), write=True)
    lease = acquire(state, "apply", clock=FakeClock())
    run = state.begin(Run(0, "apply", 5.0, plan="p", counts={"create": 2}), lease)
    state.journal.intend([Intent(run, 3, DOCS.id, "b", "create", Version(""))])
    outcome = Outcome(1, "docs", "create", "new", "done", error="none")
    state.fold(run, [Fold(DOCS.id, 1, put=record("new"))], [outcome], lease)
    shutil.copytree(home, tmp_path / "after")
    state.close()
    path = tmp_path / "after" / "reconcile.db"
    for _, generation in generations(path):
        generation.unlink()
    return path


def refused(path, *, write=False):
    """Whether the state is refused; if so, nothing was changed."""
    before = bytes_of(path.parent)
    try:
        open_state(str(path), write=write).close()
    except REFUSALS:
        assert bytes_of(path.parent) == before
        return True
    return False


@pytest.mark.hazard("T02")
def test_a_state_cut_anywhere_is_refused(path):
    for _, generation in generations(path):
        generation.unlink()
    size = path.stat().st_size
    edges = {page + near for page in range(0, size, 4096) for near in range(-2, 3)}
    for cut in sorted({*range(4097), *range(size - 4096, size), *edges} & set(range(size)), reverse=True):
        os.truncate(path, cut)
        with pytest.raises(CorruptStateError):
            inspect(path)
    assert refused(path)
    assert refused(path, write=True)
    assert path.stat().st_size == 0


@pytest.mark.hazard("T02")
def test_a_log_cut_anywhere_is_refused(living):
    whole = everything(living)
    log = living.with_name(living.name + "-wal")
    size = log.stat().st_size
    assert size > 4096
    for cut in [*range(size - 1, 0, -97), 0]:
        os.truncate(log, cut)
        with pytest.raises(LineageError, match="older than its head"):
            inspect(living)
    log.unlink()
    assert refused(living, write=True)
    assert len(whole[2][DOCS.id]) == len(MANY) + 1


@pytest.mark.hazard("T02")
def test_a_zeroed_stretch_is_refused_or_was_empty(path):
    whole, content = everything(path), path.read_bytes()
    found = 0
    for start in range(0, len(content), 512):
        path.write_bytes(content[:start] + bytes(512) + content[start + 512 :])
        found += refused_or_equal(path, whole)
    assert found >= 8
    path.write_bytes(bytes(len(content)))
    assert refused(path)
    assert refused(path, write=True)


@pytest.mark.hazard("T02")
def test_a_cut_or_zeroed_head_is_refused(path):
    head = path.with_name(path.name + ".head")
    content = head.read_bytes().rstrip()
    for cut in range(len(content)):
        head.write_bytes(content[:cut])
        assert refused(path)
    head.write_bytes(bytes(len(content)))
    assert refused(path, write=True)


def refused_or_equal(path, whole):
    """Whether reading everything was refused; if not, it is what it was."""
    before = bytes_of(path.parent)
    try:
        assert everything(path) == whole
    except REFUSALS:
        log_index = path.name + "-shm"
        assert {**bytes_of(path.parent), log_index: b""} == {**before, log_index: b""}
        return True
    return False


@pytest.mark.hazard("T03")
@pytest.mark.parametrize("name", ["reconcile.db", "reconcile.db-wal", "reconcile.db.head"])
def test_a_flipped_bit_is_found_or_harmless(living, tmp_path, name):
    kept = tmp_path / "kept"
    shutil.copytree(living.parent, kept)
    whole = everything(living)
    chance = random.Random(name)
    bits = len((kept / name).read_bytes()) * 8
    found = 0
    for bit in chance.sample(range(bits), min(bits, FLIPS)):
        shutil.rmtree(living.parent)
        shutil.copytree(kept, living.parent)
        content = bytearray((kept / name).read_bytes())
        content[bit // 8] ^= 1 << bit % 8
        (living.parent / name).write_bytes(content)
        found += refused_or_equal(living, whole)
    assert found > 20


@pytest.mark.hazard("T03")
def test_a_flipped_bit_in_a_record_is_found_before_anything_is_written(path):
    content = path.read_bytes()
    for needle in (b"a/b/c.txt", record("a0").version.encode(), record("z").digest):
        at = content.rindex(needle)
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert refused(path, write=True)
        state = open_state(str(path))
        with pytest.raises(CorruptStateError, match="damaged"):
            list(state.records(DOCS.id))
        state.close()


@pytest.mark.hazard("T03")
def test_a_row_lost_or_doubled_without_a_trace_is_found_by_the_sum(path):
    for change in ("DELETE FROM records WHERE key = 'z'", "UPDATE scopes SET count = count + 1, total = total + 1"):
        connection = sqlite3.connect(path)
        connection.execute(change)
        connection.commit()
        connection.close()
        state = open_state(str(path)) if change.startswith("DELETE") else None
        with pytest.raises(CorruptStateError):
            list(state.records(DOCS.id)) if state else open_state(str(path))
        if state:
            state.close()


@pytest.mark.hazard("T02")
@pytest.mark.hazard("T03")
def test_the_newest_readable_generation_is_offered_and_can_be_pushed(path):
    state = open_state(str(path), write=True)
    lease = acquire(state, "apply", clock=FakeClock())
    fold_keys(state, lease, ["later"])
    state.keep_generation()
    newest = generations(path)[0][1]
    lease.release()
    state.close()
    oldest = generations(path)[-1][1]
    newest.write_bytes(newest.read_bytes()[:-1])
    path.write_bytes(b"")
    with pytest.raises(CorruptStateError) as refusal:
        open_state(str(path))
    assert refusal.value.hint == f"reconcile state push {oldest}"

    push(str(path), str(oldest), clock=FakeClock())
    state = open_state(str(path), write=True)
    assert [r.key for r in state.records(DOCS.id)] == KEYS
    assert path.with_name("reconcile.db.replaced-1").read_bytes() == b""
    acquire(state, "apply", clock=FakeClock()).release()
    state.close()


@pytest.mark.hazard("T05")
def test_a_newer_state_is_refused_untouched(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for write in (False, True):
        before = bytes_of(path.parent)
        with pytest.raises(NewerStateError, match="schema 99") as refusal:
            open_state(str(path), write=write)
        assert "upgrade" in refusal.value.hint
        assert bytes_of(path.parent) == before


@pytest.mark.hazard("T06")
def test_the_state_of_another_family_is_refused(path, tmp_path):
    other = made(tmp_path / "other" / "reconcile.db")
    shutil.copy(other, path)
    assert refused(path)
    with pytest.raises(LineageError, match="different families"):
        open_state(str(path), write=True)


@pytest.mark.hazard("T06")
def test_what_is_no_state_of_ours_is_refused(path):
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    with pytest.raises(CorruptStateError, match="not one of ours"):
        open_state(str(path), write=True)


@pytest.mark.hazard("T25")
def test_a_state_restored_from_a_copy_is_refused(path, tmp_path):
    shutil.copy(path, tmp_path / "backup")
    state = open_state(str(path), write=True)
    fold_keys(state, acquire(state, "apply", clock=FakeClock()), ["later"])
    state.close()
    shutil.copy(tmp_path / "backup", path)
    assert refused(path, write=True)
    with pytest.raises(LineageError, match="older than its head: commit 4, the newest was 7") as refusal:
        open_state(str(path))
    assert refusal.value.hint.startswith("reconcile state push")


def test_a_lost_head_is_made_again(path):
    head = path.with_name(path.name + ".head")
    head.unlink()
    state = open_state(str(path), write=True)
    fold_keys(state, acquire(state, "apply", clock=FakeClock()), ["later"])
    state.close()
    assert head.exists()
    everything(path)


@pytest.mark.hazard("T15")
def test_a_process_that_ends_between_commit_and_head_leaves_a_good_state(path, monkeypatch):
    state = open_state(str(path), write=True)
    lease = acquire(state, "apply", clock=FakeClock())

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("reconcile.state.store.write_head", die)
        with pytest.raises(KeyboardInterrupt):
            state.fold(1, [Fold(DOCS.id, 1, put=record("new"))], [], lease)
    lease.release()
    state.close()
    assert len(everything(path)[2][DOCS.id]) == len(KEYS) + 1


@pytest.mark.hazard("T01")
def test_a_lost_state_begins_a_new_family_and_plays_no_old_log(living):
    old = everything(living)
    living.unlink()
    assert everything(living)[:2] == ("", [])
    state = open_state(str(living), write=True)
    assert state.lineage not in ("", old[0])
    assert state.scopes() == []
    fold_keys(state, acquire(state, "apply", clock=FakeClock()), ["x"])
    state.close()
    assert [r.key for r in everything(living)[2][DOCS.id]] == ["x"]


def test_a_directory_in_the_way_is_an_error(tmp_path):
    with pytest.raises(StateError):
        open_state(str(tmp_path), write=True)
    with pytest.raises(StateError):
        open_state(str(Path(__file__) / "reconcile.db"), write=True)
