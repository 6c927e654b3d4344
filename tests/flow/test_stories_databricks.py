"""The same stories on Databricks, by an emulated workspace: DBFS, a volume, workspace files; and some of their own."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import shutil
import uuid

import pytest

from reconcile.core.errors import PlanError
from reconcile.flow.planning import settled_conflicts
from tests.fakes.databricks import Emulator
from tests.fakes.databricks import faults as broken
from tests.flow import test_stories
from tests.flow.undo_kit import became, undo
from tests.flow.world import World
from tests.stores.fakes import OwnClock

PLACES = {"dbfs": "dbfs:/stories/{}", "volume": "/Volumes/main/default/stories/{}", "workspace": "/Workspace/Shared/{}"}
_MOVES = {
    "test_a_rename_is_a_move",
    "test_a_move_onto_an_existing_key",
    "test_of_identical_files_only_the_one_that_went_is_moved",
}
"""Only DBFS moves."""

_ANOTHER_PLAN = {"test_a_chain_of_renames", "test_a_circle_of_renames", "test_a_lost_state_never_overwrites"}
"""Nothing there can be copied, and nothing be compared unread."""

_ON_ALL = {
    name: story for name, story in vars(test_stories).items() if name.startswith("test_") and name not in _ANOTHER_PLAN
}
STORIES = [(place, name) for place in PLACES for name in _ON_ALL if place == "dbfs" or name not in _MOVES]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        emulator.catalog.add("main", "default", "stories")
        yield emulator


@pytest.fixture
def at(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A world whose target is in one of the places."""
    monkeypatch.setenv("DATABRICKS_HOST", emulator.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", emulator.token)

    def make(place: str, **options: object) -> World:
        return World(tmp_path, PLACES[place].format(uuid.uuid4().hex[:8]), options)

    return make


@pytest.mark.parametrize(("place", "name"), STORIES)
def test_story(at, place: str, name: str) -> None:
    _ON_ALL[name](at(place))


@pytest.mark.hazard("P01")
@pytest.mark.parametrize("place", PLACES)
def test_renames_in_a_row_and_in_a_circle_end_where_they_should(at, place: str) -> None:
    world = at(place)
    world.put(log="new", log1="old", log2="oldest", x="one", y="two")
    world.settled()
    for old, new in (("log2", "log3"), ("log1", "log2"), ("log", "log1"), ("x", "t"), ("y", "x"), ("t", "y")):
        world.move(old, new)
    world.put(log="fresh")
    world.settled()
    assert world.there() == world.here()


@pytest.mark.parametrize("place", PLACES)
def test_a_folder_that_somebody_filled_is_adopted_after_one_read(at, emulator: Emulator, place: str) -> None:
    world = at(place)
    for name, text in (("a", "1"), ("sub/b", "2"), ("c", "x")):
        emulator.put(f"{world.target}/{name}", text.encode())
    world.put(a="1", sub__b="2", c="3", d="new")
    assert world.told() == ["adopt a", "adopt c", "create d", "adopt sub/b"]
    result = world.apply()
    assert result.exit_code == 3
    assert [one.key for one in result.outcomes if one.outcome == "conflict"] == ["c"]
    assert emulator.read(f"{world.target}/c") == b"x"
    world.put(c="x")
    world.settled()
    emulator.log.clear()
    assert world.told() == []
    assert emulator.log.of(".*", "/api/2.0/(fs/files|dbfs/read|workspace/export)") == []


@pytest.mark.parametrize("place", PLACES)
def test_what_others_do_there_is_seen(at, emulator: Emulator, place: str) -> None:
    world = at(place)
    world.put(a="1", b="2", c="3", d="4")
    world.settled()
    emulator.put(f"{world.target}/a", b"x")
    emulator.put(f"{world.target}/b", b"2")
    emulator.put(f"{world.target}/c", b"longer")
    emulator.remove(f"{world.target}/d")
    if place != "dbfs":  # where nothing is kept, nothing of others goes unasked
        plan = world.plan()
        assert world.told(plan) == ["adopt b", "create d"]
        assert [(one.key, one.reason) for one in plan.conflicts] == [("a", "drift-held"), ("c", "drift-held")]
        world.options["keep"] = "never"
    assert world.told() == ["update a", "adopt b", "update c", "create d"]
    world.settled()
    assert world.there() == world.here()
    kept = [path.rpartition("/")[2] for path in emulator.paths(f"{world.target}/.reconcile/undo")]
    assert kept == (["a", "c"] if place == "dbfs" else [])


@pytest.mark.parametrize(("place", "most"), [("volume", 1), ("dbfs", 2), ("workspace", 3)])
def test_no_request_of_a_create_is_wasted(at, emulator: Emulator, place: str, most: int) -> None:
    world = at(place)
    for number in range(20):
        world.write(f"d{number % 2}/f{number}", f"{number}")
    emulator.log.clear()
    assert world.apply().exit_code == 0
    spent = sum(emulator.log.counts().values())
    assert spent <= 20 * most + 2 * 2 + 12, emulator.log.counts()
    emulator.log.clear()
    assert world.told() == []
    assert len(emulator.log.of("GET", "/api/2.0/.*(directories|list)")) == 3
    assert len(emulator.log) <= 3 + 2, emulator.log.counts()


def test_what_a_listing_does_not_show_yet_is_read_before_it_is_believed(at, emulator: Emulator) -> None:
    world = at("volume")
    world.put(a="1", b="2")
    fault = emulator.faults.add(broken.hidden("a"), "GET", "/api/2.0/fs/directories", times=None)
    assert world.apply().exit_code == 0
    assert fault.fired
    emulator.faults.heal()
    emulator.log.clear()
    assert world.told() == ["adopt a"]
    assert [seen.path[-2:] for seen in emulator.log.of("GET", "/api/2.0/fs/files")] == ["/a"]
    world.settled()


def test_whole_seconds_are_waited_out(emulator: Emulator, at, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where storage keeps whole seconds, a change in the same second would be no change: it is waited until it has
    passed, and what cannot be told apart is not settled."""
    monkeypatch.setattr("tests.fakes.databricks.tree.Tree.now_ms", lambda tree: int(tree._clock()) * 1000)
    world = at("volume")
    world.clock = OwnClock()
    world.put(a="1")
    assert world.apply().exit_code == 0
    assert world.clock.slept == [2.0]
    emulator.put(f"{world.target}/a", b"x")
    assert [one.key for one in world.plan().conflicts] == ["a"]


@pytest.mark.hazard("R06")
def test_a_volume_that_is_missing_is_not_an_empty_one(at, emulator: Emulator) -> None:
    world = at("volume")
    world.put(a="1")
    world.settled()
    emulator.catalog.volumes.clear()
    with pytest.raises(Exception, match="does not exist"):
        world.plan()
    world.options["create_target"] = True
    plan = world.plan()
    assert plan.mappings[0].creates == ["volume main.default.stories"]
    assert world.told(plan) == ["create a"]


def test_a_plan_says_what_is_not_promised(at) -> None:
    world = at("volume")
    world.put(a="1")
    mapping = world.plan().mappings[0]
    assert (mapping.conditions, mapping.window) == ("create", True)


@pytest.mark.hazard("R35")
@pytest.mark.parametrize("place", PLACES)
def test_what_cannot_be_there_is_said_by_the_plan(at, place: str) -> None:
    world = at(place)
    world.write("n" * 200 + "é" * 25, "fits")
    world.write("sub/large", b"x" * (10 << 20) + b"x")
    problems = world.plan().mappings[0].problems
    told = [problem.reason for problem in problems]
    assert told == (["10 MiB is more than the store takes in one object (10 MiB)"] if place == "workspace" else [])


def test_large_files_go_in_parts(at, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconcile.scan.hashing.SMALL_BYTES", 1000)
    monkeypatch.setattr("reconcile.flow.step.SMALL_BYTES", 1000)
    monkeypatch.setattr("reconcile.stores.databricks.volume.WHOLE_BYTES", 1000)
    monkeypatch.setattr("reconcile.stores.databricks.volume.IN_PARTS_BYTES", 5000)
    monkeypatch.setattr("reconcile.stores.databricks.volume_parts.PART_BYTES", 1000)
    emulator.limits.part_bytes = 1
    world = at("volume")
    world.write("small", b"s" * 900)
    world.write("middle", b"m" * 4000)
    world.write("large", b"l" * 10_500)
    world.settled()
    assert emulator.read(f"{world.target}/large") == b"l" * 10_500
    assert len(emulator.log.of("PUT", "/presigned")) == 11
    assert not any(seen.authorized for seen in emulator.log.of(".*", "/presigned"))
    assert emulator.uploads.sessions == {}


def test_where_nothing_is_signed_large_files_go_in_one_piece(at, emulator: Emulator, monkeypatch) -> None:
    monkeypatch.setattr("reconcile.flow.step.SMALL_BYTES", 1000)
    monkeypatch.setattr("reconcile.stores.databricks.volume.WHOLE_BYTES", 1000)
    monkeypatch.setattr("reconcile.stores.databricks.volume.IN_PARTS_BYTES", 5000)
    emulator.habits.presigned_urls = False
    world = at("volume")
    world.write("large", b"l" * 10_500)
    world.settled()
    assert emulator.read(f"{world.target}/large") == b"l" * 10_500


@pytest.mark.parametrize("place", PLACES)
def test_the_state_itself_may_lie_there(at, place: str) -> None:
    world = at(place)
    world.state = PLACES[place].format("state")
    world.put(a="1", b="2")
    world.settled()
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])  # as on another machine
    assert world.told() == []
    world.put(a="one")
    world.settled()


@pytest.mark.parametrize("place", PLACES)
def test_what_must_be_kept_always_is_kept_everywhere(at, emulator: Emulator, place: str) -> None:
    world = at(place, keep="always")
    world.put(a="1", b="2", c="3")
    world.settled()
    emulator.put(f"{world.target}/a", b"foreign")
    world.put(b="two")
    world.remove("c")
    world.settled()
    assert world.there() == {"a": "1", "b": "two"}
    kept = emulator.tree(f"{world.target}/.reconcile/undo")
    assert {path[-1]: data for path, data in kept.items()} == {"a": b"foreign", "b": b"2", "c": b"3"}
    assert became(undo(world)) == {"a": "restored", "b": "restored", "c": "restored"}
    assert world.there() == {"a": "foreign", "b": "2", "c": "3"}


@pytest.mark.parametrize("place", PLACES)
def test_a_run_is_undone_as_far_as_bytes_are_kept(at, place: str) -> None:
    world = at(place, keep="auto")
    world.put(a="1", b="2")
    world.settled()
    world.put(a="one", c="3")
    world.settled()
    world.move("b", "d")
    world.settled()
    wanted = {"b": "restored"} if place == "dbfs" else {"b": "cannot", "d": "removed"}
    assert became(undo(world)) == wanted
    world.move("d", "b")
    assert became(undo(world, 2)) == {"a": "restored" if place == "dbfs" else "cannot", "c": "removed"}
    assert world.there() == ({"a": "1", "b": "2"} if place == "dbfs" else {"a": "one"})


def test_two_files_that_would_be_one_notebook_are_a_plan_error(at) -> None:
    world = at("workspace")
    world.put(
        **{"etl__a.py": "# Databricks notebook source\n1", "etl__a.sql": "select 1", "etl__b.py": "1", "etl__b": ""}
    )
    world.settled()
    world.put(**{"etl__a.sql": "-- Databricks notebook source\nselect 1"})
    with pytest.raises(PlanError, match=r"etl/a.py and etl/a.sql would be one file in the target: etl/a"):
        world.plan()


def test_a_notebook_is_in_sync_and_its_edits_travel(at, emulator: Emulator) -> None:
    world = at("workspace")
    world.put(**{"a.py": "# Databricks notebook source\n1", "b.ipynb": '{"cells": []}', "c.py": "1"})
    world.settled()
    world.put(**{"a.py": "# Databricks notebook source\n2", "c.py": "# Databricks notebook source\n1"})
    assert world.told() == ["update a.py", "update c.py"]
    world.settled()
    assert world.there() == world.here()
    emulator.put(f"{world.target}/a", b"# Databricks notebook source\nedited there", language="PYTHON")
    assert [one.key for one in world.plan().conflicts] == ["a.py"]


@pytest.mark.hazard("R11")
@pytest.mark.hazard("R13")
@pytest.mark.parametrize(("place", "path"), [("dbfs", "/api/2.0/dbfs/put"), ("volume", "/api/2.0/fs/files")])
def test_what_is_kept_shorter_than_it_was_sent_is_told(at, emulator: Emulator, place: str, path: str) -> None:
    world = at(place)
    world.put(a="0123456789", b="1")
    fault = emulator.faults.add(broken.keep(lambda sent: sent.replace(b"0123456789", b"")), path=path, times=None)
    result = world.apply()
    assert fault.fired
    assert result.exit_code == 7
    assert [(problem.key, "holds 0 bytes" in problem.reason) for problem in result.problems] == [("a", True)]
    assert world.plan().exit_code(detailed=True) in (2, 3)


@pytest.mark.parametrize(("winner", "there"), [("source", "1"), ("target", "x")])
def test_who_wins_is_said_also_where_nothing_is_kept(at, emulator: Emulator, winner: str, there: str) -> None:
    world = at("volume")
    world.put(a="1", b="2")
    world.settled()
    emulator.put(f"{world.target}/a", b"x")
    assert world.apply().exit_code == 3
    with world.house(write=True) as house:
        chosen = settled_conflicts(house)
    assert world.apply(winner=winner, approve=chosen).exit_code == 0
    assert world.there() == {"a": there, "b": "2"}
    assert world.plan().exit_code(detailed=True) == 0
