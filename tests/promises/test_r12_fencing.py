"""R12: of two appliers one writes. Every commit of the state is a compare-and-swap on the lease; a holder that was
paused, or whose lock was broken, commits nothing and writes no data over newer data. No clock is trusted for it.

Random histories of real processes stand in `tests/crash/test_histories.py`, a machine against a model in
`tests/state/test_state_lock_laws.py`; here are the stories, on a state of this machine and on a shared one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
import threading
from typing import Any

import pytest

from reconcile.core.errors import FencedError, LockedError
from reconcile.flow import applying
from reconcile.flow.clock import RealClock
from reconcile.scan.filters import Filter, Rules
from reconcile.scan.walk import walk
from reconcile.state.heartbeat import Heartbeat
from reconcile.state.lease import acquire, break_lease, show
from reconcile.state.shared import open_shared
from reconcile.state.store import SqliteState, open_state
from reconcile.stores.local import LocalStore
from reconcile.stores.wrapper import Wrapper
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import Answer, Request, Work
from tests.flow.world import World
from tests.promises.worlds import changes, remote, s3
from tests.state.state_kit import DOCS, FakeClock, fold_keys

__all__ = ["remote", "s3"]

YEAR_S = 31_536_000.0
Open = Callable[[str], SqliteState]


@pytest.fixture(params=["local", "shared"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """`opened("ci")` opens the one state as the runner `ci` does, with a cache of its own."""
    root = str(tmp_path / "shared")
    store = LocalStore(root, walk=partial(walk, root, selection=Filter(Rules())))
    store.ensure()
    states: list[SqliteState] = []

    def open_as(name: str) -> SqliteState:
        monkeypatch.setenv("RECONCILE_CACHE_DIR", str(tmp_path / name))
        local = request.param == "local"
        states.append(
            open_state(str(tmp_path / "reconcile.db"), write=True) if local else open_shared(store, write=True)
        )
        return states[-1]

    yield open_as
    for state in states:
        state.close()


def keys(state: SqliteState) -> list[str]:
    return [record.key for record in state.records(DOCS.id)]


@pytest.mark.hazard("T23")
def test_of_two_runners_one_is_told_to_wait(opened: Open) -> None:
    first, second = opened("first"), opened("second")
    lease = acquire(first, "apply", clock=FakeClock())
    with pytest.raises(LockedError) as refusal:
        acquire(second, "apply", clock=FakeClock())
    assert refusal.value.exit_code == 6
    assert lease.holder.id in refusal.value.hint
    lease.release()
    acquire(second, "apply", clock=FakeClock()).release()


@pytest.mark.hazard("T10")
@pytest.mark.hazard("T23")
def test_a_holder_whose_lock_was_broken_commits_nothing(opened: Open) -> None:
    paused, other = opened("paused"), opened("other")
    old = acquire(paused, "apply", clock=FakeClock())
    fold_keys(paused, old, ["before"])
    break_lease(other, old.holder.id)
    fold_keys(other, acquire(other, "apply", clock=FakeClock()), ["theirs"])
    for attempt in (
        lambda: fold_keys(paused, old, ["ours"]),
        lambda: old.renew(run=9),
        lambda: old.leave_hold("x"),
    ):
        with pytest.raises(FencedError):
            attempt()
    old.release()
    assert show(other) is not None, "who lost it gives nothing back"
    assert keys(other) == ["before", "theirs"]


@pytest.mark.hazard("T15")
def test_a_hold_stands_for_others_from_the_moment_it_is_told(opened: Open) -> None:
    """No word of its holder before or after it clears it, nor does its death."""
    ours, other = opened("ours"), opened("other")
    lease = acquire(ours, "rollback", clock=FakeClock())
    lease.renew(run=3)
    lease.leave_hold("rollback of run 2")
    for said in (lambda: None, lambda: lease.renew(run=3, done=0.5), lease.release):
        said()
        with pytest.raises(LockedError, match="rollback of run 2"):
            acquire(other, "apply", clock=FakeClock())
    again = acquire(other, "rollback", clock=FakeClock())
    assert again.holder.reason == "rollback of run 2"
    with pytest.raises(LockedError, match="rollback of run 2"):
        acquire(ours, "apply", clock=FakeClock())


@pytest.mark.hazard("T22")
@pytest.mark.parametrize("jump_s", [-YEAR_S, -3600.0, 3600.0, YEAR_S])
def test_a_clock_that_jumps_neither_steals_nor_ends_nor_blocks(opened: Open, jump_s: float) -> None:
    """A year, or the hour of a summer, in either direction; on the holder's machine, on the other's, on both."""
    first, second = opened("first"), opened("second")
    here, there = FakeClock(), FakeClock()
    lease = acquire(first, "apply", clock=here)
    for clocks in ([here], [there], [here, there]):
        for clock in clocks:
            clock.wall += jump_s
        lease.renew(run=1)
        with pytest.raises(LockedError):
            acquire(second, "apply", timeout_s=5, clock=there)
    fold_keys(first, lease, ["a"])
    lease.release()
    acquire(second, "apply", clock=there).release()


class Paused(Wrapper):
    """Stands still before its first write, until it is let go: a process in SIGSTOP, as far as a thread can be."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.reached, self.goes_on = threading.Event(), threading.Event()

    def _call(self, verb: str, key: str, run: Callable[[], Any]) -> Any:
        if verb == "write" and not self.reached.is_set():
            self.reached.set()
            assert self.goes_on.wait(30)
        return run()


