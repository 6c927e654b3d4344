"""R14: `apply PLAN` does exactly what the plan says, or refuses and says why; what became of each action is told.

Stale (state, source, target, spec), edited, used, of another family or version: exit code 5, and nothing was touched.
"""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import shutil
from typing import Any
import uuid

from msgspec.structs import replace
import pytest

from reconcile.core.change import Change
from reconcile.core.errors import PlanError, StalePlanError
from reconcile.core.plan import Plan
from reconcile.flow.wire import Reach
from reconcile.state.planfile import load_plan, save_plan
from tests.flow.watchers import Counting, mutations
from tests.flow.world import World


@pytest.fixture(params=["local", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """Every kind of action is due."""
    world = World(tmp_path, "" if request.param == "local" else f"memory://{uuid.uuid4().hex}")
    world.put(edited="1", gone="2", renamed="renamed text", steady="5")
    world.settled()
    world.put(edited="one", new="6")
    world.remove("gone")
    world.move("renamed", "sub/renamed")
    return world


@pytest.fixture
def plan(world: World, tmp_path: Path) -> str:
    """The plan of all that, in a file."""
    save_plan(world.plan(pinned=True), str(tmp_path / "a.plan"))
    return str(tmp_path / "a.plan")


def touched(world: World, plan: Plan) -> tuple[Any, set[str]]:
    """What `apply PLAN` ended with (a result or a refusal), and the keys it wrote or deleted."""
    calls: list[tuple[str, str]] = []
    world.around = lambda store: Counting(store, calls)
    try:
        end: Any = world.apply(plan)
    except PlanError as refusal:
        end = refusal
    world.around = None
    return end, {key for _, key in mutations(calls) if not key.startswith(".reconcile")}


def test_it_does_what_it_says_and_no_more(world: World, plan: str) -> None:
    """A file that came after the plan is none of its business."""
    world.put(later="not planned")
    said = {(str(change.action), change.key) for change in load_plan(plan).changes()}
    result, keys = touched(world, load_plan(plan))
    assert {(one.action, one.key) for one in result.outcomes} == said
    assert {one.outcome for one in result.outcomes} == {"done"}
    assert "later" not in keys
    assert world.there() == {key: text for key, text in world.here().items() if key != "later"}


def changed_source(world: World) -> None:
    path = world.src / "edited"
    seen = path.stat()
    path.write_text("two")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))


def changed_target(world: World) -> None:
    with world.house(write=True) as house:
        target = house.mappings[0].target
        target.copy(target.stat("steady"), "edited", expect=target.stat("edited").version)


def lost_source(world: World) -> None:
    world.remove("new")


def something_where_it_creates(world: World) -> None:
    with world.house(write=True) as house:
        target = house.mappings[0].target
        target.copy(target.stat("steady"), "new", expect="")


def another_spec(world: World) -> None:
    world.options["exclude"] = ["nothing"]


def a_run_in_between(world: World) -> None:
    world.put(later="1")
    world.apply(reach=Reach(paths=("later",)))


def another_family(world: World) -> None:
    shutil.rmtree(world.root / "state")
    world.apply(reach=Reach(paths=("steady",)))


STALE = {
    "source": (changed_source, "the source changed"),
    "lost source": (lost_source, "the source is gone"),
    "target": (changed_target, "the target changed"),
    "target taken": (something_where_it_creates, "the target changed"),
    "spec": (another_spec, "the spec changed"),
    "state": (a_run_in_between, "moved on"),
    "family": (another_family, "another state"),
}


@pytest.mark.hazard("P16")
@pytest.mark.parametrize("what", STALE)
def test_what_no_longer_fits_is_refused_with_its_reason(world: World, plan: str, what: str) -> None:
    change, reason = STALE[what]
    change(world)
    before = world.there()
    refusal, keys = touched(world, load_plan(plan))
    assert isinstance(refusal, StalePlanError)
    assert reason in str(refusal)
    assert (refusal.exit_code, keys) == (5, set())
    assert "reconcile plan --out" in refusal.hint
    assert world.there() == before


@pytest.mark.hazard("P15")
def test_it_is_used_once_under_whatever_name(world: World, plan: str, tmp_path: Path) -> None:
    shutil.copy(plan, tmp_path / "copy.plan")
    assert touched(world, load_plan(plan))[0].exit_code == 0
    refusal, keys = touched(world, load_plan(str(tmp_path / "copy.plan")))
    assert isinstance(refusal, StalePlanError)
    assert keys == set()


def without_one(changes: list[Change]) -> list[Change]:
    return changes[1:]


def with_one_more(changes: list[Change]) -> list[Change]:
    return [*changes, replace(changes[0], id=99, key="more")]


def aimed_elsewhere(changes: list[Change]) -> list[Change]:
    return [replace(changes[0], key="elsewhere"), *changes[1:]]


@pytest.mark.hazard("P13")
@pytest.mark.parametrize("edit", [without_one, with_one_more, aimed_elsewhere])
def test_an_edit_makes_it_another_plan(
    world: World, plan: str, tmp_path: Path, edit: Callable[[list[Change]], list[Change]]
) -> None:
    """Whatever is in it hangs together by its id: the rows of one plan under the name of another are refused."""
    told = load_plan(plan)
    rows = edit(list(told.changes()))
    forged = Plan(told.header, lambda mapping: iter(rows), pinned=True)
    forged._id = told.id
    save_plan(forged, str(tmp_path / "forged.plan"))
    with pytest.raises(StalePlanError, match="edited"):
        load_plan(str(tmp_path / "forged.plan"))


@pytest.mark.hazard("P17")
@pytest.mark.parametrize(("field", "value"), [("tool_version", "9.9.9"), ("format_version", 99)])
def test_a_plan_of_another_version_is_refused_by_name(world: World, plan: str, field: str, value: object) -> None:
    told = load_plan(plan)
    other = Plan(replace(told.header, **{field: value}), told.changes, pinned=True)
    refusal, keys = touched(world, other)
    assert isinstance(refusal, StalePlanError)
    assert ("9.9.9" if field == "tool_version" else "another format") in str(refusal)
    assert keys == set()


def test_what_fails_half_way_is_told_action_by_action(world: World, plan: str) -> None:
    """The source changes after the last look: that action fails, the others are done, and the report says which."""

    def edit_late(_plan: Plan) -> bool:
        world.put(edited="late")
        return True

    result = world.apply(load_plan(plan), approve=edit_late)
    endings = {outcome.key: outcome.outcome for outcome in result.outcomes}
    assert endings == {"edited": "failed", "new": "done", "sub/renamed": "done", "gone": "held"}
    assert result.exit_code == 7
    assert world.there()["edited"] == "1"
