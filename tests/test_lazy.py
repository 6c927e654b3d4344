"""What a start does not load: nobody pays for what they do not use."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {
    "adbc_driver_manager", "boto3", "botocore", "databricks", "duckdb", "jsonschema", "networkx", "obstore", "pyarrow",
    "rich", "tabulate", "watchfiles",
}  # fmt: skip
PROGRAM = """
import atexit, os, runpy, sys
atexit.register(lambda: open(os.environ["LOADED"], "w").write(" ".join(sys.modules)))
runpy.run_module("reconcile", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def loaded(tmp_path):
    """Runs a command; gives the top-level packages it loaded."""

    def run(*words):
        report = tmp_path / "loaded"
        env = os.environ | {"LOADED": str(report), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", PROGRAM, *words]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return {name.partition(".")[0] for name in report.read_text(encoding="utf-8").split()}

    return run


def test_the_report_of_what_was_loaded_is_true(loaded):
    assert {"reconcile", "click"} <= loaded("--help")


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("plan", "--help")])
def test_help_loads_nothing_heavy(loaded, words):
    assert loaded(*words) & HEAVY == set()


def test_a_local_plan_of_a_known_spec_loads_nothing_heavy(loaded, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("a", encoding="utf-8")
    spec = "version: 1\nmappings:\n  docs: {source: ./docs, target: ./there}\n"
    (tmp_path / "reconcile.yaml").write_text(spec, encoding="utf-8")
    loaded("apply", "--auto-approve")
    assert loaded("plan") & HEAVY == set()
    (tmp_path / "docs" / "b.txt").write_text("b", encoding="utf-8")
    assert loaded("plan") & HEAVY == set()