@contextmanager
def paused_apply(world: World) -> Iterator[list[BaseException | int]]:
    """An apply that stands before its first write while the block runs; then it goes on, and its end is in the list."""
    pause: list[Paused] = []
    ends: list[BaseException | int] = []

    def around(store: Any) -> Any:
        pause.append(Paused(store))
        return pause[-1]

    def work() -> None:
        try:
            ends.append(world.apply().exit_code)
        except FencedError as error:
            ends.append(error)

    world.around = around
    thread = threading.Thread(target=work)
    thread.start()
    while not pause:
        thread.join(0.01)
    assert pause[0].reached.wait(30)
    world.around = None
    try:
        yield ends
    finally:
        pause[0].goes_on.set()
        thread.join()


@pytest.mark.hazard("T10")
@pytest.mark.parametrize("first_time", [True, False], ids=["create", "update"])
def test_a_paused_holder_writes_nothing_over_newer_data(tmp_path: Path, first_time: bool) -> None:
    world = World(tmp_path)
    world.put(a="1", b="1")
    if not first_time:
        world.settled()
        world.put(a="old", b="old")
    with paused_apply(world) as ends:
        with world.house(write=True) as house:
            break_lease(house.state, show(house.state).id)
        world.put(a="newer", b="newer still")
        assert World(tmp_path).apply().exit_code == 0
    assert ends
    assert ends[0] != 0
    assert world.there() == {"a": "newer", "b": "newer still"}
    with world.house(write=True) as house:
        acquire(house.state, "apply", clock=RealClock()).release()
    world.settled()


def rename(world: World) -> None:
    world.move("mine", "renamed")


def update(world: World) -> None:
    world.put(mine="new")


def delete(world: World) -> None:
    world.remove("mine")


def replace_a_directory(world: World) -> None:
    world.remove("dir/file")
    (world.src / "dir").rmdir()
    world.put(dir="a file now")


@pytest.mark.hazard("R36")
@pytest.mark.hazard("T08")
@pytest.mark.parametrize("edit", [rename, update, delete, replace_a_directory])
def test_who_loses_the_lease_within_an_action_does_not_end_it(
    remote: World, s3: FakeS3, monkeypatch: pytest.MonkeyPatch, edit: Callable[[World], None]
) -> None:
    """What comes after the first copy would change what another has found there since, and taken for its own."""
    beats: list[Heartbeat] = []

    class Heard(Heartbeat):
        def __init__(self, lease: Any) -> None:
            super().__init__(lease)
            beats.append(self)

    def lose(request: Request, work: Work) -> Answer:
        beats[-1].lost.set()
        return work(request)

    remote.put(mine="mine", dir__file="below", other="other")
    remote.settled()
    edit(remote)
    monkeypatch.setattr(applying, "Heartbeat", Heard)
    lost = s3.fault("copy", lose)
    s3.log.clear()
    with pytest.raises(FencedError):
        remote.apply()
    assert lost.fired == 1
    asked = [request.split()[0] for request in changes(s3)]
    assert asked.count("copy") == 1
    assert asked[asked.index("copy") + 1 :] == []
    remote.settled()
