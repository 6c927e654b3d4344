"""A run on Databricks dies at a request: what is there is old or new, and the next run makes it good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import os
from pathlib import Path
import random
import shutil
import time

import pytest

from tests.crash.mortal import dies, moments
from tests.fakes.databricks import Emulator
from tests.fault.stories import AFTER, BEFORE
from tests.flow.small_trees import make
from tests.flow.world import World

PLACES = {
    "dbfs": "dbfs:/dies/team",
    "volume": "/Volumes/main/default/dies/team",
    "workspace": "/Workspace/Shared/dies/team",
}
HEADER = "# Databricks notebook source\n"
NOTEBOOKS = {
    "same.py": HEADER + "stays",
    "edited.py": HEADER + "old",
    "gone.py": HEADER + "to be deleted",
    "old-name.py": HEADER + "moved about",
    "becomes.py": "a file",
    "was.py": HEADER + "a notebook",
    "spoken.py": HEADER + "in Python",
    "drawn.ipynb": '{"cells": [{"cell_type": "code", "source": "old"}]}',
}
NOTEBOOKS_THEN = {
    "same.py": HEADER + "stays",
    "edited.py": HEADER + "new",
    "name.py": HEADER + "moved about",
    "becomes.py": HEADER + "a notebook now",
    "was.py": "a file now",
    "spoken.sql": "-- Databricks notebook source\nselect 'in SQL'",
    "drawn.ipynb": '{"cells": [{"cell_type": "code", "source": "new"}]}',
}
REPLACED = ("edited.py", "becomes.py", "was.py", "drawn.ipynb")
LARGE = 100
Texts = Mapping[str, str]
POINTS = int(os.environ.get("RECONCILE_CRASH_POINTS", "3"))
"""Deaths for each place."""


@pytest.fixture(params=PLACES)
def place(request, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Emulator, str]]:
    monkeypatch.setattr("reconcile.flow.step.SMALL_BYTES", LARGE)
    monkeypatch.setattr("reconcile.stores.databricks.volume.WHOLE_BYTES", LARGE)
    monkeypatch.setattr("reconcile.stores.databricks.volume.IN_PARTS_BYTES", LARGE + 50)
    monkeypatch.setattr("reconcile.stores.databricks.volume_parts.PART_BYTES", LARGE)
    monkeypatch.setattr("reconcile.stores.databricks.dbfs.BLOCK_BYTES", LARGE)
    monkeypatch.setattr("reconcile.stores.databricks.dbfs_blocks.BLOCK_BYTES", LARGE)
    with Emulator() as emulator:
        emulator.limits.part_bytes = 1
        emulator.catalog.add("main", "default", "dies")
        monkeypatch.setenv("DATABRICKS_HOST", emulator.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", emulator.token)
        yield emulator, PLACES[request.param]


def ready(root: Path, emulator: Emulator, target: str, before: Texts = BEFORE, after: Texts = AFTER) -> World:
    """A world with everything to do."""
    shutil.rmtree(root, ignore_errors=True)
    for path in emulator.paths(target):
        emulator.remove(path)
    world = World(root, target, {"guard": {"max_delete": "off"}})
    make(world.src, before)
    world.settled()
    make(world.src, after)
    return world


def at_rest(emulator: Emulator) -> None:
    """What the dead had asked for is done, or never will be."""
    ends = time.monotonic() + 5
    while emulator.log.under_way and time.monotonic() < ends:
        time.sleep(0.01)


@pytest.mark.hazard("R33")
def test_the_next_run_makes_good_what_a_dead_one_left(place, tmp_path: Path, request) -> None:
    emulator, target = place
    world = ready(tmp_path / "world", emulator, target)
    steps = moments(world.apply)
    requests = [at for at, step in enumerate(steps) if step.startswith("databricks.")]
    ever = {text.encode() for text in (*BEFORE.values(), *AFTER.values())}
    died = 0
    for at in sorted(random.Random(request.node.name).sample(requests, min(POINTS, len(requests)))):
        world = ready(tmp_path / "world", emulator, target)
        died += dies(world.apply, at) != ""
        at_rest(emulator)
        there = {path: data for path, data in emulator.tree(target).items() if ".reconcile" not in path}
        assert set(there.values()) <= ever
        assert there[f"{target}/same"] == BEFORE["same"].encode()
        world.apply()
        world.settled()
        assert world.there() == world.here()
        assert [path for path in emulator.paths(target) if ".reconcile-tmp-" in path] == []
    assert died > POINTS // 2


@pytest.mark.hazard("R33")
@pytest.mark.parametrize("place", ["workspace"], indirect=True)
def test_the_next_run_makes_good_what_a_dead_one_left_of_notebooks(place, tmp_path: Path, request) -> None:
    emulator, target = place
    texts = (NOTEBOOKS, NOTEBOOKS_THEN)
    world = ready(tmp_path / "world", emulator, target, *texts)
    steps = moments(world.apply)
    requests = [at for at, step in enumerate(steps) if step.startswith("databricks.")]
    died = 0
    for at in sorted(random.Random(request.node.name).sample(requests, min(POINTS // 2 + 1, len(requests)))):
        world = ready(tmp_path / "world", emulator, target, *texts)
        died += dies(world.apply, at) != ""
        at_rest(emulator)
        there = [data.decode() for path, data in emulator.tree(target).items() if ".reconcile" not in path]
        assert set(there) <= {*NOTEBOOKS.values(), *NOTEBOOKS_THEN.values()}
        assert [key for key in REPLACED if not {NOTEBOOKS[key], NOTEBOOKS_THEN[key]} & {*there}] == []
        world.apply()
        world.settled()
        assert world.there() == world.here() == NOTEBOOKS_THEN
        assert len([path for path in emulator.paths(target) if ".reconcile" not in path]) == len(NOTEBOOKS_THEN)
    assert died
