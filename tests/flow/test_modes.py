"""The executable bit is part of a file: it travels, it is compared, and it is never recorded where it is not."""

from __future__ import annotations

import os

import pytest

from tests.flow.world import World


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def runs(world: World, name: str) -> bool:
    return os.access(world.out / name, os.X_OK)


def test_it_travels_alone(world):
    world.put(a="1")
    world.settled()
    (world.src / "a").chmod(0o755)
    assert world.told() == ["update a"]
    world.settled()
    assert runs(world, "a")


def test_a_renamed_file_that_got_it_is_no_move(world):
    world.put(a="1", b="2")
    world.settled()
    world.move("a", "c")
    (world.src / "c").chmod(0o755)
    assert world.told() == ["delete a", "create c"]
    world.settled()
    assert runs(world, "c")


@pytest.mark.parametrize(("plain", "program"), ["cd", "dc"])
def test_of_two_equal_contents_the_one_with_the_same_bit_moves(world, plain, program):
    world.put(a="same", b="same")
    (world.src / "b").chmod(0o755)
    world.settled()
    world.move("a", plain)
    world.move("b", program)
    assert sorted(world.told()) == sorted([f"move {plain}<a", f"move {program}<b"])
    world.settled()
    assert (runs(world, plain), runs(world, program)) == (False, True)


def test_a_first_meeting_sends_it(world):
    world.put(a="1")
    (world.src / "a").chmod(0o755)
    world.write("a", "1", world.out)
    assert world.told() == ["update a"]
    world.settled()
    assert runs(world, "a")


@pytest.mark.parametrize(("drift", "expected"), [("restore", False), ("keep", True)])
def test_changed_there_it_is_drift(world, drift, expected):
    world.put(a="1")
    world.settled()
    world.options["drift"] = drift
    (world.out / "a").chmod(0o755)
    assert world.told() == [f"{'update' if drift == 'restore' else 'accept'} a"]
    world.settled()
    assert runs(world, "a") == expected


def test_it_is_nothing_where_a_target_knows_no_such_bit(tmp_path):
    """An object keeps the bytes; the bit alone changes nothing there."""
    world = World(tmp_path)
    world.put(a="1")
    world.settled()
    os.utime(world.src / "a", ns=(1, 1))
    (world.src / "a").chmod(0o600)
    assert world.told() == []
