"""Death at the steps of a rollback, and in the rollbacks after it: the next one brings back what is not back yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
import os
from pathlib import Path
import random
from signal import SIGKILL
from typing import Any

import pytest

from reconcile.core.errors import LockedError
from tests.crash.alike import left
from tests.crash.kinds import place
from tests.crash.mortal import dies
from tests.crash.scenarios import STRANGERS, Scenario
from tests.crash.stills import Stills
from tests.crash.sweep import Moments
from tests.flow.small_trees import make
from tests.flow.undo_kit import undo, why
from tests.flow.world import World

BEFORE = {
    "edited": "old text",
    "gone": "to go",
    "old-name": "moved about",
    "swap-a": "one side",
    "swap-b": "the other side",
    "log": "log 0",
    "log.1": "log 1",
    "file": "becomes a directory",
    "directory/one": "becomes a file",
    "directory/two": "with it",
    "steady": "stays",
}
AFTER = {
    "edited": "new text",
    "new/deep/name": "moved about",
    "swap-a": "the other side",
    "swap-b": "one side",
    "log": "log 2",
    "log.1": "log 0",
    "log.2": "log 1",
    "file/one": "in it",
    "directory": "file now",
    "steady": "stays",
    "fresh/new": "quite new",
}
GAPS = frozenset(key for key in {*BEFORE, *AFTER} if key.startswith(("file", "directory")))
MANY = 1_000_000
"""More moments than there are."""

STILL_HELD = "still held"


def undone(world: World, **told: Any) -> None:
    """Rolls back to the end."""
    result = undo(world, 2, **told)
    assert result.exit_code == 0, why(result)


def applied_instead(world: World) -> None:
    """Nobody rolls back any more."""
    world.settled()
    assert world.there() == {**AFTER, **STRANGERS}


def taken_back(world: World) -> None:
    """Undoes what an apply did, if it began to; then it is done all the same."""
    with world.house(write=False) as house:
        begun = len(house.state.runs()) == 2
    if begun:
        undone(world)
        assert world.there() == {**BEFORE, **STRANGERS}
    world.settled()


def still_held(world: World) -> None:
    """Whoever dies before it is answered does nothing again that was begun, nor does an apply."""
    if world.there() != {**AFTER, **STRANGERS}:
        for _ in range(2):
            with pytest.raises(LockedError, match="rollback of run 2") as locked:
                world.apply()
            assert "reconcile unlock " in locked.value.hint
            dies(lambda: undo(world, 2, approve=lambda _plan: os.kill(os.getpid(), SIGKILL)), MANY)
        world.events.append(STILL_HELD)
    undone(world, hold=True)


def story(run: Callable[[World], object], end: Callable[[World], object], **more: Any) -> Scenario:
    """In its world run 2 did everything that a run can do, unless that is what dies."""
    return Scenario("rollback", "", BEFORE, AFTER, run=run, end=end, gaps=GAPS, **more)


UNDO = story(undone, undone, wanted=BEFORE, arrange=World.apply)
UNDO_HELD = story(partial(undone, hold=True), still_held, wanted=BEFORE, arrange=World.apply)
APPLY_INSTEAD = story(undone, applied_instead, wanted=BEFORE, arrange=World.apply)
TAKE_BACK = story(World.apply, taken_back)


@dataclass
class Undoing(Stills):
    """Of those that `ends` the same, one is gone on with: nothing is left to undo, and an apply does it all again."""

    ends: set[str] = field(default_factory=set)

    def check_end(self) -> None:
        if self.scenario is APPLY_INSTEAD:
            return
        super().check_end()
        found = left(self.world, self.place.then)
        if self.scenario is UNDO and found not in self.ends:
            self.ends.add(found)
            assert undo(self.world, 2).outcomes == []
            assert self.world.apply().exit_code == 0
            assert self.world.there() == {**AFTER, **STRANGERS}


def judge(scenario: Scenario, count: int, *more: Moments) -> Undoing:
    """So many moments over the run of a scenario, and some more points."""
    with place("local") as where:
        undoing = Undoing(scenario, where)
        undoing.judge([*undoing.spread(count), *more])
        return undoing


@pytest.mark.hazard("T15", "O03")
@pytest.mark.parametrize(("scenario", "count"), [(UNDO, 36), (APPLY_INSTEAD, 12), (TAKE_BACK, 12)])
def test_death_at_a_step_of_a_rollback(scenario: Scenario, count: int) -> None:
    """A sample of all steps; the campaign beside it takes every one."""
    assert judge(scenario, count).depths[1] >= count


@pytest.mark.hazard("T15", "O03")
def test_a_rollback_that_died_is_not_done_again_by_the_next_apply() -> None:
    undoing = judge(UNDO_HELD, 18)
    assert undoing.depths[1] >= 18
    assert undoing.world.events.count(STILL_HELD) >= 3


@pytest.mark.hazard("T16")
def test_death_in_a_rollback_and_again() -> None:
    chance = random.Random(7)
    several = [[chance.randrange(400), chance.randrange(300), chance.randrange(300)] for _ in range(6)]
    assert judge(UNDO, 0, *several).depths[3] == len(several)


@pytest.mark.hazard("T15", "T16")
def test_a_real_death_in_a_rollback_and_again(tmp_path: Path) -> None:
    world = World(tmp_path, options={"guard": {"max_delete": "off"}})
    make(world.src, BEFORE)
    world.apply()
    make(world.src, AFTER)
    assert world.apply().exit_code == 0
    for moment in (150, 60, 200):
        assert dies(lambda: undo(world, 2), moment)
    undone(world)
    assert world.there() == BEFORE


@pytest.mark.campaign
@pytest.mark.hazard("T15", "O03")
@pytest.mark.parametrize("scenario", [UNDO, APPLY_INSTEAD, TAKE_BACK, UNDO_HELD])
def test_death_at_every_step_of_a_rollback(scenario: Scenario) -> None:
    assert judge(scenario, MANY).depths[1] > 200
