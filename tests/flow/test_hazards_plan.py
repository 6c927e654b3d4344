"""Plans that are looked at, saved, edited, used twice, narrowed or made of contradictions."""

from __future__ import annotations

import os
from pathlib import Path
import sqlite3
import time
from typing import Any
import uuid

from msgspec import json
from msgspec.structs import replace
import pytest

from reconcile.core.errors import PlanError, SpecError, StalePlanError
from reconcile.core.plan import Plan
from reconcile.flow.wire import Reach
from reconcile.state.planfile import load_plan, save_plan
from reconcile.stores.wrapper import Wrapper
from tests.flow.watchers import Counting, mutations
from tests.flow.world import World


@pytest.fixture(params=["local", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(tmp_path, "" if request.param == "local" else f"memory://{uuid.uuid4().hex}")


def busy(world: World) -> None:
    """A world where every kind of action is due."""
    world.put(edited="1", gone="2", renamed="renamed text", lost="4", steady="5")
    world.settled()
    world.put(edited="one", new="6")
    world.remove("gone")
    world.move("renamed", "sub/renamed")


def files(*roots: Path) -> dict[str, tuple[int, bytes]]:
    found = (path for root in roots for path in root.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


@pytest.mark.hazard("P10")
def test_a_plan_changes_nothing(world: World) -> None:
    busy(world)
    calls: list[tuple[str, str]] = []
    world.around = lambda store: Counting(store, calls)
    before = files(world.root)
    for options in ({}, {"pinned": True}, {"checksum": True}, {"kind": "destroy"}, {"kind": "refresh"}):
        world.plan(**options)
    assert files(world.root) == before
    assert calls
    assert mutations(calls) == []


@pytest.mark.hazard("P10")
def test_a_first_plan_leaves_no_state_behind(world: World) -> None:
    world.put(a="1")
    assert world.told() == ["create a"]
    assert sorted(path.name for path in world.root.iterdir()) == ["src"]


class Shuffled(Wrapper):
    """Lists in whatever order, and says so."""

    @property
    def traits(self):
        return replace(self.inner.traits, order="none")

    def list(self, under: str = "", **bounds: Any) -> Any:
        return iter(sorted(self.inner.list(under, **bounds), key=lambda item: item.key[::-1], reverse=True))


class Liar(Shuffled):
    """Lists in whatever order, and promises the order of bytes."""

    @property
    def traits(self):
        return self.inner.traits


class Stutterer(Wrapper):
    """Shows every key twice, as a listing may when pages overlap."""

    def list(self, under: str = "", **bounds: Any) -> Any:
        for item in self.inner.list(under, **bounds):
            yield item
            yield item


def described(plan: Plan) -> bytes:
    return json.encode(plan.header) + b"".join(json.encode(change) for change in plan.changes())


@pytest.mark.hazard("P11")
@pytest.mark.hazard("R03")
@pytest.mark.parametrize("store", [Shuffled, Liar, Stutterer])
def test_the_order_of_a_listing_says_nothing(world: World, store: type[Wrapper]) -> None:
    busy(world)
    plan = world.plan(pinned=True)
    world.around = store
    again = world.plan(pinned=True)
    assert described(again) == described(plan)
    assert again.id == plan.id
    world.settled()
    world.around = None
    assert world.there() == world.here()


@pytest.mark.hazard("P11")
def test_a_plan_is_the_same_however_the_source_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    busy(world)
    plan = world.plan()
    real = os.scandir

    class Backwards:
        def __init__(self, at: Any) -> None:
            self._inner = real(at)

        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None:
            self._inner.close()

        def __iter__(self):
            return iter(sorted(self._inner, key=lambda found: found.name, reverse=True))

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", Backwards)
        assert described(world.plan()) == described(plan)


@pytest.fixture
def saved(world: World, tmp_path: Path) -> str:
    busy(world)
    save_plan(world.plan(pinned=True), str(tmp_path / "plan"))
    return str(tmp_path / "plan")


@pytest.mark.hazard("P15")
def test_a_saved_plan_does_what_it_says_once(world: World, saved: str) -> None:
    plan = load_plan(saved)
    said = world.told(plan)
    result = world.apply(plan)
    assert result.exit_code == 0
    assert sorted(f"{one.action} {one.key}" for one in result.outcomes) == sorted(one.partition("<")[0] for one in said)
    assert world.there() == world.here()
    with pytest.raises(StalePlanError, match=r"used it already|moved on") as caught:
        world.apply(load_plan(saved))
    assert caught.value.exit_code == 5


EDITS = {
    "a key": ("changes", '"key":"edited"', '"key":"steady"'),
    "a key out of the root": ("changes", '"key":"edited"', '"key":"../edited"'),
    "an action": ("changes", '"action":"update"', '"action":"delete"'),
    "an expectation": ("changes", '"expect":"', '"expect":"*'),
    "a permission": ("header", '"allowed":[]', '"allowed":["deletes"]'),
    "the version": ("header", '"tool_version":"', '"tool_version":"9'),
    "the scope": ("header", '"scope":"', '"scope":"0'),
    "garbage": ("changes", "{", "["),
}


def edit(path: str, table: str, old: str, new: str) -> None:
    database = sqlite3.connect(path)
    rows = database.execute(f"SELECT rowid, document FROM {table}").fetchall()
    hit = [(rowid, text) for rowid, text in rows if old in text]
    assert hit, f"nothing to edit: {old}"
    database.execute(f"UPDATE {table} SET document = ? WHERE rowid = ?", (hit[0][1].replace(old, new, 1), hit[0][0]))
    database.commit()
    database.close()


@pytest.mark.hazard("P13")
@pytest.mark.parametrize("what", EDITS)
def test_an_edited_plan_is_refused(world: World, saved: str, what: str) -> None:
    before = world.there()
    edit(saved, *EDITS[what])
    with pytest.raises(StalePlanError):
        world.apply(load_plan(saved))
    assert world.there() == before


@pytest.mark.hazard("P13")
@pytest.mark.parametrize("key", ["../out", "/abs", "a/../../b", "", "a//b", ".reconcile/undo/1/x", ".git/hooks/post"])
def test_a_plan_with_a_name_no_plan_has_is_refused_even_if_it_signs_itself(world: World, saved: str, key: str) -> None:
    plan = load_plan(saved)
    forged = [replace(change, key=key) if change.key == "new" else change for change in plan.changes()]
    before = world.there()
    with pytest.raises(StalePlanError):
        world.apply(Plan(plan.header, lambda _mapping=None: forged, pinned=True))
    assert world.there() == before


@pytest.mark.hazard("P17")
@pytest.mark.parametrize(("field", "value"), [("tool_version", "0.0.0"), ("format_version", 99)])
def test_a_plan_of_another_version_is_refused(world: World, saved: str, field: str, value: object) -> None:
    plan = load_plan(saved)
    header = replace(plan.header, **{field: value})
    with pytest.raises(StalePlanError, match=r"version|format"):
        world.apply(Plan(header, lambda mapping=None: plan.changes(mapping), pinned=True))


def edit_source(world: World) -> None:
    time.sleep(0.001)
    world.put(edited="two")


def edit_target(world: World) -> None:
    with world.house(write=True) as house:
        target = house.mappings[0].target
        entry = target.stat("steady")
        target.copy(entry, "edited", expect=target.stat("edited").version)


def spec(world: World) -> None:
    world.options["exclude"] = ["nothing"]


def other_run(world: World) -> None:
    world.put(later="1")
    world.apply(reach=Reach(paths=("later",)))


@pytest.mark.hazard("P16")
@pytest.mark.parametrize("what", [edit_source, edit_target, spec, other_run])
def test_a_saved_plan_that_no_longer_fits_is_refused(world: World, saved: str, what: Any) -> None:
    what(world)
    before = world.there()
    with pytest.raises(StalePlanError) as caught:
        world.apply(load_plan(saved))
    assert caught.value.exit_code == 5
    assert world.there() == before


@pytest.mark.hazard("P16")
def test_a_source_edited_after_the_check_fails_its_action_alone(world: World, saved: str) -> None:
    """The bytes that are read must be those that were planned, however late they change."""

    def edit_late(_plan: Plan) -> bool:
        world.put(edited="late")
        return True

    result = world.apply(load_plan(saved), approve=edit_late)
    endings = {outcome.key: outcome.outcome for outcome in result.outcomes}
    assert endings["edited"] == "failed"
    assert endings["new"] == "done"
    assert result.exit_code == 7
    assert world.there()["edited"] == "1"


@pytest.mark.hazard("P18")
def test_a_subset_leaves_all_else_alone(world: World) -> None:
    world.more = {"other": {"source": str(world.root / "src2"), "target": str(world.root / "out2")}}
    world.write("x", "1", world.root / "src2")
    world.put(a="1", b__c="2", b__d="3")
    world.settled()
    world.put(a="one", b__c="two", b__d="three")
    world.write("x", "one", world.root / "src2")
    reach = Reach(mappings=("docs",), paths=("b/c",))
    plan = world.plan(reach=reach)
    assert world.told(plan) == ["update b/c"]
    with world.house(write=False) as house:
        serial = house.state.serial(house.mappings[1].scope.id)
    assert world.apply(reach=reach).exit_code == 0
    assert world.there() == {"a": "1", "b/c": "two", "b/d": "3"}
    assert (world.root / "out2" / "x").read_text() == "1"
    with world.house(write=False) as house:
        assert house.state.serial(house.mappings[1].scope.id) == serial
    world.settled()
    assert world.there() == world.here()


@pytest.mark.hazard("P18")
def test_a_subset_deletes_only_in_itself(world: World) -> None:
    world.put(a__x="1", b__x="2")
    world.settled()
    world.remove("a/x")
    world.remove("b/x")
    assert world.told(world.plan(reach=Reach(paths=("a",)))) == ["delete a/x"]
    assert world.apply(reach=Reach(paths=("a/**",))).exit_code == 0
    assert world.there() == {"b/x": "2"}


@pytest.mark.hazard("N10")
@pytest.mark.hazard("N11")
@pytest.mark.parametrize("target", ["out2", "out2/inner", "."])
def test_mappings_that_would_write_into_each_other_are_refused(world: World, target: str) -> None:
    world.put(a="1")
    (world.root / "src2").mkdir()
    world.more = {
        "one": {"source": str(world.root / "src2"), "target": str(world.root / "out2")},
        "two": {"source": str(world.root / "src2"), "target": str(world.root / target)},
    }
    with pytest.raises((SpecError, PlanError)) as caught:
        world.plan()
    assert caught.value.exit_code == 1


@pytest.mark.hazard("N10")
def test_two_files_that_a_layout_makes_one_are_refused_before_anything_is_sent(world: World) -> None:
    world.put(a__same="1", b__same="2", c="3")
    world.options["layout"] = "{name}"
    calls: list[tuple[str, str]] = []
    world.around = lambda store: Counting(store, calls)
    for act in (world.plan, world.apply):
        with pytest.raises(PlanError, match="a/same and b/same"):
            act()
    assert mutations(calls) == []


@pytest.mark.hazard("N12")
def test_a_sibling_with_a_longer_name_is_not_in_the_target(tmp_path: Path) -> None:
    name = uuid.uuid4().hex
    for prefix in ("data", "data2", "data-old"):
        world = World(tmp_path / prefix, f"memory://{name}/{prefix}")
        world.put(a=prefix)
        world.settled()
    world = World(tmp_path / "data", f"memory://{name}/data", {"unmanaged": "delete"})
    world.remove("a")
    world.put(b="b")
    world.settled()
    assert world.there() == {"b": "b"}
    assert World(tmp_path / "data2", f"memory://{name}/data2").there() == {"a": "data2"}


class Small(Wrapper):
    """Takes names and keys up to a length."""

    @property
    def traits(self):
        return replace(self.inner.traits, max_name_bytes=20, max_key_bytes=30, max_size_bytes=10)


@pytest.mark.hazard("N07")
@pytest.mark.hazard("R35")
@pytest.mark.parametrize(
    ("name", "size", "fits"),
    [
        ("n" * 20, 1, True),
        ("n" * 21, 1, False),
        ("é" * 10, 1, True),
        ("é" * 10 + "n", 1, False),
        ("d" * 14 + "/" + "n" * 15, 1, True),
        ("d" * 14 + "/" + "n" * 16, 1, False),
        ("n", 10, True),
        ("n", 11, False),
    ],
)
def test_a_name_or_a_size_beyond_the_target_is_told_when_planning(
    world: World, name: str, size: int, fits: bool
) -> None:
    world.write(name, "x" * size)
    world.put(other="1")
    world.around = Small
    plan = world.plan()
    assert world.told(plan) == (sorted([f"create {name}", "create other"]) if fits else ["create other"])
    assert plan.exit_code() == (0 if fits else 7)
    assert [problem.key for _, problem in plan.problems] == ([] if fits else [name])
    world.apply()
    assert ("other" in world.there(), name in world.there()) == (True, fits)


@pytest.mark.hazard("N08")
@pytest.mark.parametrize("name", ["CON", "a/aux.txt", "dot.", "space ", "a:b", "back\\slash", "star*", "COM1"])
@pytest.mark.parametrize("policy", ["off", "warn", "fail"])
def test_names_other_systems_refuse_are_told_as_asked(world: World, name: str, policy: str) -> None:
    world.write(name, "1")
    world.put(fine="2")
    world.options["portable_names"] = policy
    plan = world.plan()
    told = ["create fine"] if policy == "fail" else sorted([f"create {name}", "create fine"])
    assert world.told(plan) == told
    assert plan.exit_code() == (7 if policy == "fail" else 0)
    notices = " ".join(notice for part in plan.mappings for notice in part.notices)
    assert (name in notices) == (policy == "warn")
