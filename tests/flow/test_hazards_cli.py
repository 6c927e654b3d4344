"""What the command answers where nobody can be asked, and with which code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconcile.cli.main import run

SPEC = "version: 1\nmappings:\n  docs: {source: ./src, target: ./out}\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "reconcile.yaml").write_text(SPEC)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a").write_text("1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.hazard("O05")
def test_without_a_terminal_nothing_waits_and_nothing_is_done(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["apply"]) == 1
    assert "--auto-approve" in capsys.readouterr().err
    assert not (place / "out").exists()
    assert run(["apply", "--auto-approve"]) == 0
    assert (place / "out" / "a").read_text() == "1"


@pytest.mark.hazard("O05")
def test_an_approved_plan_needs_no_answer(place: Path) -> None:
    assert run(["plan", "--out", "saved"]) == 0
    assert run(["apply", "saved"]) == 0
    assert (place / "out" / "a").read_text() == "1"


@pytest.mark.hazard("O01")
@pytest.mark.hazard("P15")
def test_the_same_code_stands_in_the_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*words: str) -> int:
        capsys.readouterr()
        code = run([*words, "--json"])
        document = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert document["exit_code"] == code
        return code

    assert told("plan", "--detailed-exitcode") == 2
    assert told("plan") == 0
    assert run(["plan", "--out", "saved"]) == 0
    assert told("apply", "saved") == 0
    assert told("apply", "saved") == 5
    assert told("plan", "--detailed-exitcode") == 0
    (place / "src" / "a").write_text("mine")
    (place / "out" / "a").write_text("theirs")
    assert told("plan") == 3
    assert told("apply", "--auto-approve") == 3
    (place / "src" / "b").symlink_to("a")
    assert told("apply", "--auto-approve") == 3
