"""What a notebook needs is said where Python files arrived on a cluster, and nowhere else."""

from __future__ import annotations

import pytest

from reconcile.core.outcome import Outcome, Result
from reconcile.report.text import result_lines

CELLS = [
    "docs: in a notebook, once, as two cells:",
    "  %load_ext autoreload",
    "  %autoreload 2",
    "",
    "  import sys",
    "  sys.path.insert(0, '/dbfs/FileStore/packages/ada/repo/')",
    "",
]
MOUNTS = {"docs": "/dbfs/FileStore/packages/ada/repo"}


def told(mounts, key="a.py", action="create", ending="done"):
    result = Result(run=1, outcomes=[Outcome(1, "docs", action, key, ending)])
    *lines, _summary = result_lines(None, result, mounts=mounts)
    return lines


@pytest.mark.parametrize("action", ["create", "update", "move", "adopt"])
def test_the_cells_are_told_before_the_last_line(action):
    assert told(MOUNTS, action=action) == CELLS


@pytest.mark.parametrize("how", [{"key": "a.csv"}, {"action": "delete"}, {"action": "forget"}])
def test_they_are_not_told_where_nothing_to_import_arrived(how):
    assert told(MOUNTS, **how) == []


def test_they_are_not_told_of_what_failed():
    assert CELLS[0] not in told(MOUNTS, ending="failed")


@pytest.mark.parametrize("mounts", [None, {}, {"docs": ""}, {"other": "/dbfs/x"}])
def test_they_are_not_told_where_there_is_no_cluster(mounts):
    assert told(mounts) == []


def test_each_mapping_has_its_own():
    mounts = {name: f"/Volumes/c/s/v/{name}/" for name in ("docs", "jobs", "quiet")}
    outcomes = [Outcome(n, name, "create", "a.py", "done") for n, name in enumerate(("docs", "jobs"))]
    lines = list(result_lines(None, Result(outcomes=outcomes), mounts=mounts))
    assert [line for line in lines if "insert" in line] == [
        "  sys.path.insert(0, '/Volumes/c/s/v/docs/')",
        "  sys.path.insert(0, '/Volumes/c/s/v/jobs/')",
    ]


def test_a_path_that_would_be_more_is_one_text_of_python():
    (line,) = (line for line in told({"docs": "/dbfs/it's\n\u202e'); rm()"}) if "insert" in line)
    assert eval(line.strip().removeprefix("sys.path.insert(0, ").removesuffix(")")) == "/dbfs/it's\n\u202e'); rm()/"
