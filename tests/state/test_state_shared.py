"""A shared state: many machines, one log; of two who try the same commit one succeeds."""

from __future__ import annotations

from functools import partial

import pytest

from reconcile.core.entry import ANY, Version
from reconcile.core.errors import (
    BusyError,
    CorruptStateError,
    FencedError,
    LineageError,
    LockedError,
    NewerStateError,
    StalePlanError,
    StateError,
)
from reconcile.ports import Fold, Intent, Outcome, Run, Traits
from reconcile.scan.filters import Filter, Rules
from reconcile.scan.walk import walk
from reconcile.state import shared
from reconcile.state.lease import acquire, break_lease, show
from reconcile.state.log import Log, _body
from reconcile.state.mending import remove
from reconcile.state.shared import open_shared
from reconcile.stores.local import LocalStore
from reconcile.stores.memory import MemoryStore
from tests.state.state_kit import DATA, DOCS, FakeClock, fold_keys, record

CLOCK = FakeClock()


@pytest.fixture(params=["memory", "directory"])
def store(request, tmp_path):
    if request.param == "memory":
        return MemoryStore()
    root = str(tmp_path / "shared")
    directory = LocalStore(root, walk=partial(walk, root, selection=Filter(Rules())))
    directory.ensure()
    return directory


@pytest.fixture
def on(monkeypatch, tmp_path, store):
    """`on("ci")` opens the state on the machine `ci`: with a cache of its own."""
    opened = []

    def open_on(machine, *, write=True, through=store):
        monkeypatch.setenv("RECONCILE_CACHE_DIR", str(tmp_path / machine))
        opened.append(open_shared(through, write=write))
        return opened[-1]

    yield open_on
    for state in opened:
        state.close()


def keys(state, scope=DOCS):
    return [r.key for r in state.records(scope.id)]


def listing(store):
    return {entry.key: entry.size for entry in store.list()}


def test_what_one_machine_commits_another_reads(on):
    first = on("a")
    lease = acquire(first, "apply", clock=CLOCK)
    run = fold_keys(first, lease, ["x", "y"])
    first.fold(run, [Fold(DOCS.id, 1, drop="x")], [Outcome(1, "docs", "delete", "x", "done")], lease)
    lease.release()
    second = on("b", write=False)
    assert second.lineage == first.lineage != ""
    assert second.head() == first.head()
    assert (keys(second), second.completed(DOCS.id)) == (["y"], True)
    assert [o.key for o in second.outcomes(run)] == ["x"]
    with pytest.raises(StateError, match="reading only"):
        acquire(second, "apply", clock=CLOCK)


def test_reading_makes_nothing(on, store):
    state = on("a", write=False)
    assert (state.lineage, state.scopes()) == ("", [])
    assert listing(store) == {}


@pytest.mark.hazard("T08")
def test_of_two_machines_one_gets_the_lease_and_the_other_is_told(on):
    first, second = on("a"), on("b")
    lease = acquire(first, "apply", clock=CLOCK)
    lease.renew(run=7, done=0.5)
    with pytest.raises(LockedError, match=r"apply, run 7, 50 % done"):
        acquire(second, "apply", clock=CLOCK)
    lease.release()
    assert acquire(second, "apply", clock=CLOCK).fence > lease.fence


@pytest.mark.hazard("T08")
def test_of_two_who_take_it_at_the_same_moment_one_wins(on, monkeypatch):
    first, second = on("a"), on("b")
    won = []
    whole = second.catch_up

    def late():
        whole()
        if not won:
            won.append(acquire(first, "apply", clock=CLOCK))

    monkeypatch.setattr(second, "catch_up", late)
    with pytest.raises(LockedError):
        acquire(second, "apply", clock=CLOCK)
    fold_keys(first, won[0], ["x"])


@pytest.mark.hazard("T08")
@pytest.mark.hazard("T10")
def test_a_loser_makes_no_write_after_its_loss(on, store):
    loser, winner = on("a"), on("b")
    lost = acquire(loser, "apply", clock=CLOCK)
    run = fold_keys(loser, lost, ["x"])
    loser.begin(Run(0, "apply", 1.0), lost)
    break_lease(winner, lost.holder.id)
    fold_keys(winner, acquire(winner, "apply", clock=CLOCK), ["theirs"])
    before = listing(store)
    for write in (
        lambda: loser.fold(run, [Fold(DOCS.id, 1, drop="x")], [], lost),
        lambda: loser.journal.intend([Intent(run, 1, DOCS.id, "x", "update", Version(""))]),
        lambda: loser.end(Run(run, "apply", 1.0), [], lost),
        lost.renew,
    ):
        with pytest.raises(FencedError):
            write()
    lost.release()
    assert listing(store) == before
    assert keys(on("a")) == ["theirs", "x"]


