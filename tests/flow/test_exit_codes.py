"""What plan and apply end with: the first that holds of what went wrong."""

from __future__ import annotations

from pathlib import Path
import uuid

import pytest

from reconcile.core.errors import ReconcileError
from tests.flow.test_hazards_target import change_there, many
from tests.flow.world import World


@pytest.fixture(params=["local", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(tmp_path, "" if request.param == "local" else f"memory://{uuid.uuid4().hex}")


@pytest.mark.hazard("O01")
def test_exit_codes_of_plan_and_apply(world: World) -> None:
    world.put(a="1", b="2")
    assert (world.plan().exit_code(), world.plan().exit_code(detailed=True)) == (0, 2)
    assert world.apply().exit_code == 0
    assert (world.plan().exit_code(detailed=True), world.apply().exit_code) == (0, 0)
    world.put(a="mine")
    change_there(world, "a", "theirs")
    assert (world.plan().exit_code(detailed=True), world.apply().exit_code) == (3, 3)
    world.options["protect"] = ["b"]
    world.put(b="protected")
    assert (world.plan().exit_code(detailed=True), world.apply().exit_code) == (4, 4)
    world.options.pop("protect")
    world.remove("b")
    (world.src / "b").symlink_to("a")
    assert (world.plan().exit_code(detailed=True), world.apply().exit_code) == (7, 7)


@pytest.mark.hazard("O01")
def test_the_worst_of_several_is_the_exit_code(world: World) -> None:
    """Of a refused mapping, a conflict and a problem: 4 before 7 before 3."""
    world.put(**many())
    world.settled()
    change_there(world, "f11", "theirs")
    world.put(f11="mine")
    assert world.plan().exit_code() == 3
    world.remove("f10")
    (world.src / "f10").symlink_to("f11")
    assert world.plan().exit_code() == 7
    for number in range(9):
        world.remove(f"f{number:02}")
    assert world.plan().exit_code() == 4


@pytest.mark.hazard("O01")
def test_drift_that_is_to_fail_is_three(world: World) -> None:
    world.options["drift"] = "fail"
    world.put(a="1")
    world.settled()
    change_there(world, "a", "theirs")
    assert (world.plan().exit_code(), world.apply().exit_code) == (3, 3)
    assert world.there() == {"a": "theirs"}


@pytest.mark.hazard("O01")
def test_declined_is_one(world: World) -> None:
    world.put(a="1")
    with pytest.raises(ReconcileError) as caught:
        world.apply(approve=lambda _plan: False)
    assert caught.value.exit_code == 1
    assert world.told() == ["create a"]
