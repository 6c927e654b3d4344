"""`destroy`: what is ours in the target goes; everything else stays."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture
def applied(place):
    place.applied()
    place.write("there/theirs.txt", "not ours")
    return place


def test_what_is_ours_goes(applied):
    told = applied("destroy", "--auto-approve", "--json")
    assert told.code == 0
    assert told.report["counts"] == {"delete": 3}
    assert applied.there() == {"theirs.txt"}
    assert applied.read("docs/a.txt") == "alpha"
    assert "destroy" in applied("history").out


def test_what_was_changed_there_stays(applied):
    applied.write("there/b.txt", "changed over there")
    assert applied("destroy", "--auto-approve").code == 3
    assert applied.there() == {"b.txt", "theirs.txt"}


def test_nobody_to_ask(applied):
    told = applied("destroy")
    assert told.code == 1
    assert "--auto-approve" in told.err
    assert len(applied.there()) == 4


@pytest.mark.parametrize("narrow", [("--path", "sub"), ("--path", "sub/*")])
def test_only_a_part(applied, narrow):
    assert applied("destroy", "--auto-approve", *narrow).code == 0
    assert applied.there() == {"a.txt", "b.txt", "theirs.txt"}


def test_what_was_destroyed_can_be_applied_again(applied):
    assert applied("destroy", "--auto-approve").code == 0
    applied.applied()
    assert applied.there() == {"a.txt", "b.txt", "sub/c.txt", "theirs.txt"}


def test_a_source_that_is_gone_is_no_obstacle(applied):
    shutil.rmtree(applied.root / "docs")
    assert applied("destroy", "--auto-approve").code == 0
    assert applied.there() == {"theirs.txt"}