@pytest.mark.hazard("T15")
def test_the_next_machine_finds_what_a_dead_one_intended(on):
    dead = on("a")
    lease = acquire(dead, "apply", clock=CLOCK)
    fold_keys(dead, lease, ["x"])
    run = dead.begin(Run(0, "apply", 1.0, plan="p"), lease)
    intent = Intent(run, 1, DOCS.id, "y", "create", Version(""), b"d" * 32, 3, "token")
    dead.journal.intend([intent])

    heir = on("b")
    assert heir.journal.open_intents() == [intent]
    break_lease(heir, show(heir).id)
    ours = acquire(heir, "apply", clock=CLOCK)
    heir.fold(run, [Fold(DOCS.id, 1, put=record("y"))], [], ours)
    assert heir.begin(Run(0, "apply", 2.0, plan="p"), ours) == run
    heir.end(Run(run, "apply", 1.0, 2.0, plan="p"), [DOCS.id], ours)
    assert (keys(heir), heir.journal.open_intents()) == (["x", "y"], [])
    with pytest.raises(StalePlanError):
        heir.begin(Run(0, "apply", 3.0, plan="p"), ours)


@pytest.mark.hazard("T23")
def test_two_machines_agree_on_family_and_serials(on):
    first, second = on("a"), on("b")
    assert first.lineage == second.lineage
    lease = acquire(first, "apply", clock=CLOCK)
    fold_keys(first, lease, ["x"])
    planned = (second.lineage, second.serial(DOCS.id))
    lease.release()
    ours = acquire(second, "apply", clock=CLOCK)
    assert planned != (second.lineage, second.serial(DOCS.id))
    fold_keys(second, ours, ["y"], scope=DATA)
    assert [serial for _, serial, _ in on("a").scopes()] == [1, 1]


class Flaky:
    """A store whose writes are done but not answered, or not done, when told to."""

    def __init__(self, store):
        self._store = store
        self.fail = ""
        self.fired = 0

    def __getattr__(self, name):
        return getattr(self._store, name)

    def write(self, key, body, *, expect):
        fail, self.fail = self.fail, ""
        self.fired += fail != ""
        if fail == "before":
            raise BusyError("cut off")
        entry = self._store.write(key, body, expect=expect)
        if fail == "after":
            raise BusyError("cut off")
        return entry


@pytest.mark.hazard("T13")
def test_our_own_commit_is_recognised_after_a_lost_reply(on, store):
    flaky = Flaky(store)
    state = on("a", through=flaky)
    flaky.fail = "after"
    lease = acquire(state, "apply", clock=CLOCK)
    flaky.fail = "after"
    fold_keys(state, lease, ["x"])
    assert flaky.fired == 2
    assert keys(on("b")) == ["x"]


def test_after_a_commit_of_unknown_outcome_nothing_more_is_written(on, store):
    flaky = Flaky(store)
    state = on("a", through=flaky)
    lease = acquire(state, "apply", clock=CLOCK)
    fold_keys(state, lease, ["x"])
    flaky.fail = "before"
    with pytest.raises(StateError, match="cannot be reached"):
        state.fold(1, [Fold(DOCS.id, 1, drop="x")], [], lease)
    with pytest.raises(StateError, match="cannot be reached"):
        state.fold(1, [Fold(DOCS.id, 1, drop="x")], [], lease)
    assert (keys(state), keys(on("b"))) == (["x"], ["x"])
    again = on("a")
    break_lease(again, show(again).id)
    fold_keys(again, acquire(again, "apply", clock=CLOCK), ["y"])
    assert keys(on("b")) == ["x", "y"]


def test_a_fresh_machine_begins_at_a_snapshot(on, store, monkeypatch):
    monkeypatch.setattr(shared, "SNAPSHOT_EVERY", 5)
    state = on("a")
    lease = acquire(state, "apply", clock=CLOCK)
    for turn in range(4):
        fold_keys(state, lease, [f"{turn}"])
    snapshots = Log(store, write=True).snapshots()
    assert len(snapshots) >= 2
    for number in range(1, snapshots[-1]):
        key = f"log/{number:012}"
        assert store.delete([(key, store.stat(key).version)]) == [None]
    fresh = on("b")
    assert keys(fresh) == ["0", "1", "2", "3"]
    assert fresh.head() == state.head()


@pytest.mark.hazard("T02")
def test_a_damaged_snapshot_is_passed_over_and_a_damaged_commit_is_refused(on, store):
    state = on("a")
    lease = acquire(state, "apply", clock=CLOCK)
    fold_keys(state, lease, ["x"])
    state.keep_generation()
    (number,) = Log(store, write=True).snapshots()
    damage(store, f"state/{number:012}")
    assert keys(on("b")) == ["x"]
    damage(store, "log/000000000004")
    with pytest.raises(CorruptStateError):
        on("c")


