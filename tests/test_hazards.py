"""Every hazard that must be borne has a test, and the table of them tells the truth."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys

from tests import hazards
from tests.conftest import COLLECTED


def test_required_hazards_are_borne_and_the_table_is_true(request):
    """Of the tests that were found anyway, where those are all there are."""
    found, root = request.config.stash[COLLECTED], Path(__file__).parent
    is_whole = {item.path for item in found} == {*root.rglob("test_*.py")} and "::" not in str(request.config.args)
    if is_whole:
        assert hazards.complaints(hazards.bearers_of(found)) == []
        return
    command = [sys.executable, "-m", "tests.hazards", "--check"]
    checked = subprocess.run(command, cwd=root.parent, capture_output=True, text=True, check=False, timeout=300)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_table_reads_back_what_was_rendered(tmp_path, monkeypatch):
    bearers = {
        "L01": {"scan/test_walk.py::test_a", "scan/test_walk.py::test_b"},
        "Q05": {"campaigns/test_c.py::test_c"},
    }
    monkeypatch.setattr(hazards, "TABLE", tmp_path / "hazards.md")
    hazards.TABLE.write_text(hazards.render(bearers, {"scan/test_walk.py::test_a": "passed"}), encoding="utf-8")
    told = hazards.read_table()
    assert told["L01"] == {"scan/test_walk.py::test_a": "passed", "scan/test_walk.py::test_b": "not run"}
    assert {name: set(tests) for name, tests in told.items() if tests} == bearers


def test_a_required_hazard_is_not_borne_by_a_campaign_alone():
    wrong = hazards.complaints({"L26": {"campaigns/test_size.py::test_million"}, "X99": {"core/test_x.py::test_x"}})
    assert "L26 has no test: 1 M files, 200k in one directory" in wrong
    assert "X99 is no hazard, but core/test_x.py::test_x says so" in wrong
