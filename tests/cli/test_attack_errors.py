"""Wrong paths, forbidden files and signals are told in words, and to a machine as JSON: never as a traceback."""

from __future__ import annotations

import json
import os
from pathlib import Path
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

CLI = Path(sys.executable).with_name("reconcile")


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "-f", "."),
        ("plan", "-C", "nowhere"),
        ("plan", "--out", "nowhere/x.plan"),
        ("plan", "--format", "html=nowhere/x.html"),
        ("plan", "--format", "json=."),
        ("plan", "--nonsense"),
        ("apply",),
    ],
)
@pytest.mark.hazard("O01")
def test_every_failure_is_words_and_with_json_the_last_line_is_a_document_with_the_exit_code(place, words):
    told = place(*words, "--json")
    assert told.code == 1
    assert "Error: " in told.err
    assert "Traceback" not in told.err
    last = json.loads(told.out.splitlines()[-1])
    assert last["exit_code"] == 1
    assert last["errors"]


@pytest.mark.hazard("P13")
def test_a_change_filed_under_another_mapping_is_an_edited_plan(place):
    place.ok("plan", "--out", "it.plan")
    with sqlite3.connect(place.root / "it.plan") as database:
        database.execute("UPDATE changes SET mapping = 'other' WHERE number = 1")
    database.close()
    told = place("apply", "it.plan")
    assert told.code == 5
    assert "edited" in told.err
    assert not (place.root / "there").exists()


@pytest.mark.hazard("T12")
def test_a_pipe_in_the_place_of_the_state_is_refused_at_once(place):
    (place.root / "state").mkdir()
    os.mkfifo(place.root / "state" / "reconcile.db")
    for words in (("plan",), ("apply", "--auto-approve")):
        done = subprocess.run([CLI, *words], cwd=place.root, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 1
        assert "this is no file" in done.stderr


@pytest.mark.hazard("T02")
def test_a_state_that_may_not_be_looked_at_is_not_taken_for_none(place, monkeypatch):
    place.applied()
    real = Path.lstat

    def denied(path: Path) -> os.stat_result:
        if path.name == "reconcile.db":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "lstat", denied)
    told = place("plan")
    assert told.code == 1
    assert "Permission denied" in told.err


@pytest.mark.hazard("T27")
def test_sigterm_ends_a_command_with_130_at_any_moment(place):
    for number in range(400):
        place.write(f"docs/many/{number}", str(number))
    for wait_s in (0.12, 0.2, 0.3):
        running = subprocess.Popen(
            [CLI, "apply", "--auto-approve"], cwd=place.root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        time.sleep(wait_s)
        running.send_signal(signal.SIGTERM)
        _, told = running.communicate(timeout=20)
        assert running.returncode in (130, 0, -signal.SIGTERM)  # the last: it had not begun to run
        assert b"Traceback" not in told
    place.ok("apply", "--auto-approve")
    assert len(place.there()) == 403


@pytest.mark.hazard("T28")
def test_a_caller_that_closed_stdout_or_stderr_gets_the_same_run(place):
    done = subprocess.run(["sh", "-c", '"$0" apply --auto-approve >&- 2>&-', CLI], cwd=place.root, check=False)
    assert done.returncode == 0
    assert place.there() == {"a.txt", "b.txt", "sub/c.txt"}
