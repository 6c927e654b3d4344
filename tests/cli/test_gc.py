"""`gc`: says what went and what stayed, never asks, and never touches data."""

from __future__ import annotations

import pytest


@pytest.fixture
def kept(place):
    """The bytes that run 2 took away are kept."""
    place.applied()
    place.write("docs/a.txt", "alpha, edited")
    place.write("there/b.txt", "drift")
    place.applied()
    return place


def undo(place):
    return sorted(path.name for path in (place.root / "there/.reconcile").rglob("undo/**/*.txt"))


def test_what_is_young_stays_and_is_told(kept):
    assert undo(kept) == ["a.txt", "b.txt"]
    told = kept.ok("gc")
    assert told.out == "  left docs: 2 kept files (10 B): not old enough\nNothing to remove.\n"
    assert undo(kept) == ["a.txt", "b.txt"]


def test_what_is_old_goes_without_a_question(kept):
    there = {name: kept.read(f"there/{name}") for name in kept.there()}
    assert kept.ok("gc", "--older-than", "0s", "--dry-run").last == "Would remove 2 kept files (10 B)."
    assert undo(kept) == ["a.txt", "b.txt"]
    assert kept.ok("gc", "--older-than", "0s").last == "Removed 2 kept files (10 B)."
    assert undo(kept) == []
    assert {name: kept.read(f"there/{name}") for name in kept.there()} == there
    assert kept.ok("gc", "--older-than", "0s").last == "Nothing to remove."
    assert kept.ok("plan").out == "No changes. 3 paths in sync.\n"


def test_to_a_machine(kept):
    young = kept("gc", "--json").json
    assert young["removed"] == {}
    [left] = young["left"]
    assert left == {"mapping": "docs", "kind": "kept", "why": "not old enough", "count": 2, "bytes": 10}
    assert kept("gc", "--json", "--older-than", "0s").json == {
        "removed": {"kept": {"count": 2, "bytes": 10}},
        "left": [],
        "problems": [],
        "exit_code": 0,
        "format_version": 1,
    }


def test_what_is_forgotten_is_told(kept, monkeypatch):
    monkeypatch.setattr("reconcile.flow.collecting.KEPT_RUNS", 1)
    assert kept.ok("gc", "--older-than", "0s").last == "Removed 2 kept files (10 B), 1 run of the history."
    assert [run["id"] for run in kept("history", "--json").json["runs"]] == [2]
    assert "there is no run 1" in kept("rollback", "1", "--auto-approve").err


def test_only_the_mapping_that_is_named(kept):
    assert kept("gc", "--mapping", "nobody").code == 1
    assert kept.ok("gc", "--mapping", "docs", "--older-than", "0s").last.startswith("Removed 2 kept files")


def test_a_duration_is_asked_for(kept):
    told = kept("gc", "--older-than", "soon")
    assert told.code == 1
    assert "--older-than" in told.err


def test_not_while_somebody_holds_the_lock(kept):
    kept.ok("lock", "hold", "--reason", "audit")
    assert kept("gc", "--older-than", "0s").code == 6
    assert kept("gc", "--older-than", "0s", "--dry-run").code == 0
    assert undo(kept) == ["a.txt", "b.txt"]


@pytest.mark.parametrize("habit", ["cleanup", "prune"])
def test_by_habit(kept, habit):
    told = kept(habit)
    assert told.code == 1
    assert f"`{habit}` is `gc` here." in told.err


def test_what_went_can_no_longer_be_rolled_back_and_that_is_said(kept):
    kept.ok("gc", "--older-than", "0s")
    told = kept("rollback", "--auto-approve", "--no-hold")
    assert told.code != 0
    assert "cannot 2" in told.out
    assert "restored 0" in told.out
    assert {name: kept.read(f"there/{name}") for name in kept.there()}["a.txt"] == "alpha, edited"
