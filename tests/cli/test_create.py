"""`create`: makes the container of a target, and nothing in it."""

from __future__ import annotations


def test_a_directory(bare):
    told = bare("create", "deep/down", "--json")
    assert len(told.json["made"]) >= 1
    assert (bare.root / "deep/down").is_dir()
    assert bare("create", "deep/down", "--json").json["made"] == []
    assert "is there" in bare("create", "deep/down").out


def test_the_target_of_a_mapping(place):
    place.write("reconcile.yaml", place.read("reconcile.yaml").replace("there}", "there, create_target: false}"))
    refused = place("apply", "--auto-approve")
    assert refused.code == 1
    assert "reconcile create" in refused.err
    assert place("create", "docs").code == 0
    place.applied()


def test_a_database(bare):
    told = bare("create", "sqlite:///deep/shop.db", "--json").json
    [made] = told["made"]
    assert made.startswith("SQLite file ")
    assert made.endswith("deep/shop.db")
    assert (bare.root / "deep/shop.db").is_file()
    assert "is there" in bare("create", "sqlite:///deep/shop.db").out


def test_what_nobody_can_make(bare):
    assert bare("create", "nonsense://place").code == 1


def test_it_stands_where_the_command_runs(bare):
    (bare.root / "project").mkdir()
    assert bare("-C", "project", "create", "there").code == 0
    assert (bare.root / "project" / "there").is_dir()
