"""A service that keeps other bytes than it was sent, and says that all is well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconcile.flow.planning import settled_conflicts
from tests.fakes.databricks import Emulator, faults
from tests.flow.small_trees import make
from tests.flow.world import World
from tests.stores.fakes import OwnClock

PLACES = {
    "dbfs": "dbfs:/team/docs",
    "volume": "/Volumes/main/default/landing/docs",
    "workspace": "/Workspace/Shared/docs",
}
SENDS = "/api/2.0/(dbfs/put|fs/files|workspace/import)"


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator() as emulator:
        emulator.catalog.add("main", "default", "landing")
        monkeypatch.setenv("DATABRICKS_HOST", emulator.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", emulator.token)
        yield emulator


def resolved(world: World) -> None:
    """`conflicts resolve --source`."""
    plan = world.plan(winner="source")
    with world.house(write=False) as house:
        assert settled_conflicts(house)(plan) == {change.id for change in plan.changes()}
    assert world.apply(winner="source").exit_code == 0


@pytest.mark.hazard("R11", "R13")
@pytest.mark.parametrize("kept", [3, 0])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("new", [True, False])
def test_half_a_file_is_told_at_once_and_waits_or_is_sent_again(
    tmp_path, emulator: Emulator, place: str, kept: int, new: bool
) -> None:
    """It may be somebody else's: a look cannot tell. Where it is kept it is gone over, else a person says so."""
    world = World(tmp_path / "world", PLACES[place], {"concurrency": 4}, clock=OwnClock())
    make(world.src, {"b": "whole"} if new else {"a": "what it was", "b": "whole"})
    world.settled()
    make(world.src, {"a": "all of it", "b": "whole"})
    fault = emulator.faults.add(faults.keep(lambda data: data[:kept]), "PUT|POST", SENDS)
    result = world.apply()
    assert fault.fired == 1
    assert result.exit_code == (3 if place == "workspace" else 7)
    told = result.problems
    assert [one.key for one in told] == ([] if place == "workspace" else ["a"])
    assert all(f"holds {kept} bytes, and 9 were written" in one.reason for one in told)
    assert all(("conflicts resolve --source 'a'" in one.hint) == (place == "volume") for one in told)
    if place != "dbfs":
        assert [one.key for one in world.apply().conflicts] == ["a"]
        assert emulator.read(f"{PLACES[place]}/a") == b"all of it"[:kept]
        resolved(world)
    world.settled()
    assert world.there() == {"a": "all of it", "b": "whole"}
