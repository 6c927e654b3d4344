"""`reconcile conflicts`: the list, and settling in bulk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconcile.cli.main import run

SPEC = "version: 1\nmappings:\n  docs: {source: ./src, target: ./out}\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, here, there in (("a", "here a", "there a!"), ("b/c", "here c", "there c!"), ("same", "x", "x")):
        for root, text in (("src", here), ("out", there)):
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    (tmp_path / "src" / "new").write_text("new")
    (tmp_path / "reconcile.yaml").write_text(SPEC)
    return tmp_path


def test_the_list_names_every_path_and_the_way_out(place, capsys):
    assert run(["conflicts"]) == 3
    told = capsys.readouterr().out
    assert "! a " in told
    assert "! b/c" in told
    assert "conflicts resolve" in told
    assert run(["conflicts", "--json"]) == 3
    assert [one["path"] for one in json.loads(capsys.readouterr().out)["conflicts"]] == ["a", "b/c"]


def test_the_source_wins_where_it_is_told_and_nothing_else_is_touched(place, capsys):
    assert run(["conflicts", "resolve", "--source", "b/*"]) == 0
    assert (place / "out" / "b" / "c").read_text() == "here c"
    assert (place / "out" / "a").read_text() == "there a!"
    assert not (place / "out" / "new").exists()
    kept = [path for path in (place / "out" / ".reconcile" / "undo").rglob("*") if path.is_file()]
    assert [path.read_text() for path in kept] == ["there c!"]


def test_the_target_stays_and_is_silent_after(place, capsys):
    assert run(["conflicts", "resolve", "--target", "*"]) == 0
    assert (place / "out" / "a").read_text() == "there a!"
    assert "8 B" in capsys.readouterr().out, "what is accepted is what is there, not the 6 bytes here"
    assert run(["conflicts"]) == 0
    assert "No conflicts." in capsys.readouterr().out


def test_the_status_counts_what_still_waits(place, capsys):
    """A run that settles one conflict has looked at no other, and nothing is in sync by it."""
    assert run(["apply", "--auto-approve"]) == 3
    for settled, still_waits in (("b/*", True), ("a", False)):
        assert run(["conflicts", "resolve", "--target", settled]) == 0
        capsys.readouterr()
        run(["status"])
        assert ("1 conflict" in capsys.readouterr().out) == still_waits
    assert run(["apply", "--auto-approve"]) == 0
    run(["status"])
    assert "in sync" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [[], ["--both"]])
def test_a_winner_must_be_named(place, capsys, flags):
    assert run(["conflicts", "resolve", *flags, "a"]) == 1
    assert "--source or --target" in capsys.readouterr().err


@pytest.mark.parametrize(("winner", "there"), [("--source", "x"), ("--target", "edited there")])
def test_a_drift_that_waits_is_settled_too(place, capsys, winner, there):
    for name in ("a", "b/c"):
        (place / "out" / name).unlink()
    (place / "reconcile.yaml").write_text(SPEC.replace("./out}", "./out, drift: fail}"))
    assert run(["apply", "--auto-approve"]) == 0
    (place / "out" / "same").write_text("edited there")
    assert run(["conflicts"]) == 3
    assert run(["conflicts", "resolve", winner, "same"]) == 0
    assert (place / "out" / "same").read_text() == there
    assert run(["conflicts"]) == 0
