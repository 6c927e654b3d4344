"""Where rules meet: filters on both sides, directories in the way, stops, names that are no text, renames, guards."""

from __future__ import annotations

import os
from pathlib import Path
import threading
import uuid

import pytest

from reconcile.core.change import Reason
from reconcile.core.entry import ABSENT
from reconcile.core.events import ActionEnd
from reconcile.flow.rollback import undo_plan
from tests.flow.world import World


@pytest.fixture(params=["local", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(tmp_path, "" if request.param == "local" else f"memory://{uuid.uuid4().hex}")


def plant(world: World, key: str) -> None:
    """A copy of `a` in the target, by somebody else."""
    with world.house(write=True) as house:
        target = house.mappings[0].target
        entry = target.stat("a")
        assert entry is not None
        target.copy(entry, key, expect=ABSENT)


@pytest.mark.parametrize(
    "rule",
    [
        {"exclude": ["sub/"]},
        {"exclude": ["sub/x.log"]},
        {"exclude": ["*.log"]},
        {"include": ["a"]},
        {"recursive": False},
        {"min_size": 6},
        {"patterns": {"nor": ["log$"]}},
    ],
    ids=str,
)
def test_what_filters_leave_out_is_not_ours_there_either(world: World, rule: dict[str, object]) -> None:
    world.put(a="short")
    world.settled()
    plant(world, "sub/x.log")
    world.options["unmanaged"] = "delete"
    assert world.told() == ["delete sub/x.log"]
    world.options |= rule
    assert [one for one in world.told() if "sub" in one] == []


def test_a_foreign_file_beyond_max_size_is_out_of_scope(world: World) -> None:
    world.put(a="a long text", b="1")
    world.settled()
    plant(world, "foreign")
    world.remove("a")
    world.options |= {"unmanaged": "delete", "max_size": 4}
    assert [one for one in world.told() if "foreign" in one] == []


def test_an_empty_directory_of_a_stranger_in_the_place_of_a_file_waits(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(a="1", b="2")
    (world.out / "a" / "deep").mkdir(parents=True)
    plan = world.plan()
    assert world.told(plan) == ["create b"]
    assert [(one.key, one.reason, one.detail) for one in plan.conflicts] == [
        ("a", Reason.IN_THE_WAY, "a/deep/ stays there")
    ]
    result = world.apply()
    assert {outcome.key: outcome.outcome for outcome in result.outcomes} == {"b": "done"}
    assert result.exit_code == 3
    assert world.there() == {"b": "2"}
    (world.out / "a" / "deep").rmdir()
    (world.out / "a").rmdir()
    world.settled()


def test_a_directory_that_was_there_before_stays_when_its_last_file_goes_and_the_plan_says_so(tmp_path: Path) -> None:
    """Only those that we made go; what they hold goes all the same."""
    world = World(tmp_path)
    world.put(a__x="1", c__x="1")
    world.write("a/x", "1", world.out)
    world.settled()
    for name in ("a", "c"):
        world.remove(f"{name}/x")
        (world.src / name).rmdir()
        world.put(**{name: "2"})
    plan = world.plan()
    assert world.told(plan) == ["delete a/x", "create c", "delete c/x"]
    assert [(one.key, one.detail) for one in plan.conflicts] == [("a", "a/ stays there")]
    assert world.apply().exit_code == 3
    assert world.there() == {"c": "2"}
    (world.out / "a").rmdir()
    world.settled()


def test_a_rollback_keeps_what_a_directory_of_a_stranger_would_stop(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(a="1", b="1")
    world.settled()
    world.remove("a")
    world.settled()
    (world.out / "a").mkdir()
    with world.house(write=False) as house:
        plan = undo_plan(house, house.state.runs()[0], house.mappings)
    assert [(one.key, one.ending) for one in plan.expected()] == [("a", "kept")]


def test_a_file_of_a_stranger_in_the_place_of_a_directory_waits(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(a__x="1", b="2")
    world.write("a", "not ours", world.out)
    plan = world.plan()
    assert [conflict.key for conflict in plan.conflicts] == ["a/x"]
    assert world.apply().exit_code == 3
    assert world.there() == {"a": "not ours", "b": "2"}


@pytest.mark.hazard("S05")
def test_a_symlink_in_the_place_of_a_directory_is_not_written_through(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(a__x="1", b="2")
    (tmp_path / "elsewhere").mkdir()
    world.out.mkdir()
    (world.out / "a").symlink_to(tmp_path / "elsewhere")
    assert world.apply().exit_code in (3, 7)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (world.out / "b").read_text() == "2"


@pytest.mark.hazard("T27")
@pytest.mark.parametrize("after", range(4))
def test_a_stop_ends_cleanly_and_the_next_run_goes_on(world: World, after: int) -> None:
    world.options["concurrency"] = 1
    world.put(**{f"f{number:03}": str(number) for number in range(200)})
    stop = threading.Event()
    heard: list[str] = []

    class Listener(list):  # type: ignore[type-arg]
        def append(self, event: object) -> None:
            if isinstance(event, ActionEnd):
                heard.append(event.path)
                if len(heard) > after * 20:
                    stop.set()

    world.events = Listener()
    result = world.apply(stop=stop)
    assert result.stopped
    assert result.exit_code == 130
    assert 0 < result.left < 200
    there = world.there()
    assert len(there) == 200 - result.left
    assert all(world.here()[name] == text for name, text in there.items())
    world.events = []
    again = world.apply()
    assert (again.exit_code, again.counts) == (0, {"create": result.left})
    assert world.told() == []


@pytest.mark.hazard("P08")
def test_renames_are_no_deletes_to_a_guard(world: World) -> None:
    names = [f"f{number:02}" for number in range(12)]
    world.put(**{name: f"text of {name}" for name in names})
    world.settled()
    for name in names:
        world.move(name, f"moved/{name}")
    plan = world.plan()
    assert plan.refusals == []
    assert plan.counts.move == 12
    world.settled()


@pytest.mark.hazard("P08")
@pytest.mark.parametrize(("gone", "refused"), [(5, False), (6, False), (7, True)])
def test_one_delete_more_than_the_limit_refuses_the_mapping(world: World, gone: int, refused: bool) -> None:
    names = [f"f{number:02}" for number in range(12)]
    world.put(**{name: f"text of {name}" for name in names})
    world.settled()
    for name in names[:gone]:
        world.remove(name)
    result = world.apply()
    assert result.exit_code == (4 if refused else 0)
    assert len(world.there()) == (12 if refused else 12 - gone)


@pytest.mark.hazard("N05")
def test_a_name_that_is_no_text_is_told_and_the_rest_goes_on(world: World) -> None:
    world.put(a="1")
    Path(os.fsdecode(os.fsencode(world.src) + b"/bad\xff")).write_text("x")
    plan = world.plan()
    assert world.told(plan) == ["create a"]
    assert plan.exit_code() == 7
    assert [problem.key for _, problem in plan.problems] == ["bad\\xff"]
    assert world.apply().exit_code == 7
    assert world.there() == {"a": "1"}


def test_history_under_its_hash_is_kept(world: World) -> None:
    world.options["layout"] = "{stem}_{sha256:8}{suffix}"
    world.put(a="one", b="same", c="same")
    world.settled()
    first = set(world.there())
    assert len(first) == 3
    world.put(a="two")
    world.settled()
    assert first < set(world.there())
    assert len(world.there()) == 4
    world.options["delete"] = True
    world.remove("b")
    world.settled()
    assert len(world.there()) == 3


def test_one_content_under_one_key_lives_while_any_of_its_files_does(world: World) -> None:
    world.options["layout"] = "{sha256}"
    world.put(a="same", b="same")
    world.settled()
    assert len(world.there()) == 1
    world.remove("a")
    world.settled()
    assert len(world.there()) == 1
    world.remove("b")
    world.put(other="x")
    world.settled()
    assert list(world.there().values()) == ["x"]
