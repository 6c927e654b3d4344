"""Whole runs on workspaces of other habits, and with somebody else at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from reconcile.core.errors import PlanError
from reconcile.flow.planning import settled_conflicts
from reconcile.flow.wire import Reach
from tests.fakes.databricks import Emulator, faults
from tests.fault.stories import AFTER, BEFORE
from tests.flow.databricks_desk import desk_at
from tests.flow.small_trees import make
from tests.flow.undo_kit import undo
from tests.flow.world import World
from tests.stores.fakes import OwnClock

PLACES = {
    "dbfs": "dbfs:/team/docs",
    "volume": "/Volumes/main/default/landing/docs",
    "workspace": "/Workspace/Shared/docs",
}
DELETES = "/api/2.0/(dbfs/delete|workspace/delete|fs/files)"
FREE = {"guard": {"max_delete": "off", "max_update": "off"}, "concurrency": 4}


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator() as emulator:
        emulator.catalog.add("main", "default", "landing")
        monkeypatch.setenv("DATABRICKS_HOST", emulator.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", emulator.token)
        yield emulator


@pytest.fixture
def at(tmp_path, emulator: Emulator) -> Callable[[str], World]:
    """A world whose target is there."""
    return lambda place: World(tmp_path / "world", PLACES[place], dict(FREE), clock=OwnClock())


@pytest.mark.hazard("R02", "R03")
@pytest.mark.parametrize(
    "habits",
    [
        {"implicit_directories_vanish": True},
        {"empty_roots_are_missing": True},
        {"presigned_urls": False},
        {"sorted_listings": True},
    ],
    ids=lambda habits: next(iter(habits)),
)
def test_a_volume_of_other_habits_is_in_sync_all_the_same(at, emulator: Emulator, monkeypatch, habits) -> None:
    monkeypatch.setattr("reconcile.stores.databricks.volume.IN_PARTS_BYTES", 100)
    vars(emulator.habits).update(habits)
    emulator.limits.files_page_entries = 3
    world = at("volume")
    for tree in (BEFORE, AFTER, BEFORE):
        make(world.src, tree)
        world.settled()
        assert world.there() == tree


@pytest.mark.hazard("R06")
@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_suddenly_shows_nothing_is_asked_about(at, emulator: Emulator, place: str) -> None:
    world = at(place)
    make(world.src, {f"{at:02}": str(at) for at in range(20)})
    world.settled()
    emulator.log.clear()
    fault = emulator.faults.add(faults.listing(lambda _entries: []), "GET", times=None)
    assert world.apply().exit_code == 4
    assert fault.fired
    assert {seen.method for seen in emulator.log} == {"GET"}, "nothing was sent"


@pytest.mark.hazard("R18", "R20")
@pytest.mark.parametrize("place", PLACES)
def test_what_somebody_wrote_after_the_plan_stays(at, emulator: Emulator, place: str) -> None:
    world, root = at(place), PLACES[place]
    make(world.src, {"edited": "old", "gone": "old"})
    world.settled()
    make(world.src, {"edited": "new", "new": "ours"})

    def meanwhile(_plan) -> bool:
        for name in ("edited", "gone", "new"):
            emulator.put(f"{root}/{name}", b"a stranger's work")
        return True

    assert world.apply(approve=meanwhile).exit_code == 7
    left = {path: data for path, data in emulator.tree(root + "/").items() if "/.reconcile/" not in path}
    assert left == {f"{root}/{name}": b"a stranger's work" for name in ("edited", "gone", "new")}


@pytest.mark.hazard("R16")
@pytest.mark.parametrize("place", PLACES)
def test_who_may_not_delete_there_does_the_rest_and_the_delete_another_day(at, emulator: Emulator, place: str) -> None:
    world = at(place)
    make(world.src, {"a": "1", "b": "2", "c": "3"})
    world.settled()
    make(world.src, {"a": "new", "d": "4"})
    method = "DELETE" if place == "volume" else "POST"
    fault = emulator.faults.add(faults.refuse(403, "PERMISSION_DENIED"), method, DELETES, about="/b$", times=None)
    result = world.apply()
    failed = [(outcome.key, outcome.outcome) for outcome in result.outcomes if outcome.outcome != "done"]
    assert fault.fired or place == "dbfs"
    assert (result.exit_code, failed) in ((7, [("b", "failed")]), (0, []))
    emulator.faults.heal()
    world.settled()
    assert world.there() == {"a": "new", "d": "4"}


def test_a_notebook_that_comes_back_with_other_line_ends_is_no_drift(at, emulator: Emulator) -> None:
    """What was sent is known, and so is the version that it got; what is exported need not be the same bytes."""
    emulator.habits.notebooks_rewritten = True
    world = at("workspace")
    make(world.src, {"etl/load.py": "# Databricks notebook source\nprint(1)\n", "plain.py": "print(1)\n"})
    world.settled()
    make(world.src, {"etl/load.py": "# Databricks notebook source\nprint(2)\n", "plain.py": "print(1)\n"})
    assert world.told() == ["update etl/load.py"]
    world.settled()
    emulator.put("/Workspace/Shared/docs/etl/load", b"# Databricks notebook source\nprint(3)", language="PYTHON")
    assert [conflict.key for conflict in world.apply().conflicts] == ["etl/load.py"], "somebody's edit is still seen"


def test_notebooks_that_come_back_shorter_are_kept_and_replaced_like_any_other(at, emulator: Emulator) -> None:
    emulator.habits.notebooks_rewritten = True
    world = at("workspace")
    world.options["keep"] = "always"
    head = "# Databricks notebook source\n"
    make(world.src, {"a.py": head + "1\n\n", "b.py": head + "2\n\n", "c.py": head + "3\n\n"})
    world.settled()
    make(world.src, {"a.py": head + "new\n\n", "c.sql": "-- Databricks notebook source\nselect 3\n\n"})
    world.settled()
    kept = {path.rpartition("/")[2]: data for path, data in emulator.tree("/Workspace/Shared/docs/.reconcile").items()}
    assert kept == {name: (head + text).encode() for name, text in (("a", "1"), ("b", "2"), ("c", "3"))}


@pytest.mark.hazard("R13")
def test_a_lost_answer_is_no_conflict_with_a_notebook_that_came_back_shorter(at, emulator: Emulator) -> None:
    emulator.habits.notebooks_rewritten = True
    world = at("workspace")
    make(world.src, {"a.py": "# Databricks notebook source\n1\n\n"})
    world.settled()
    make(world.src, {"a.py": "# Databricks notebook source\n2\n\n", "b.py": "# Databricks notebook source\n3\n\n"})
    fault = emulator.faults.add(faults.lose_after(), "POST", "/api/2.0/workspace/import", times=2)
    world.settled()
    assert fault.fired == 2


def test_a_rollback_knows_a_notebook_that_came_back_with_other_line_ends(at, emulator: Emulator) -> None:
    emulator.habits.notebooks_rewritten = True
    world = at("workspace")
    world.options["keep"] = "always"
    theirs, path = b"# Databricks notebook source\ntheirs", "/Workspace/Shared/docs/a"
    make(world.src, {"a.py": "# Databricks notebook source\nprint(1)\n\n"})
    world.settled()
    emulator.put(path, theirs, language="PYTHON")
    world.settled()
    assert emulator.read(path) != theirs
    assert undo(world).exit_code == 0
    assert emulator.read(path) == theirs


@pytest.mark.hazard("S01")
@pytest.mark.parametrize("place", PLACES)
def test_a_token_in_the_address_is_told_to_nobody(
    tmp_path, emulator: Emulator, monkeypatch, capsys, place: str
) -> None:
    desk = desk_at(tmp_path, monkeypatch, capsys, emulator)
    desk.write("src/a.txt", "1")
    address = f"{PLACES[place]}?token=hush"
    for words in (("sync", "./src", address, "--auto-approve"), ("ls", address), ("create", address)):
        told = desk(*words)
        assert told.code != 0
        assert "hush" not in told.out + told.err
    assert emulator.log.of(".*") == []
    assert not any(b"hush" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("place", PLACES)
def test_an_address_as_it_is_printed_is_the_same_place(
    tmp_path, emulator: Emulator, monkeypatch, capsys, place
) -> None:
    desk = desk_at(tmp_path, monkeypatch, capsys, emulator)
    assert "does not exist" in desk("ls", f"{PLACES[place]}?host={emulator.url}").err
    assert "does not exist" not in desk("ls", f"{PLACES[place]}?host=nowhere.invalid").err


@pytest.mark.hazard("R15")
def test_files_of_a_volume_that_is_missing_are_not_gone(tmp_path, emulator: Emulator, monkeypatch, capsys) -> None:
    desk = desk_at(tmp_path, monkeypatch, capsys, emulator)
    desk.write("reconcile.yaml", f"version: 1\nmappings:\n  m: {{source: ./src, target: {PLACES['volume']}}}\n")
    desk.write("src/a.txt", "1")
    assert desk.apply().code == 0
    emulator.catalog.volumes.clear()
    told = desk("verify")
    assert told.code == 1
    assert "does not exist" in told.err
    assert "gone" not in told.out


@pytest.mark.hazard("R33")
@pytest.mark.parametrize("keep", ["auto", "never"])
def test_a_replaced_file_whose_way_back_was_refused_too_is_seen_to_by_the_next_run(
    at, emulator: Emulator, keep
) -> None:
    world = at("dbfs")
    world.options["keep"] = keep
    world.put(a="old")
    world.settled()
    world.put(a="newer")
    fault = emulator.faults.add(faults.refuse(403, "PERMISSION_DENIED"), "POST", "/api/2.0/dbfs/move", nth=2, times=2)
    assert world.apply().exit_code == 7
    assert fault.fired == 2
    assert "a" not in world.there()
    world.settled()
    assert world.there() == {"a": "newer"}
    assert [path for path in emulator.paths("dbfs:/team") if ".reconcile-tmp-" in path] == []
    kept = [data for path, data in emulator.tree("dbfs:/team").items() if "/undo/" in path]
    assert kept == ([b"old"] if keep == "auto" else [])


NOTEBOOK = "# Databricks notebook source\nprint(2)\n"


@pytest.mark.hazard("R01")
@pytest.mark.parametrize("texts", [("print(1)\n", NOTEBOOK), (NOTEBOOK, "print(1)\n")], ids=["becomes", "was"])
@pytest.mark.parametrize("act", [faults.lose_before(), faults.refuse(403, "PERMISSION_DENIED")], ids=["cut", "refused"])
def test_who_ends_between_a_notebook_and_the_file_it_was_is_made_good(at, emulator: Emulator, texts, act) -> None:
    world = at("workspace")
    world.write("a.py", texts[0])
    world.settled()
    world.write("a.py", texts[1])
    fault = emulator.faults.add(act, "POST", "/api/2.0/workspace/delete", times=None)
    assert world.apply().exit_code == 7
    assert fault.fired
    emulator.faults.heal()
    assert len(emulator.paths("/Workspace/Shared/docs")) == 2
    world.settled()
    assert world.there() == {"a.py": texts[1]}
    assert len(emulator.paths("/Workspace/Shared/docs")) == 1


@pytest.mark.parametrize("act", [faults.lose_before(), faults.lose_after()], ids=["before", "after"])
def test_an_answer_that_is_lost_as_a_file_becomes_a_notebook_leaves_one(at, emulator: Emulator, act) -> None:
    world = at("workspace")
    world.write("a.py", "print(1)\n")
    world.settled()
    world.write("a.py", NOTEBOOK)
    fault = emulator.faults.add(act, "POST", "/api/2.0/workspace/delete", times=1)
    world.settled()
    assert fault.fired == 1
    assert emulator.paths("/Workspace/Shared/docs") == ["/Workspace/Shared/docs/a"]


def test_a_notebook_of_somebody_else_beside_a_file_that_was_to_become_one_stays(at, emulator: Emulator) -> None:
    world = at("workspace")
    world.write("a.py", "print(1)\n")
    world.settled()
    world.write("a.py", NOTEBOOK)
    fault = emulator.faults.add(faults.lose_before(), "POST", "/api/2.0/workspace/import", times=None)
    assert world.apply().exit_code == 7
    assert fault.fired
    emulator.faults.heal()
    emulator.put("/Workspace/Shared/docs/a", b"# Databricks notebook source\nprint(3)\n", language="PYTHON")
    assert world.apply().exit_code == 7
    assert len(emulator.paths("/Workspace/Shared/docs")) == 2


SQL = "-- Databricks notebook source\nselect 1\n"


@pytest.mark.hazard("P03")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a.py": NOTEBOOK}, {"a.sql": SQL}),
        ({"a.py": NOTEBOOK}, {"a/x.txt": "1", "a/y.txt": "2"}),
        ({"a/x.txt": "1", "a/b/y.txt": "2"}, {"a.py": NOTEBOOK}),
        ({"b/a.py": NOTEBOOK}, {"b.sql": SQL}),
        ({"a.py": "print(1)\n"}, {"a.sql": SQL, "a.r": "1"}),
    ],
)
def test_what_takes_the_place_of_a_notebook_comes_when_that_is_gone(at, emulator: Emulator, before, after) -> None:
    world = at("workspace")
    make(world.src, before)
    world.settled()
    make(world.src, after)
    world.settled()
    assert world.there() == after
    refused = faults.refuse(403, "PERMISSION_DENIED")  # all that goes is put aside first
    fault = emulator.faults.add(refused, "POST", "/api/2.0/workspace/import", nth=len(after) + 1)
    make(world.src, before)
    assert world.apply().exit_code == 7
    assert fault.fired
    assert world.there() == after, "what was to be replaced is there again"


@pytest.mark.hazard("P03")
def test_a_notebook_that_took_the_place_of_another_is_undone(at) -> None:
    world = at("workspace")
    world.write("a.py", NOTEBOOK)
    world.settled()
    make(world.src, {"a.sql": SQL})
    world.settled()
    assert undo(world).exit_code == 0
    assert world.there() == {"a.py": NOTEBOOK}


@pytest.mark.hazard("P03")
def test_a_notebook_and_a_directory_of_one_name_are_told_by_the_plan(at) -> None:
    world = at("workspace")
    make(world.src, {"a.py": NOTEBOOK, "a/x.txt": "1"})
    with pytest.raises(PlanError, match=r"a/x\.txt and a\.py would"):
        world.plan()
    make(world.src, {"a.py": "print(1)\n", "a/x.txt": "1"})
    world.settled()


@pytest.mark.hazard("R22")
@pytest.mark.parametrize(
    ("key", "rival", "there", "text", "language"),
    [
        ("a.py", "a.sql", "a", SQL, "SQL"),
        ("a.py", "a", "a", "1", None),
        ("a.py", "a/x.txt", "a/x.txt", "1", None),
        ("a/x.txt", "a.py", "a", NOTEBOOK, "PYTHON"),
        ("a", "a.py", "a", NOTEBOOK, "PYTHON"),
    ],
)
@pytest.mark.parametrize("ours", [False, True], ids=["never ours", "was ours"])
def test_what_somebody_put_where_ours_belongs_is_a_conflict_of_the_plan(
    at, emulator: Emulator, key, rival, there, text, language, ours
) -> None:
    world = at("workspace")
    make(world.src, {key: NOTEBOOK if key == "a.py" else "mine", "other": "1"})
    if ours:
        world.settled()
        emulator.remove(f"/Workspace/Shared/docs/{key.removesuffix('.py')}")
    named = {"language": language} if language else {}
    emulator.put(f"/Workspace/Shared/docs/{there}", text.encode(), **named)
    plan = world.plan()
    assert [(one.key, one.reason) for one in plan.conflicts] == [(key, "in-the-way")]
    assert plan.conflicts[0].detail == f"{rival} has its name there"
    reach = Reach(paths=(key,))
    assert [one.key for one in world.plan(reach=reach).conflicts] == [key], "also where only that path is looked at"
    assert world.apply().exit_code == 3
    emulator.remove(f"/Workspace/Shared/docs/{there}")
    world.settled()
    assert key in world.there()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("winner", ["source", "target", "newest"])
def test_what_is_equal_is_adopted_whoever_would_win(at, emulator: Emulator, place: str, winner: str) -> None:
    """Of what nobody has met before: it is read once, and is no conflict."""
    world = at(place)
    world.options["conflict"] = winner
    make(world.src, {"equal": "the same", "other": "ours"})
    emulator.put(f"{PLACES[place]}/equal", b"the same")
    emulator.put(f"{PLACES[place]}/other", b"hers")
    plan = world.plan()
    assert [(str(one.action), str(one.reason)) for one in plan.changes() if one.key == "equal"] == [("adopt", "equal")]
    held = [(one.key, str(one.reason)) for one in plan.conflicts]
    assert held == ([("other", "keep-held")] if winner == "source" and place != "dbfs" else []) or winner == "newest"
    emulator.log.clear()
    world.apply()
    assert emulator.read(f"{PLACES[place]}/equal") == b"the same"
    assert not [seen for seen in emulator.log.of("POST|PUT|DELETE") if seen.path.endswith("/equal")]
    assert [one.key for one in world.plan().conflicts] + world.told() in (["other"], []), "equal is settled"


def test_a_conflict_that_is_none_is_settled_by_resolve(at, emulator: Emulator, tmp_path, monkeypatch, capsys) -> None:
    world = at("volume")
    make(world.src, {"a": "the same"})
    emulator.put(f"{PLACES['volume']}/a", b"the same")
    with world.house(write=True) as house:
        plan = world.plan(winner="source")
        settled = settled_conflicts(house)(plan)
    assert settled == {change.id for change in plan.changes()}
    assert world.told(plan) == ["adopt a"]
