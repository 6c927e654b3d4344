"""`show`: a saved plan, in every form a plan has."""

from __future__ import annotations

import pytest


@pytest.fixture
def saved(place):
    assert place("plan", "--out", "changes.plan").code == 0
    return place


def test_it_shows_what_plan_showed(saved):
    assert saved("show", "changes.plan").out == saved("plan").out


def test_as_json(saved):
    told = saved("show", "changes.plan", "--json").json
    assert [action["path"] for action in told["actions"]] == ["a.txt", "b.txt", "sub/c.txt"]
    assert all(action["digest"] for action in told["actions"])


@pytest.mark.parametrize(("form", "begins"), [("markdown", "#"), ("html", "<!doctype html>")])
def test_in_other_forms(saved, form, begins):
    assert begins in saved("show", "changes.plan", "--format", form).out.lower()
    assert saved("show", "changes.plan", "--format", f"{form}=told").code == 0
    assert begins in saved.read("told").lower()


def test_no_plan_or_something_else(saved):
    assert saved("show", "nothing.plan").code == 1
    assert saved("show", "reconcile.yaml").code == 5


def test_an_edited_plan_is_refused(saved):
    import sqlite3

    with sqlite3.connect(saved.root / "changes.plan") as database:
        database.execute("UPDATE changes SET document = replace(document, 'a.txt', 'z.txt')")
    database.close()
    assert saved("show", "changes.plan").code == 5
