"""`history`: runs, newest first; one run with its actions."""

from __future__ import annotations


def test_no_runs(place):
    assert place("history").out == "No runs yet.\n"
    assert place("history", "--json").json["runs"] == []


def test_newest_first(place):
    place.applied()
    place.write("docs/a.txt", "alpha, edited")
    place.applied()
    assert [run["id"] for run in place("history", "--json").json["runs"]] == [2, 1]
    assert [line.split()[0] for line in place("history").out.splitlines()] == ["run", "2", "1"]


def test_one_run_with_its_actions(place):
    place.applied()
    told = place("history", "1")
    assert "Run 1: apply" in told.out
    assert all(name in told.out for name in ("a.txt", "b.txt", "sub/c.txt"))
    document = place("history", "1", "--json").json
    assert {one["outcome"] for one in document["outcomes"]} == {"done"}
    assert document["run"]["counts"] == {"create": 3}


def test_a_run_that_never_was(place):
    told = place("history", "7")
    assert told.code == 1
    assert "no run 7" in told.err
