"""Stories of one mapping, on every kind of target: what a plan says, and what the target holds afterwards."""

from __future__ import annotations

import os
from pathlib import Path
import uuid

import pytest

from tests.flow.world import World


@pytest.fixture(params=["local", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(tmp_path, "" if request.param == "local" else f"memory://{uuid.uuid4().hex}")


def test_a_first_apply_creates_everything_and_a_second_finds_nothing(world: World) -> None:
    world.put(a="1", sub__b="2", sub__deep__c="3", empty="")
    assert world.told() == ["create a", "create empty", "create sub/b", "create sub/deep/c"]
    world.settled()
    assert world.there() == world.here()


def test_an_edit_is_an_update(world: World) -> None:
    world.put(a="1", b="2")
    world.settled()
    world.put(a="one")
    assert world.told() == ["update a"]
    world.settled()
    assert world.there() == {"a": "one", "b": "2"}


@pytest.mark.hazard("L07")
@pytest.mark.hazard("L06")
def test_a_same_size_edit_with_an_older_time_is_an_update(world: World) -> None:
    world.put(a="1")
    before = (world.src / "a").stat()
    world.settled()
    world.put(a="2")
    os.utime(world.src / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert world.told() == ["update a"]
    os.utime(world.src / "a", ns=(0, 10**18))
    assert world.told() == ["update a"]
    world.settled()
    assert world.there() == {"a": "2"}


@pytest.mark.hazard("L08")
def test_a_touch_is_nothing(world: World) -> None:
    world.put(a="1")
    world.settled()
    os.utime(world.src / "a", ns=(1, 1))
    assert world.told() == []


def test_a_rename_is_a_move(world: World) -> None:
    world.put(a="content")
    world.settled()
    world.move("a", "sub/b")
    assert world.told() == ["move sub/b<a"]
    world.settled()
    assert world.there() == {"sub/b": "content"}


@pytest.mark.hazard("P01")
def test_a_chain_of_renames(world: World) -> None:
    world.put(log="new", log1="old", log2="oldest")
    world.settled()
    world.move("log2", "log3")
    world.move("log1", "log2")
    world.move("log", "log1")
    world.put(log="fresh")
    assert world.told() == ["update log", "move log1<log", "move log2<log1", "move log3<log2"]
    world.settled()
    assert world.there() == {"log": "fresh", "log1": "new", "log2": "old", "log3": "oldest"}


@pytest.mark.hazard("P02")
@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_circle_of_renames(world: World, size: int) -> None:
    world.put(**{f"f{n}": f"text {n}" for n in range(size)})
    world.settled()
    for n in range(size):
        world.move(f"f{n}", f"t{n}")
    for n in range(size):
        world.move(f"t{n}", f"f{(n + 1) % size}")
    assert [told.split()[0] for told in world.told()] == ["move"] * size
    world.settled()
    assert world.there() == {f"f{(n + 1) % size}": f"text {n}" for n in range(size)}


@pytest.mark.hazard("P05")
def test_a_move_onto_an_existing_key(world: World) -> None:
    world.put(a="wanted", b="gone soon")
    world.settled()
    os.replace(world.src / "a", world.src / "b")
    assert world.told() == ["move b<a"]
    world.settled()
    assert world.there() == {"b": "wanted"}


@pytest.mark.hazard("P06")
def test_of_identical_files_only_the_one_that_went_is_moved(world: World) -> None:
    world.put(a="same", b="same", c="same")
    world.settled()
    world.move("b", "d")
    assert world.told() == ["move d<b"]
    world.settled()
    assert world.there() == {"a": "same", "c": "same", "d": "same"}


@pytest.mark.hazard("P07")
def test_empty_files_are_not_renames(world: World) -> None:
    world.put(a="")
    world.settled()
    world.move("a", "b")
    assert world.told() == ["delete a", "create b"]
    world.settled()
    assert world.there() == {"b": ""}


def test_move_and_modify_is_create_and_delete(world: World) -> None:
    world.put(a="one text")
    world.settled()
    world.move("a", "b")
    world.put(b="another text")
    assert world.told() == ["delete a", "create b"]
    world.settled()
    assert world.there() == {"b": "another text"}


@pytest.mark.hazard("P03")
def test_a_file_becomes_a_directory(world: World) -> None:
    world.put(a="file")
    world.settled()
    world.remove("a")
    world.put(a__x="1", a__y="2", a__z__deep="3")
    world.settled()
    assert world.there() == {"a/x": "1", "a/y": "2", "a/z/deep": "3"}


@pytest.mark.hazard("P03")
def test_a_directory_becomes_a_file(world: World) -> None:
    world.put(a__x="1", a__y="2", a__z__deep="3", b="b")
    world.settled()
    for name in ("a/x", "a/y", "a/z/deep"):
        world.remove(name)
    os.removedirs(world.src / "a" / "z")
    world.put(a="file now", b="b")
    world.settled()
    assert world.there() == {"a": "file now", "b": "b"}


def test_a_file_moves_into_a_directory_of_its_own_name(world: World) -> None:
    world.put(a="content", keep="k")
    world.settled()
    world.move("a", "tmp")
    world.move("tmp", "a/a")
    world.settled()
    assert world.there() == {"a/a": "content", "keep": "k"}


def test_a_directory_swaps_with_a_file(world: World) -> None:
    world.put(a__x="dir content", b="file content")
    world.settled()
    world.move("a/x", "t")
    (world.src / "a").rmdir()
    world.move("b", "a")
    world.move("t", "b/x")
    world.settled()
    assert world.there() == {"a": "file content", "b/x": "dir content"}


def test_a_delete_is_a_delete(world: World) -> None:
    world.put(a="1", b="2")
    world.settled()
    world.remove("a")
    assert world.told() == ["delete a"]
    world.settled()
    assert world.there() == {"b": "2"}


def test_delete_false_keeps_and_finds_it_again(world: World) -> None:
    world.put(a="1", b="2")
    world.settled()
    world.options["delete"] = False
    world.remove("a")
    assert world.told() == []
    world.put(a="1")
    assert world.told() == []


def test_a_state_that_is_lost_is_adopted(world: World) -> None:
    world.put(a="1", b="2")
    world.settled()
    for file in (world.root / "state").iterdir():
        file.unlink()
    assert world.told() == ["adopt a", "adopt b"]
    world.settled()


def test_a_lost_state_never_overwrites(world: World) -> None:
    world.put(a="1", b="2")
    world.settled()
    for file in (world.root / "state").iterdir():
        file.unlink()
    world.put(a="x")
    plan = world.plan()
    assert world.told(plan) == ["adopt b"]
    assert [conflict.key for conflict in plan.conflicts] == ["a"]
    assert world.apply().exit_code == 3
    assert world.there() == {"a": "1", "b": "2"}


@pytest.mark.hazard("L30")
def test_an_ignored_file_is_forgotten_not_deleted(world: World) -> None:
    world.put(a="1", b="2")
    world.settled()
    world.options["exclude"] = ["a"]
    assert world.told() == ["forget a"]
    world.settled()
    assert world.there() == {"a": "1", "b": "2"}


def test_a_file_that_outgrew_max_size_is_forgotten_not_deleted(world: World) -> None:
    world.put(a="1", b="2")
    world.settled()
    world.options["max_size"] = 3
    world.put(a="12345")
    assert world.told() == ["forget a"]


@pytest.mark.hazard("P12")
def test_unmanaged_files_are_kept(world: World) -> None:
    world.put(a="1")
    world.settled()
    if world.target == str(world.out):
        world.write("foreign", "not ours", world.out)
        assert world.told() == []
        assert world.there() == {"a": "1", "foreign": "not ours"}


@pytest.mark.hazard("L13")
def test_a_file_that_became_a_symlink_keeps_its_copy(world: World) -> None:
    world.put(a="1", b="2")
    world.settled()
    world.remove("a")
    (world.src / "a").symlink_to("b")
    plan = world.plan()
    assert world.told(plan) == []
    assert plan.exit_code() == 7
    assert world.there() == {"a": "1", "b": "2"}
