"""A sample of the same worlds with everything real: files on a disk, a state in SQLite, workers in threads."""

from __future__ import annotations

from pathlib import Path
import shutil

import pytest

from reconcile.core.entry import ANY
from reconcile.core.policy import Policy
from tests.flow.small_trees import make
from tests.flow.undo_kit import put_there
from tests.flow.world import World as Place
from tests.planner.model import expected
from tests.planner.seeds import random_case
from tests.planner.worlds import Tree, World

SEEDS = range(5_000, 5_040)


def text(tree: Tree) -> dict[str, str]:
    return {key: data.decode() for key, data in tree.items()}


def meddle(place: Place, world: World) -> None:
    """Strangers make the target what it is in the story."""
    gone = [(key, ANY) for key in world.base if key not in world.target]
    with place.house(write=True) as house:
        assert not any(house.mappings[0].target.delete(gone))
    for key, data in world.target.items():
        if key in world.touched or world.base.get(key) != data:
            put_there(place, key, data.decode())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_world_of_real_files(tmp_path: Path, seed: int) -> None:
    """All of it can be read here."""
    case = random_case(seed)
    world = case.story.world.healed()
    place = Place(tmp_path, "", {"guard": {"max_delete": "off", "min_files": 1_000}})
    make(place.src, text(world.base))
    place.settled()
    make(place.src, text(world.source))
    meddle(place, world)
    if world.lost_state:
        shutil.rmtree(tmp_path / "state")
    place.options |= case.policy
    goal = expected(world, Policy(**case.policy), tree=True)  # type: ignore[arg-type]
    result = place.apply(allowed=("deletes",))
    assert place.there() == text(goal.final)
    assert {conflict.key for conflict in result.conflicts} == goal.waiting
    assert list(place.plan(allowed=("deletes",)).changes()) == []
