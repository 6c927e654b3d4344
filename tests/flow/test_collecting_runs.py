"""`gc` forgets runs that were over long ago, but none that a rollback, or what it kept, still needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.core.errors import DeniedError, UsageError
from reconcile.core.outcome import Run
from reconcile.flow import collecting
from reconcile.flow.clock import RealClock
from reconcile.flow.collecting import Collected, collect, foresee
from reconcile.flow.wire import Reach
from reconcile.state.lease import acquire
from reconcile.stores.wrap import Wrapper
from tests.flow.small_trees import make
from tests.flow.test_collecting import DAY_S, Later
from tests.flow.undo_kit import undo
from tests.flow.world import World

CONTENTS = ["one", "two", "three", "four"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Four runs, each over the same path; two are remembered however old they are."""
    monkeypatch.setattr(collecting, "KEPT_RUNS", 2)
    world = World(tmp_path)
    for content in CONTENTS:
        make(world.src, {"a": content})
        world.apply()
    return world


def gc(world: World, days: float, *, reach: Reach | None = None) -> Collected:
    with world.house(write=True, reach=reach) as house:
        return collect(house, Later(days), older_than_s=30 * DAY_S)


def forgotten(collected: Collected) -> int:
    return collected.gone["runs"].count if "runs" in collected.gone else 0


def remembered(world: World) -> list[int]:
    with world.house(write=False) as house:
        return [run.id for run in house.state.runs()]


def test_old_runs_are_forgotten_but_for_the_newest(world: World) -> None:
    assert forgotten(gc(world, 29)) == 0
    assert remembered(world) == [4, 3, 2, 1]
    with world.house(write=False) as house:
        assert forgotten(foresee(house, Later(31), older_than_s=30 * DAY_S)) == 2
    assert remembered(world) == [4, 3, 2, 1]
    assert forgotten(gc(world, 31)) == 2
    assert remembered(world) == [4, 3]
    assert forgotten(gc(world, 31)) == 0
    world.settled()


def test_a_run_that_stays_can_be_rolled_back(world: World) -> None:
    """What a later run found there is what this one had left; nothing older is asked for."""
    with world.house(write=True) as house:
        lease = acquire(house.state, "gc", clock=RealClock())
        assert house.state.forget_runs(3, lease) == 2  # type: ignore[attr-defined]
        lease.release()
    with pytest.raises(UsageError, match="no run 2"):
        undo(world, 2)
    assert undo(world, 4).exit_code == 0
    assert world.there() == {"a": "three"}
    assert undo(world, 3).exit_code == 0
    assert world.there() == {"a": "two"}


def test_all_are_remembered_from_the_first_that_is_not_old(world: World) -> None:
    """A clock that was wrong once makes an old run young: no later one is forgotten before it."""
    with world.house(write=True) as house:
        lease = acquire(house.state, "apply", clock=RealClock())
        [second] = [run for run in house.state.runs() if run.id == 2]
        ended = Run(2, second.operation, second.started, RealClock().now() + 20 * DAY_S, mappings=["docs"])
        house.state.end(ended, [], lease)
        lease.release()
    assert forgotten(gc(world, 31)) == 1
    assert remembered(world) == [4, 3, 2]


def test_a_run_whose_bytes_are_still_there_is_remembered(world: World) -> None:
    """The store says that it has what run 2 kept for a day only; one day it will go, and run 2 is asked."""

    class Copied(Wrapper):
        def list(self, under: str = "", *, after: str | None = None, until: str | None = None):  # type: ignore[no-untyped-def]
            for item in super().list(under, after=after, until=until):
                fields = {name: getattr(item, name) for name in item.__struct_fields__}
                if item.key == ".reconcile/undo/2/a":
                    fields["mtime_ns"] = int(Later(30).now() * 1e9)
                yield type(item)(**fields)

    world.around = Copied
    assert forgotten(gc(world, 31)) == 1
    assert remembered(world) == [4, 3, 2]
    world.around = None
    assert forgotten(gc(world, 61)) == 1
    assert not (world.out / ".reconcile/undo").exists()


def test_none_is_forgotten_where_not_all_could_be_looked_at(world: World) -> None:
    class Shut(Wrapper):
        def list(self, under: str = "", *, after: str | None = None, until: str | None = None):  # type: ignore[no-untyped-def]
            raise DeniedError("may not", op="list", path=under)

    world.around = Shut
    collected = gc(world, 31)
    assert (forgotten(collected), collected.exit_code) == (0, 7)
    world.around = None
    world.more = {"other": {"source": str(world.src), "target": str(world.root / "other")}}
    assert forgotten(gc(world, 31, reach=Reach(mappings=("docs",)))) == 0
    assert forgotten(gc(world, 31)) == 2
