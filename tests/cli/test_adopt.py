"""`adopt`: what is equal on both sides is recorded, and nothing is sent."""

from __future__ import annotations

import pytest


@pytest.fixture
def met(place):
    """The target holds one equal file, one that differs, a stranger, and lacks one."""
    place.write("there/a.txt", "alpha")
    place.write("there/b.txt", "something else")
    place.write("there/theirs.txt", "not ours")
    return place


def _recorded(place) -> list[str]:
    return [record["key"] for record in place("state", "show", "--json").json["records"]]


def test_only_what_is_equal_is_recorded(met):
    told = met("adopt")
    assert told.code == 3
    assert "1 adopted" in told.out
    assert _recorded(met) == ["a.txt"]
    assert met.there() == {"a.txt", "b.txt", "theirs.txt"}
    assert met.read("there/b.txt") == "something else"


def test_globs_narrow_it(met):
    assert met("adopt", "a*").code == 0
    assert _recorded(met) == ["a.txt"]
    assert met("adopt", "sub").code == 0


def test_for_machines(met):
    report = met("adopt", "a.txt", "--json").report
    assert (report["counts"], report["bytes"]) == ({"adopt": 1}, 0)


def test_a_target_that_is_not_there_is_not_made(place):
    assert place("adopt").code == 0
    assert not (place.root / "there").exists()


def test_an_adoption_completes_nothing(met):
    """`unmanaged: delete` asks for a permission until a run has finished the whole mapping."""
    met.write("reconcile.yaml", met.read("reconcile.yaml").replace("there}", "there, unmanaged: delete}"))
    assert met("adopt", "a.txt").code == 0
    assert met("apply", "--auto-approve").code == 4
    assert met.there() == {"a.txt", "b.txt", "theirs.txt"}


def test_nor_does_any_run_of_a_part(met):
    met.write("reconcile.yaml", met.read("reconcile.yaml").replace("there}", "there, unmanaged: delete}"))
    assert met("apply", "--auto-approve", "--path", "a.txt").code == 0
    assert met("plan", "--path", "a.txt", "--out", "a.plan", "--allow", "deletes").code == 0
    assert met("apply", "a.plan").code == 0
    assert met("apply", "--auto-approve").code == 4
    assert met.there() == {"a.txt", "b.txt", "theirs.txt"}
