"""`rollback`: what a run did is undone as far as its bytes are kept, and every path says what became of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconcile.cli.face import Face

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "report.schema.json").read_text())


@pytest.fixture
def edited(place: Any) -> Any:
    """Three files applied; then one edited, one gone, one new, and applied again as run 2."""
    place.applied()
    place.write("docs/a.txt", "edited")
    place.write("docs/new.txt", "new")
    (place.root / "docs/b.txt").unlink()
    assert place("apply", "--auto-approve").code == 0
    return place


def test_a_run_is_undone_and_the_next_apply_is_held(edited: Any) -> None:
    told = edited("rollback", "--auto-approve")
    assert told.code == 0
    assert told.last.startswith("restored 2 (digest verified) · removed 1. Held until: reconcile unlock ")
    assert edited.there() == {"a.txt", "b.txt", "sub/c.txt"}
    assert edited.read("there/a.txt") == "alpha"
    held = edited("apply", "--auto-approve")
    assert held.code == 6
    unlock = told.last.rpartition(" ")[2]
    assert "rollback of run 2" in held.err
    assert f"reconcile unlock {unlock}" in held.err
    edited.ok("unlock", unlock)
    assert edited("apply", "--auto-approve").code == 0
    assert edited.there() == {"a.txt", "new.txt", "sub/c.txt"}


def test_without_a_hold(edited: Any) -> None:
    told = edited.ok("rollback", "2", "--auto-approve", "--no-hold")
    assert told.last == "restored 2 (digest verified) · removed 1."
    assert edited("apply", "--auto-approve").code == 0


@pytest.mark.hazard("O03")
def test_what_cannot_come_back_says_why(edited: Any) -> None:
    edited.write("there/new.txt", "edited over there")
    (edited.root / "there/.reconcile/undo/2/b.txt").unlink()
    told = edited("rollback", "--auto-approve", "-q")
    assert told.code == 7
    assert "  kept docs: new.txt  changed since" in told.out
    assert "  cannot docs: b.txt  no copy any more\n" in told.out
    endings = "restored 1 (digest verified) · kept 1 (changed since) · cannot 1 (b.txt: no copy any more). Held until: "
    assert told.last.startswith(endings)
    assert edited.there() == {"a.txt", "new.txt", "sub/c.txt"}


def test_nobody_to_ask(edited: Any) -> None:
    told = edited("rollback")
    assert told.code == 1
    assert "--auto-approve\n" in told.err
    assert "~ docs: a.txt  restore" in told.out
    assert told.last == "Plan: 2 to restore, 1 to remove."
    assert edited.read("there/a.txt") == "edited"
    assert edited("apply", "--auto-approve").code == 0, "nothing is held"


@pytest.mark.parametrize(("answer", "code"), [(True, 0), (False, 1)])
def test_a_person_is_asked(edited: Any, monkeypatch: pytest.MonkeyPatch, answer: bool, code: int) -> None:
    monkeypatch.setattr(Face, "ask", lambda *_: answer)
    assert edited("rollback").code == code
    assert (edited.read("there/a.txt") == "alpha") is answer


def test_only_a_part(edited: Any) -> None:
    told = edited.ok("rollback", "--auto-approve", "--path", "a.txt", "--mapping", "docs", "--json")
    assert [(one["path"], one["reason"]) for one in told.report["outcomes"]] == [("a.txt", "restored")]
    assert edited.there() == {"a.txt", "new.txt", "sub/c.txt"}


def test_the_report_for_machines(edited: Any) -> None:
    told = edited("rollback", "--auto-approve", "--json")
    report = told.report
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    assert report["undoes"] == 2
    assert report["hold"]
    assert {one["path"]: one["reason"] for one in report["outcomes"]} == {
        "a.txt": "restored",
        "b.txt": "restored",
        "new.txt": "removed",
    }


def test_history_and_why_know_it(edited: Any) -> None:
    edited.ok("rollback", "--auto-approve", "--no-hold")
    assert "rollback" in edited.ok("history").out
    assert "Run 3: rollback" in edited.ok("history", "3").out
    assert "rollback: update done" in edited.ok("why", "a.txt").out


def test_no_run(place: Any) -> None:
    place.applied()
    told = place("rollback", "9", "--auto-approve")
    assert (told.code, "there is no run 9" in told.err) == (1, True)
    assert place("rollback", "0", "--auto-approve").code == 1
