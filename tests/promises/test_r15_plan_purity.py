"""R15: a plan is pure. `plan`, `--dry-run` and `verify` change nothing anywhere; same inputs, same bytes."""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import random
from typing import Any
import uuid

import pytest

from reconcile.flow.verifying import verify
from reconcile.state.planfile import save_plan
from tests.flow.small_trees import make
from tests.flow.test_faults import AFTER, BEFORE
from tests.flow.watchers import Counting, mutations
from tests.flow.world import World


@pytest.fixture(params=["local", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """A world in which everything there is has to be done."""
    url = "" if request.param == "local" else f"memory://{uuid.uuid4().hex}"
    world = World(tmp_path, url, {"guard": {"max_delete": "off"}})
    make(world.src, BEFORE)
    world.settled()
    make(world.src, AFTER)
    return world


def disk(root: Path) -> dict[str, tuple[bytes, int, int]]:
    """Every file below a root, with its times."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in files}


def planned(world: World) -> None:
    assert world.plan().counts.changes > 8


def pinned(world: World) -> None:
    assert world.plan(pinned=True).counts.changes > 8


def verified(world: World) -> None:
    with world.house(write=False) as house:
        assert verify(house, world.events.append).exit_code == 0


@pytest.mark.hazard("P10")
@pytest.mark.parametrize("look", [planned, pinned, verified])
def test_looking_changes_nothing(world: World, look: Callable[[World], None]) -> None:
    before, calls = disk(world.root), []  # type: ignore[var-annotated]
    there = world.there()
    world.around = lambda store: Counting(store, calls)
    look(world)
    world.around = None
    assert calls, "it looked"
    assert mutations(calls) == []
    assert disk(world.root) == before, "no file of source, target or state, nor a new one"
    assert world.there() == there


@pytest.mark.hazard("P11")
def test_the_same_inputs_give_the_same_bytes(world: World) -> None:
    saved = []
    for name in ("one", "two"):
        path = world.root / name
        save_plan(world.plan(pinned=True), str(path))
        saved.append(path.read_bytes())
        path.unlink()
    assert saved[0] == saved[1]


@pytest.mark.hazard("P11")
def test_the_order_of_a_directory_does_not_matter(tmp_path: Path) -> None:
    """The same files, made in any order, under any number of threads: one plan."""
    told = set()
    for seed in range(5):
        names = [f"{one}/{two}" for one in "abc" for two in range(5)]
        random.Random(seed).shuffle(names)
        world = World(tmp_path / str(seed), f"memory://{uuid.uuid4().hex}", {"concurrency": 1 + seed})
        for name in names:
            os.utime(world.write(name, name), ns=(1, 1))
        told.add(_essence(world.plan(pinned=True)))
    assert len(told) == 1


def _essence(plan: Any) -> tuple[Any, ...]:
    """All of a plan's changes but the versions of the files, which have inodes and times of their own."""
    return tuple((change.id, change.action, change.key, change.digest, change.after) for change in plan.changes())
