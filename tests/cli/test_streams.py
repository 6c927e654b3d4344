"""stdout and stderr that are full, closed, or read by nobody: the work is done, the state is right, no traceback."""

from __future__ import annotations

import json
import os
from pathlib import Path
import subprocess
import sys

import pytest

CLI = Path(sys.executable).with_name("reconcile")
pytestmark = pytest.mark.hazard("T28")


def shell(place, command):
    """Runs a command line of the shell, `reconcile` in it ours; what it says is buffered as at a user's."""
    line = command.replace("reconcile", str(CLI), 1)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        line, cwd=place.root, shell=True, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return done


def all_there(place):
    assert place.there() == {"a.txt", "b.txt", "sub/c.txt"}
    assert place.ok("plan").last == "No changes. 3 paths in sync."


@pytest.mark.parametrize("verb", ["plan", "plan --json", "status", "--help", "schema", "graph"])
def test_what_cannot_be_told_is_an_error(place, verb):
    done = shell(place, f"reconcile {verb} > /dev/full")
    assert done.returncode == 1
    assert "no space left on device" in done.stderr
    assert not (place.root / "there").exists()


@pytest.mark.parametrize("nobody", ["> /dev/full", "| true"])
@pytest.mark.parametrize("verb", ["plan --detailed-exitcode", "plan --json --detailed-exitcode", "verify"])
def test_what_cannot_be_told_outranks_what_would_have_been(place, verb, nobody):
    """Pending changes (2), or differences (8), of which nobody got the list."""
    place.applied()
    place.write("docs/a.txt", "changed")
    place.write("there/b.txt", "changed")
    assert shell(place, f"reconcile {verb}").returncode in (2, 8)
    done = shell(place, f"(reconcile {verb}; echo $? >&2) {nobody}")
    assert done.stderr.splitlines()[-1] == "1"


@pytest.mark.parametrize("flags", ["", "--json", "-vv"])
def test_a_run_that_cannot_be_told_is_done_and_its_code_says_so(place, flags):
    done = shell(place, f"reconcile apply --auto-approve {flags} > /dev/full")
    assert done.returncode == 1
    assert "Error: stdout: no space left on device" in done.stderr
    all_there(place)


@pytest.mark.parametrize("many", [3, 900])
@pytest.mark.parametrize("flags", ["", "--json"])
def test_a_run_goes_on_when_its_reader_goes_away(place, many, flags):
    for number in range(many - 3):
        place.write(f"docs/more/{number:04}-{'x' * 100}", "x")
    shell(place, f"reconcile apply --auto-approve {flags} | head -c 10")
    assert place.ok("plan").last == f"No changes. {many} paths in sync."


def test_a_reader_that_went_away_costs_a_run_nothing(place):
    done = shell(place, "(reconcile apply --auto-approve --json; echo $? >&2) | true")
    assert done.stderr == "0\n"
    all_there(place)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full", "<&-"])
def test_closed_streams_are_nobody_elses(place, closed):
    """No file of ours gets the number of a closed stream: what is said there would be written into it."""
    done = shell(place, f"reconcile apply --auto-approve -v {closed}")
    assert done.returncode == 0
    all_there(place)
    assert place.read("there/a.txt") == "alpha"
    assert place("state", "list").code == 0


def test_a_full_stderr_is_no_failure(place):
    done = shell(place, "reconcile apply --auto-approve --json -vv 2>/dev/full")
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[-1])["exit_code"] == 0
    assert shell(place, "reconcile plan --no-such-flag 2>/dev/full").returncode == 1
