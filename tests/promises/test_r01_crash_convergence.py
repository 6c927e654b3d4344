"""R1: crash convergence. After SIGKILL at any point of a run, and of the recoveries from it, the next `apply` with no
human help reaches what is wanted, and a further plan is empty. What the dead leave behind blocks nobody on their host.

A sample is here; `tests/crash/test_every_step.py` takes 2,000 points, the campaign 100,000.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.state import lease
from tests.crash.conftest import room
from tests.crash.kinds import KINDS
from tests.crash.mortal import dies, moments
from tests.crash.room import Room
from tests.flow.world import World

__all__ = ["room"]

BY_HAND = "put right by hand"


@pytest.mark.hazard("T15", "T16")
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_does_everything_may_die_anywhere(room: Room, kind: str) -> None:
    told = room.ask(kind=kind, scenario="everything", lots=4, seed=1)
    assert told["failed"] == []
    assert told["points"] == 4
    assert sum(told["died_at"].values()) >= 6


def ready(root: Path) -> World:
    world = World(root, options={"concurrency": 1})
    world.put(edited="old", gone="going", old_name="moved", steady="stays")
    world.apply()
    world.put(edited="new", fresh="quite new")
    world.move("old_name", "new_name")
    world.remove("gone")
    return world


def test_the_lock_and_the_journal_of_the_dead_block_nobody(tmp_path: Path) -> None:
    world = ready(tmp_path / "rehearsal")
    steps = moments(world.apply)
    world = ready(tmp_path / "world")
    publishing = steps.index("disk.rename")
    assert dies(world.apply, publishing) == "disk.rename"
    with world.house(write=False) as house:
        left = lease.show(house.state)
        assert left is not None
        assert left.pid > 0
        assert house.state.journal.open_intents()
    world.settled()
    assert world.there() == world.here()
    with world.house(write=False) as house:
        assert lease.show(house.state) is None
        assert house.state.journal.open_intents() == []


@pytest.mark.hazard("T30")
@pytest.mark.parametrize("key", ["edited", "fresh", "old_name", "new_name", "gone"])
def test_what_somebody_put_right_meanwhile_is_not_undone(tmp_path: Path, key: str) -> None:
    """The journal of the dead says what they were about to do, not what may be done now."""
    steps = moments(ready(tmp_path / "rehearsal").apply)
    publishing = [at for at, step in enumerate(steps) if step in ("disk.rename", "disk.rename_new")]
    for number, at in enumerate(publishing):
        world = ready(tmp_path / str(number))
        assert dies(world.apply, at)
        (world.out / key).write_text(BY_HAND)
        result = world.apply()
        kept = {path.read_text() for path in world.out.rglob("*") if path.is_file() and path.name != "dirs"}
        assert BY_HAND in kept, f"{key}, after a death at moment {at}"
        assert (world.out / key).read_text() == BY_HAND or result.exit_code == 0
        world.options["conflict"] = "source"
        world.settled()
