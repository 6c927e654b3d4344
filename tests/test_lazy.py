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

    def run(*words, path=""):
        report = tmp_path / "loaded"
        env = os.environ | {"LOADED": str(report), "PYTHONPATH": os.pathsep.join(filter(None, (path, str(ROOT))))}
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


@pytest.mark.parametrize("again", [False, True], ids=["first", "grown"])
def test_no_table_loads_pandas(loaded, tmp_path, again):
    """Arrow would, where it is there, with the first value it is given; half a second that nobody needs."""
    library = tmp_path / "library" / "pandas"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text(f"open({str(tmp_path / 'asked')!r}, 'w').close()\nraise ImportError\n")
    (tmp_path / "data").mkdir()
    table = tmp_path / "data" / "a.csv"
    table.write_text("id,price,at\n" + "".join(f"{n},{n}.20,2024-01-01 10:00:00\n" for n in range(60_000)))
    spec = "version: 1\nmappings:\n  tables: {source: ./data, target: sqlite:///a.db}\n"
    (tmp_path / "reconcile.yaml").write_text(spec, encoding="utf-8")
    loaded("apply", "--auto-approve")
    if again:
        with table.open("a") as file:
            file.write("1,1.25,2024-01-01 10:00:00\n")
    else:
        (tmp_path / "a.db").unlink()
    (tmp_path / "asked").unlink(missing_ok=True)
    assert "pyarrow" in loaded("apply", "--auto-approve", path=str(library.parent))
    assert not (tmp_path / "asked").exists()
