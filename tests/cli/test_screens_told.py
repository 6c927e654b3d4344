"""Screens that once said what was not so, said it twice, or offered what is not there."""

from __future__ import annotations

import os

import pytest

from reconcile.core.change import Reason


@pytest.fixture
def waiting(place):
    """One path in conflict, one to be sent."""
    place.applied()
    place.write("docs/a.txt", "changed here")
    place.write("there/a.txt", "changed there, too")
    place.write("docs/new.txt", "new")
    return place


def test_what_the_plan_told_is_not_told_again_after_it(waiting):
    told = waiting("apply", "--auto-approve")
    assert told.code == 3
    assert told.out.count("both sides changed") == 1
    assert told.last.endswith("Left: 1 conflict.")


def test_where_no_plan_was_shown_the_report_tells_all(waiting):
    told = waiting("apply", "--auto-approve", "-q")
    assert told.out.count("both sides changed") == 1


@pytest.mark.parametrize("what", ["conflict", "unreadable", "refusal"])
def test_what_waits_stands_under_the_name_of_its_mapping(place, what):
    """Where nothing is to be done, too."""
    place.applied()
    if what == "conflict":
        place.write("docs/a.txt", "changed here")
        place.write("there/a.txt", "changed there, too")
    elif what == "unreadable":
        os.link(place.write("there/x", "kept"), place.root / "docs" / "x\udcff")
    else:
        place.write("reconcile.yaml", place.read("reconcile.yaml").replace("there}", "there, guard: {min_files: 1}}"))
        for name in ("a.txt", "b.txt", "sub/c.txt"):
            (place.root / "docs" / name).unlink()
    plan = place("plan").out.splitlines()
    told = place("apply", "--auto-approve").out.splitlines()
    assert plan[2].startswith("docs  file://")
    assert told[: len(plan)] == plan


def test_what_could_not_be_read_stands_under_its_mapping_where_no_plan_was_shown(place):
    os.link(place.write("docs/y", "kept"), place.root / "docs" / "x\udcff")
    place.write("reconcile.yaml", place.read("reconcile.yaml") + "  again: {source: ./docs, target: ./elsewhere}\n")
    lines = place("apply", "--auto-approve", "-q").out.splitlines()
    told = [line for line in lines if line and not line.startswith("    ")]
    assert [line.split()[0] for line in told] == ["docs:", "?", "again:", "?", "Applied"]


def test_only_what_is_there_is_offered(waiting):
    assert "--both" not in waiting("plan").out


def test_a_destroy_says_nothing_of_a_source_that_is_there(waiting):
    told = waiting("plan", "--destroy", "--json").json
    assert [(one["path"], one["reason_code"]) for one in told["conflicts"]] == [("a.txt", Reason.DESTROY_HELD.value)]
    assert {one["reason_code"] for one in told["actions"]} == {Reason.DESTROYED.value}
    text = waiting("destroy", "--auto-approve").out
    assert "gone from the source" not in text
    assert "resolve" not in text


def test_status_names_no_run_that_never_was(place):
    place.write("docs/sub/c.txt", "x")
    (place.root / "there").write_text("a file")
    assert place("apply", "--auto-approve").code == 1
    told = place("status").out
    assert "FAILING" in told
    assert "history 0" not in told
    assert "reconcile plan" in told


@pytest.mark.parametrize("verb", [("plan",), ("apply", "--auto-approve")])
def test_a_glob_that_matches_nothing_is_told(place, verb):
    place.applied()
    told = place.ok(*verb, "--path", "typo*")
    assert "no path matches --path typo*" in told.err
    assert told.last == "No changes. 0 paths in sync."
    told = place.ok(*verb, "--path", "sub/*")
    assert told.err == ""
    assert told.last == "No changes. 1 path in sync."


@pytest.mark.parametrize("way", ["file", "file above", "dangling link", "dangling link above"])
@pytest.mark.parametrize("verb", [("plan",), ("apply", "--auto-approve")])
def test_a_target_that_cannot_be_a_directory_is_told_by_the_plan(place, way, verb):
    at = place.root / "there"
    if "above" in way:
        place.write("reconcile.yaml", "version: 1\nmappings:\n  docs: {source: ./docs, target: ./there/in/it}\n")
    at.symlink_to("nowhere") if "link" in way else at.write_text("precious")
    told = place(*verb)
    assert told.code == 1
    assert ("leads nowhere" if "link" in way else "is not a directory") in told.err
    assert str(at) in told.err
    assert at.is_symlink() or at.read_text() == "precious"


@pytest.fixture
def of_two_runs(place):
    """`a.txt` was recorded by run 1, `b.txt` by run 2."""
    place.applied()
    place.write("docs/b.txt", "beta, edited")
    place.applied()
    return place


def test_a_change_there_is_since_the_run_that_recorded_the_path(of_two_runs):
    of_two_runs.write("there/a.txt", "drifted")
    told = of_two_runs("plan").out
    assert "  Changed in the target since run 1:\n  ~ a.txt" in told
    assert told.count("changed in the target since run 1, restored") == 1
    assert [one["reason"] for one in of_two_runs("plan", "--json").json["actions"]] == [
        "changed in the target since run 1, restored"
    ]
    assert "since run 1" in of_two_runs("why", "a.txt").out
    of_two_runs.write("there/b.txt", "drifted, too")
    told = of_two_runs("plan").out
    assert "  Changed in the target:\n" in told
    assert [told.count(f"changed in the target since run {run}, restored") for run in (1, 2)] == [1, 1]


def test_a_conflict_is_since_the_run_that_recorded_the_path(of_two_runs):
    for side in ("docs", "there"):
        of_two_runs.write(f"{side}/a.txt", f"changed in {side}")
    for words in (("plan",), ("conflicts",), ("why", "a.txt"), ("plan", "--json"), ("apply", "--auto-approve", "-q")):
        told = of_two_runs(*words).out
        assert "both sides changed since run 1 | here" in told, words


def test_a_saved_plan_tells_the_same(of_two_runs):
    of_two_runs.write("there/a.txt", "drifted")
    of_two_runs("plan", "--out", "saved.plan")
    assert "since run 1, restored" in of_two_runs.ok("show", "saved.plan").out
