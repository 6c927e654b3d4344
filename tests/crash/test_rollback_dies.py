"""Death at the steps of a rollback, and in the rollbacks after it: the next one brings back what is not back yet."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
import os
from pathlib import Path
import random
import shutil
from signal import SIGKILL

import pytest

from reconcile.core.errors import LockedError
from tests.crash.mortal import dies
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


def applied(root: Path) -> World:
    """A world in which run 2 did everything that a run can do."""
    root.mkdir()
    world = World(root, options={"guard": {"max_delete": "off"}})
    make(world.src, BEFORE)
    world.apply()
    make(world.src, AFTER)
    assert world.apply().exit_code == 0
    return world


def contents(world: World) -> set[str]:
    """Every content of a file that there is, in its place, kept or parked."""
    found = {path.read_bytes().decode(errors="replace") for path in world.out.rglob("*") if path.is_file()}
    return found & {*BEFORE.values(), *AFTER.values()}


def die_and_undo(root: Path, *moments: int) -> int:
    """Dies at each of the moments in turn, then rolls back to the end; returns how often it died."""
    world = applied(root)
    before = contents(world)
    deaths = 0
    for moment in moments:
        if not dies(lambda: undo(world, 2), moment):
            break
        deaths += 1
        assert before - contents(world) == set(), "no content is ever gone"
    result = undo(world, 2)
    assert result.exit_code == 0, (moments, why(result))
    assert world.there() == BEFORE, moments
    assert undo(world, 2).outcomes == []
    assert world.apply().exit_code == 0
    assert world.there() == AFTER
    shutil.rmtree(root)
    return deaths


def die_and_apply(root: Path, moment: int) -> int:
    """Dies at a moment, and then somebody applies instead."""
    world = applied(root)
    died = bool(dies(lambda: undo(world, 2), moment))
    if died:
        world.settled()
        assert world.there() == AFTER
    shutil.rmtree(root)
    return died


@pytest.mark.hazard("T15", "O03")
@pytest.mark.parametrize("first", range(2))
def test_death_at_a_step_of_a_rollback(tmp_path: Path, first: int) -> None:
    """A sample of all steps; the campaign beside it takes every one."""
    died = [die_and_undo(tmp_path / str(at), at) for at in range(first * 13, 600, 53)]
    assert 6 <= sum(died) < len(died), "the sample reaches from the first step to beyond the last"


@pytest.mark.hazard("T15")
def test_an_apply_after_a_dead_rollback(tmp_path: Path) -> None:
    died = [die_and_apply(tmp_path / str(at), at) for at in range(5, 900, 97)]
    assert 3 <= sum(died) < len(died)


def die_and_stay_held(root: Path, moment: int) -> int:
    """Dies at a moment, then a second one dies before it is answered: nothing that was begun is done again."""
    world = applied(root)
    died = bool(dies(lambda: undo(world, 2, hold=True), moment))
    if not died or world.there() == AFTER:
        return died
    for _ in range(2):
        with pytest.raises(LockedError, match="rollback of run 2") as locked:
            world.apply()
        assert "reconcile unlock " in locked.value.hint
        dies(lambda: undo(world, 2, approve=lambda _plan: os.kill(os.getpid(), SIGKILL)), 10**9)
    assert undo(world, 2, hold=True).exit_code == 0
    assert world.there() == BEFORE
    return 2


@pytest.mark.hazard("T15", "O03")
def test_a_rollback_that_died_is_not_done_again_by_the_next_apply(tmp_path: Path) -> None:
    died = [die_and_stay_held(tmp_path / str(at), at) for at in range(20, 900, 97)]
    assert died.count(2) >= 3
    assert died[-1] != 1


@pytest.mark.hazard("T16")
def test_death_in_a_rollback_and_again(tmp_path: Path) -> None:
    chance = random.Random(7)
    several = [[chance.randrange(400), chance.randrange(300), chance.randrange(300)] for _ in range(6)]
    died = [die_and_undo(tmp_path / str(at), *moments) for at, moments in enumerate(several)]
    assert max(died) == 3


def die_and_take_back(root: Path, moment: int) -> int:
    """An apply dies at a moment, and then somebody wants what it did undone."""
    root.mkdir()
    world = World(root, options={"guard": {"max_delete": "off"}})
    make(world.src, BEFORE)
    world.apply()
    make(world.src, AFTER)
    died = bool(dies(world.apply, moment))
    with world.house(write=False) as house:
        begun = len(house.state.runs()) == 2
    if begun:
        result = undo(world, 2)
        assert result.exit_code == 0, (moment, why(result))
        assert world.there() == BEFORE, moment
    world.settled()
    shutil.rmtree(root)
    return died


@pytest.mark.hazard("T15", "O03")
def test_an_apply_that_died_is_undone(tmp_path: Path) -> None:
    died = [die_and_take_back(tmp_path / str(at), at) for at in range(5, 900, 97)]
    assert 3 <= sum(died) < len(died)


@pytest.mark.campaign
@pytest.mark.hazard("T15", "O03")
@pytest.mark.parametrize("way", [die_and_undo, die_and_apply, die_and_take_back])
def test_death_at_every_step_of_a_rollback(tmp_path: Path, way: Callable[[Path, int], int]) -> None:
    died = next(at for at in count() if not way(tmp_path / str(at), at))
    assert died > 200
