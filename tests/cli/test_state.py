"""`state`: looking at what is remembered, and mending it; a copy first."""

from __future__ import annotations

import csv
import io

import pytest


@pytest.fixture
def applied(place):
    place.applied()
    return place


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_an_empty_state(place):
    assert place("state", "list").code == 0
    assert place("state", "list", "--json").json["scopes"] == []
    assert not (place.root / "state").exists()


def test_scopes(applied):
    (scope,) = applied("state", "list", "--json").json["scopes"]
    assert (scope["mapping"], scope["paths"]) == ("docs", 3)
    assert scope["scope"] in applied("state", "list").out
    (row,) = _rows(applied("state", "list", "--csv").out)
    assert row["paths"] == "3"


def test_records(applied):
    assert len(applied("state", "show").out.splitlines()) == 3
    assert [row["key"] for row in _rows(applied("state", "show", "--csv").out)] == ["a.txt", "b.txt", "sub/c.txt"]
    assert [row["key"] for row in applied("state", "show", "sub", "--json").json["records"]] == ["sub/c.txt"]
    assert "sha256" in applied("state", "show", "a.txt").out
    assert applied("state", "show", "nothing").code == 1


def test_what_is_forgotten_is_adopted_again(applied):
    assert applied("state", "rm", "a.txt", "sub", "--json").json["forgotten"] == 2
    assert [row["key"] for row in applied("state", "show", "--json").json["records"]] == ["b.txt"]
    assert applied.there() == {"a.txt", "b.txt", "sub/c.txt"}
    plan = applied("plan", "--json").json
    assert {action["path"]: action["action"] for action in plan["actions"]} == {"a.txt": "adopt", "sub/c.txt": "adopt"}


def test_the_copy_that_was_kept_brings_it_back(applied):
    assert applied("state", "rm", "*").code == 0
    newest = max((applied.root / "state").glob("reconcile.db.g*"), key=lambda file: int(file.suffix[2:]))
    assert applied("state", "push", str(newest), "--force").code == 0
    assert applied("plan").out == "No changes. 3 paths in sync.\n"


def test_a_renamed_mapping_keeps_its_records(applied):
    spec = applied.read("reconcile.yaml")
    applied.write("reconcile.yaml", spec.replace("docs:", "papers:"))
    told = applied("state", "mv", "docs", "papers")
    assert told.code == 0, told.err
    assert "Moved 3 records to papers." in told.out
    assert applied("plan").out == "No changes. 3 paths in sync.\n"


def test_a_scope_that_is_none(applied):
    assert applied("state", "mv", "nothing", "docs").code == 1
    assert applied("state", "mv", "docs", "nothing").code == 1
    assert len(applied("state", "show").out.splitlines()) == 3


def test_a_copy_out_and_in_again(applied):
    assert applied("state", "pull", "copy.db").code == 0
    assert applied("state", "rm", "a.txt").code == 0
    told = applied("state", "push", "copy.db")
    assert told.code == 1
    assert "--force" in told.err
    assert applied("state", "push", "copy.db", "--force").code == 0
    assert applied("plan").out == "No changes. 3 paths in sync.\n"


def test_a_copy_takes_no_place_of_another_file(applied):
    applied.write("mine.db", "mine")
    assert applied("state", "pull", "mine.db").code == 1
    assert applied.read("mine.db") == "mine"


def test_a_damaged_state_is_replaced(applied):
    assert applied("state", "pull", "copy.db").code == 0
    for side in ("-wal", "-shm"):
        (applied.root / f"state/reconcile.db{side}").unlink(missing_ok=True)
    (applied.root / "state/reconcile.db").write_bytes(b"no database")
    told = applied("plan")
    assert told.code == 1
    assert "state push" in told.err
    assert applied("state", "push", "copy.db").code == 0
    assert applied("plan").out == "No changes. 3 paths in sync.\n"


def test_nothing_is_mended_while_somebody_holds_the_lock(applied):
    assert applied("lock", "hold", "--reason", "audit").code == 0
    assert applied("state", "rm", "a.txt").code == 6
    assert len(applied("state", "show").out.splitlines()) == 3


def test_a_name_is_no_formula_in_a_spreadsheet(place):
    place.write("docs/=cmd()", "x")
    place.applied()
    assert not any(row["key"].startswith("=") for row in _rows(place("state", "show", "--csv").out))


def test_csv_and_json_are_two_forms_of_one_answer(applied):
    for verb in ("list", "show"):
        told = applied("state", verb, "--csv", "--json")
        assert told.code == 1
        assert "two forms" in told.json["errors"][0]


def test_a_push_waits_for_who_holds_the_state(applied):
    applied.ok("state", "pull", str(applied.root / "copy"))
    held = applied.ok("lock", "hold", "--reason", "migration", "--json").json["lock"]["id"]
    assert applied("state", "push", "copy", "--lock-timeout", "1ms").code == 6
    applied.ok("unlock", held)
    applied.ok("state", "push", "copy", "--lock-timeout", "1ms")
