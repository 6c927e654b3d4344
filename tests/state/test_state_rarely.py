"""What rarely happens to a state: a user without a name, a race for its file, a store that fails in the middle."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
import sqlite3
import threading

from msgspec.structs import replace
import pytest

from reconcile.core.change import Action, Change, Reason
from reconcile.core.counts import Counts
from reconcile.core.errors import (
    CorruptStateError,
    FencedError,
    StateError,
    UsageError,
)
from reconcile.core.plan import Header, MappingPlan, Plan
from reconcile.ports import Fold, Holder, Run
from reconcile.state import alive, cache, heartbeat, opening, planfile, store
from reconcile.state.cache import open_cache
from reconcile.state.deeds import Opened
from reconcile.state.heartbeat import Heartbeat
from reconcile.state.lease import acquire
from reconcile.state.mending import reset
from reconcile.state.opening import create, examine, inspect
from reconcile.state.planfile import load_plan, save_plan
from reconcile.state.pushing import push
from reconcile.state.store import open_state
from tests.state.state_kit import DOCS, FakeClock, bytes_of, everything, made, record

KEYS = ["a", "b", "c", "d", "e", "f", "g", "h"]


@pytest.fixture
def path(tmp_path):
    return made(tmp_path / "reconcile.db", KEYS)


# --- who we are


def test_a_user_without_a_name_is_a_number(monkeypatch):
    def nobody():
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nobody)
    monkeypatch.setattr("os.getuid", lambda: 4711)
    assert alive.user() == "4711"


def test_a_system_that_tells_nothing_of_processes(monkeypatch):
    """What cannot be known of a holder is "perhaps"."""
    holder = Holder("x", "u", alive.host(), 1, "apply", 1.0, boot=alive.boot(), started="5 pid:[2]")

    def unreadable(*_args, **_named):
        raise OSError

    monkeypatch.setattr(Path, "readlink", unreadable)
    monkeypatch.setattr(Path, "read_text", unreadable)
    assert alive.started(1) == ""
    assert alive.life(holder) == "perhaps"


# --- the cache


def test_without_a_home_the_cache_is_done_without(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    with closing(open_cache("state-1")) as opened:
        opened.put("x", b"1")
        assert opened.get("x") is None


def test_a_cache_that_is_full_or_locked_loses_what_was_said(monkeypatch):
    """And whatever is damaged is begun again."""
    with closing(open_cache("state-1")) as opened:
        opened.put("before", b"1")

        def full(connection, *_):
            connection.execute("BEGIN IMMEDIATE")
            raise sqlite3.OperationalError("database or disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(cache, "_write", full)
            opened.put("x", b"1")
        assert (opened.get("x"), opened.get("before")) == (None, b"1")
        opened.put("after", b"2")
        assert opened.get("after") == b"2"


def test_a_cache_that_cannot_be_opened_now_is_left_alone(monkeypatch):
    """Another process is in the middle of something: nothing is removed, all is done without."""
    open_cache("state-1").close()

    def busy(*_args, **_named):
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(sqlite3, "connect", busy)
    with closing(open_cache("state-1")) as opened:
        assert opened.get("x") is None
    assert (cache.cache_directory() / "state-1.db").exists()


def test_a_cache_that_stays_damaged_is_done_without(monkeypatch):
    removed = []
    monkeypatch.setattr(cache, "remove_cache", removed.append)
    file = cache.cache_directory() / "state-1.db"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no database at all" * 100)
    with closing(open_cache("state-1")) as opened:
        opened.put("x", b"1")
        assert opened.get("x") is None
    assert removed == [file, file]


# --- the heartbeat


class Renewals:
    """A lease whose renewals end as they are told to."""

    def __init__(self, *ends):
        self.ends = list(ends)
        self.count = 0

    def renew(self, **_):
        self.count += 1
        end = self.ends.pop(0) if self.ends else None
        if end is not None:
            raise end


def test_a_renewal_that_fails_is_tried_again_and_one_that_is_fenced_ends_it(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(heartbeat, "_awake_or_not_s", lambda: now[0])
    lease = Renewals(StateError("the disk is full", op="state"), None, FencedError("taken", op="state"))
    watched = Heartbeat(lease)
    now[0] = heartbeat.STALE_S + 1
    assert (watched.is_set(), lease.count) == (False, 1)
    assert (watched.is_set(), lease.count) == (False, 2), "the failed one proved nothing"
    assert (watched.is_set(), lease.count) == (False, 2), "the last one is young"
    now[0] += heartbeat.STALE_S + 1
    assert (watched.is_set(), lease.count) == (True, 3)
    now[0] += heartbeat.STALE_S + 1
    assert (watched.is_set(), lease.count) == (True, 3)


def test_of_two_that_find_it_old_one_looks(monkeypatch):
    now, lease = [0.0], Renewals()
    monkeypatch.setattr(heartbeat, "_awake_or_not_s", lambda: now[0])
    watched = Heartbeat(lease)
    now[0] = heartbeat.STALE_S + 1
    with watched._one_at_a_time:
        other = threading.Thread(target=watched.is_set)
        other.start()
        while not (other.is_alive() and watched._is_stale()):
            pass
        threading.Event().wait(0.05)
        watched._beaten_s = now[0]
    other.join()
    assert lease.count == 0


def test_a_lease_is_had_of_a_state_of_ours_alone():
    with pytest.raises(TypeError, match="has no lease row"):
        acquire(object(), "apply", clock=FakeClock())


# --- the file


def test_of_two_that_make_a_state_one_does(path):
    before = bytes_of(path.parent)
    create(path)
    assert bytes_of(path.parent) == before


def test_a_look_at_a_file_that_is_changed_meanwhile_is_taken_again(path, monkeypatch):
    looked = []

    def torn(where, *, thorough):
        looked.append(thorough)
        if len(looked) == 1:
            with closing(sqlite3.connect(where)) as connection:
                connection.execute("PRAGMA user_version = 1")
                connection.execute(f"PRAGMA user_version = {len(opening.migrations.MIGRATIONS)}")
            raise CorruptStateError("half written", op="state")

    monkeypatch.setattr(opening, "_inspect", torn)
    inspect(path)
    assert looked == [False, False]


def test_where_no_side_file_can_be_made_the_file_is_read_as_it_stands(path, monkeypatch):
    real, asked = opening.connect, []

    class Shut:
        """A connection to a file in a directory that is read-only."""

        def execute(self, *_):
            raise sqlite3.OperationalError("unable to open database file")

        def close(self):
            pass

    def connect(where, query="mode=rw"):
        asked.append(query)
        return Shut() if query != opening.IMMUTABLE else real(where, query)

    monkeypatch.setattr(opening, "connect", connect)
    with closing(open_state(str(path))) as state:
        assert [row.key for row in state.records(DOCS.id)] == KEYS
    assert asked == ["mode=rw", opening.IMMUTABLE]
    with monkeypatch.context() as patched:
        patched.setattr(opening, "log_size", lambda _: 1)
        with pytest.raises(StateError):
            open_state(str(path))


def test_a_structure_that_sqlite_finds_broken_is_damage(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET rootpage = 3 WHERE name = 'intents'")
    with pytest.raises(CorruptStateError):
        examine(path)


def test_a_state_without_its_line_about_itself_is_damage(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM meta")
    with pytest.raises(CorruptStateError, match="`meta` is empty"):
        everything(path)


def test_keys_that_cut_the_records_into_parts(path, monkeypatch):
    with closing(open_state(str(path))) as state:
        assert state.bounds(DOCS.id, 4) == [], "too few for it to pay"
        monkeypatch.setattr(store, "WORTH_CUTTING", len(KEYS))
        assert state.bounds(DOCS.id, 4) == ["c", "e", "g"]
        assert state.bounds(DOCS.id, 3) == ["c", "e"]
        assert state.bounds(DOCS.id, 1) == []
        assert state.bounds(DOCS.id, 100) == KEYS[1:]
        assert state.bounds("unknown", 4) == []
        assert list(state.past(1, "unknown", ["a"])) == []


def test_what_is_pushed_over_an_unreadable_state_is_above_all_that_its_head_knew(path, tmp_path):
    kept = made(tmp_path / "other" / "reconcile.db")
    head = path.with_name("reconcile.db.head")
    for damage in (b"no head", None):
        path.write_bytes(b"damaged")
        head.write_bytes(damage) if damage else head.unlink()
        push(str(path), str(kept), clock=FakeClock())
        everything(path)
    assert sorted(file.name for file in tmp_path.glob("*.replaced-*")) == [
        "reconcile.db.replaced-1", "reconcile.db.replaced-2",
    ]  # fmt: skip


def test_a_generation_that_cannot_be_kept_does_not_undo_a_run(path, monkeypatch):
    state = open_state(str(path), write=True)
    lease = acquire(state, "apply", clock=FakeClock())
    run = state.begin(Run(0, "apply", 1.0), lease)
    state.fold(run, [Fold(DOCS.id, 1, put=record("new"))], [], lease)

    def full():
        raise StateError("the disk is full", op="state")

    monkeypatch.setattr(state, "keep_generation", full)
    monkeypatch.setattr(state, "_generation_due", lambda: True)
    state.end(Run(run, "apply", 1.0, 2.0), [DOCS.id], lease)
    assert state.runs()[0].ended == 2.0
    state.close()


# --- a saved plan


@pytest.fixture
def plan():
    change = Change(1, "docs", Action.CREATE, "a", Reason.NEW)
    part = MappingPlan("docs", DOCS.id, 1, "s", "t", Counts())
    return Plan(Header("l", "d", "f", "1", "apply", [part]), lambda _mapping=None: iter([change]))


def test_a_plan_that_cannot_be_written_leaves_nothing(plan, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="No such file or directory"):
        save_plan(plan, str(tmp_path / "nowhere" / "a.plan"))

    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(planfile, "_fill", full)
        with pytest.raises(UsageError, match="disk is full"):
            save_plan(plan, str(tmp_path / "a.plan"))
    assert list(tmp_path.iterdir()) == []
    save_plan(plan, str(tmp_path / "a.plan"))
    with pytest.raises(UsageError, match="the file exists"):
        save_plan(replace_one(plan), str(tmp_path / "a.plan"))
    assert load_plan(str(tmp_path / "a.plan")).id == plan.id
    with pytest.raises(UsageError, match="no such plan"):
        load_plan(str(tmp_path / "b.plan"))


def replace_one(plan):
    """Another plan."""
    return Plan(replace(plan.header, kind="destroy"), plan._rows)


# --- what is read while something else goes on


def test_a_scope_that_a_log_makes_known_twice_is_one(path):
    """Older versions did so with every run."""
    with closing(open_state(str(path), write=True)) as state:
        lease = acquire(state, "apply", clock=FakeClock())
        before = state.scopes()
        state.commit(Opened(DOCS), lease)
        assert state.scopes() == before


def test_what_a_transaction_asks_belongs_to_it(path):
    with closing(open_state(str(path), write=True)) as state:
        with state.database.transaction() as connection:
            connection.execute("DELETE FROM scopes")
            assert state.scopes() == []
            assert connection.in_transaction
        assert state.scopes() == []


def test_an_error_that_ends_the_transaction_of_a_reading_is_told(path):
    """SQLite gives some of them up by itself."""

    def given_up(state):
        with state.database.reading() as connection:
            connection.execute("ROLLBACK")
            raise sqlite3.DatabaseError("no memory")

    with closing(open_state(str(path))) as state:
        with pytest.raises(StateError, match="no memory"):
            given_up(state)
        assert [record.key for record in state.records(DOCS.id)] == KEYS


def test_a_scope_that_is_forgotten_while_its_records_are_asked_for_has_none(path, monkeypatch):
    monkeypatch.setattr(store, "FEW", 0)
    with closing(open_state(str(path))) as state, closing(open_state(str(path), write=True)) as other:
        whole = state.database.snapshot

        def later():
            reset(other, acquire(other, "reset", clock=FakeClock()))
            return whole()

        monkeypatch.setattr(state.database, "snapshot", later)
        assert list(state.records(DOCS.id)) == []
