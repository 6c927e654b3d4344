"""From one schema to the next: all or nothing, and what was there before is kept under a name of its own."""

from __future__ import annotations

from contextlib import closing
import sqlite3

import pytest

from reconcile.core.errors import NewerStateError, StateError
from reconcile.state import migrations
from reconcile.state.generations import KEPT
from reconcile.state.lease import acquire
from reconcile.state.pushing import push
from reconcile.state.store import open_state
from tests.state.state_kit import FakeClock, bytes_of, everything, fold_keys, made

NEXT = "ALTER TABLE runs ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm';\nCREATE TABLE more (x INTEGER);\n"
NOW = len(migrations.MIGRATIONS)


def schema(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


@pytest.fixture
def path(tmp_path):
    return made(tmp_path / "reconcile.db")


@pytest.fixture
def tomorrow(monkeypatch):
    """A version of the program that knows one schema more."""

    def come(script=NEXT):
        monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, script))

    return come


def test_reading_an_old_state_changes_no_byte(path, tomorrow):
    told, before = everything(path), bytes_of(path.parent)
    tomorrow()
    assert everything(path) == told
    assert bytes_of(path.parent) == before


def test_the_old_file_is_kept_by_name_and_works_again(path, tomorrow, monkeypatch):
    told = everything(path)
    with monkeypatch.context():
        tomorrow()
        with closing(open_state(str(path), write=True)) as state:
            lease = acquire(state, "apply", clock=FakeClock())
            for key in "abcdef"[: KEPT + 2]:
                fold_keys(state, lease, [key])
                state.keep_generation()
            lease.release()
        assert schema(path) == NOW + 1
    kept = path.with_name(f"reconcile.db.schema-{NOW}")
    assert schema(kept) == NOW
    monkeypatch.undo()
    with pytest.raises(NewerStateError):
        everything(path)
    path.unlink()
    push(str(path), str(kept), clock=FakeClock())
    assert everything(path)[2] == told[2]


def test_a_script_that_does_not_fit_is_found_before_the_file_is_touched(path, tomorrow):
    tomorrow(NEXT + "ALTER TABLE nowhere ADD COLUMN x;\n")
    before = bytes_of(path.parent)
    with pytest.raises(StateError):
        open_state(str(path), write=True)
    assert bytes_of(path.parent) == before


def test_a_step_that_fails_in_the_file_leaves_the_state_as_it_was(path, tomorrow, monkeypatch):
    before = path.read_bytes()
    tomorrow()
    whole = migrations.migrate

    def torn(connection):
        whole(connection)
        if connection.execute("PRAGMA database_list").fetchone()[2]:  # the file, not a copy in memory
            raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(migrations, "migrate", torn)
    with pytest.raises(StateError, match="disk I/O error"):
        open_state(str(path), write=True)
    assert path.read_bytes() == before
    assert path.with_name(f"reconcile.db.schema-{NOW}").exists()


def test_a_migration_whose_copy_finds_no_room_is_not_begun(path, tomorrow, monkeypatch):
    tomorrow()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reconcile.state.opening.copy", full)
    with pytest.raises(StateError, match="No space left"):
        open_state(str(path), write=True)
    assert schema(path) == NOW