def damage(store, key):
    content = b"".join(store.read(key))
    store.write(key, _body(content[:-9] + bytes(9)), expect=ANY)


def test_a_missing_commit_is_refused(on, store):
    state = on("a")
    fold_keys(state, acquire(state, "apply", clock=CLOCK), ["x"])
    key = "log/000000000003"
    store.delete([(key, store.stat(key).version)])
    with pytest.raises(CorruptStateError, match="missing"):
        on("b")


@pytest.mark.hazard("T25")
def test_a_log_that_went_back_is_refused_where_more_was_seen(on, store):
    state = on("a")
    fold_keys(state, acquire(state, "apply", clock=CLOCK), ["x"])
    newest = f"log/{state.head().serial:012}"
    store.delete([(newest, store.stat(newest).version)])
    with pytest.raises(LineageError, match="older than this machine has seen"):
        on("a")


@pytest.mark.hazard("T06")
def test_a_working_copy_of_another_family_is_made_again(on, store):
    state = on("a")
    fold_keys(state, acquire(state, "apply", clock=CLOCK), ["x"])
    for entry in list(store.list()):
        store.delete([(entry.key, entry.version)])
    other = on("b")
    fold_keys(other, acquire(other, "apply", clock=CLOCK), ["theirs"])
    again = on("a")
    assert (again.lineage, keys(again)) == (other.lineage, ["theirs"])


@pytest.mark.hazard("T03")
def test_a_damaged_working_copy_is_made_again(on):
    state = on("a")
    fold_keys(state, acquire(state, "apply", clock=CLOCK), ["x"])
    state.close()
    state.path.write_bytes(b"garbage")
    assert keys(on("a")) == ["x"]


@pytest.mark.hazard("T05")
def test_a_log_of_a_newer_version_is_refused(on, store, monkeypatch):
    on("a")
    monkeypatch.setattr("reconcile.state.log.FORMAT", 0)
    with pytest.raises(NewerStateError):
        on("b")


def test_only_what_older_versions_do_not_know_is_kept_from_them(on, monkeypatch):
    """Runs are forgotten on every copy; a version that cannot do that says that it is too old."""
    state = on("a")
    lease = acquire(state, "gc", clock=CLOCK)
    for _ in range(3):
        fold_keys(state, lease, ["x"])
    monkeypatch.setattr("reconcile.state.log.FORMAT", 1)
    assert [run.id for run in on("b").runs()] == [3, 2, 1]
    monkeypatch.undo()
    assert state.forget_runs(3, lease) == 2
    assert [run.id for run in on("b").runs()] == [3]
    lease.release()
    monkeypatch.setattr("reconcile.state.log.FORMAT", 1)
    with pytest.raises(NewerStateError):
        on("c")


@pytest.mark.hazard("T11")
def test_a_holder_elsewhere_is_given_up_only_after_a_watched_silence(on, monkeypatch):
    clock = FakeClock()
    first, second = on("a"), on("b")
    monkeypatch.setattr("reconcile.state.alive.boot", lambda: "far/away")
    lease = acquire(first, "apply", clock=clock)
    monkeypatch.setattr("reconcile.state.alive.boot", lambda: "near/by")
    beaten = []

    def renew():
        if clock.passed % 25 == 0 and clock.passed < 100:
            lease.renew()
            beaten.append(clock.passed)

    clock.on_sleep = renew
    ours = acquire(second, "apply", timeout_s=300, clock=clock)
    assert len(beaten) == 3
    assert 60 <= clock.passed - beaten[-1] < 61
    assert ours.fence == lease.fence + 1


def test_mending_reaches_every_machine(on):
    state = on("a")
    lease = acquire(state, "state rm", clock=CLOCK)
    fold_keys(state, lease, ["x", "y"])
    assert remove(state, DOCS.id, lambda key: key == "x", lease) == 1
    assert keys(on("b")) == ["y"]


def test_a_store_that_cannot_create_if_absent_holds_no_shared_state():
    class Careless(MemoryStore):
        def __init__(self):
            super().__init__()
            self.traits = Traits(write="stat")

    with pytest.raises(StateError, match="cannot hold a shared state"):
        open_shared(Careless(), write=True)


@pytest.mark.hazard("T07")
def test_a_working_copy_somebody_was_stopped_in_blocks_nobody_else(on, monkeypatch):
    monkeypatch.setattr("reconcile.state.connection.BUSY_S", 0.05)
    first = on("a")
    lease = acquire(first, "apply", clock=CLOCK)
    fold_keys(first, lease, ["x"])
    with first.database.transaction():
        second = on("a")
        assert second.path != first.path
        assert keys(second) == ["x"]
        assert break_lease(second, lease.holder.id) == lease.holder
    with pytest.raises(FencedError):
        lease.renew()
