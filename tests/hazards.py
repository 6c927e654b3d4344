"""The hazards and the tests that bear them: `tests/hazards.md` is made from `tests/hazards.yaml` and the marks.

::

    python tests/hazards.py            runs the tests that bear a hazard and writes the table with their results
    python tests/hazards.py --marks    renews only which test bears what, keeping the results that are known
    python tests/hazards.py --check    says what is missing or out of date, and changes nothing (exit 1 if anything is)
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable
import contextlib
from dataclasses import dataclass, field
import io
from pathlib import Path
import re
import sys

import pytest
import yaml

HERE = Path(__file__).parent
TABLE = HERE / "hazards.md"
LIST = HERE / "hazards.yaml"
CAMPAIGNS = "campaigns/"
HEAD = """# Hazards

How tools of this kind have lost people's data, and the tests that show that this one does not. Made by
`python tests/hazards.py` from `hazards.yaml` and the `@pytest.mark.hazard` marks; not edited by hand.
"""
_ROW = re.compile(r"^\| (?P<id>[A-Z]\d\d)\*? \|.*\| (?P<tests>[^|]*) \|$")
_TEST = re.compile(r"`(?P<test>[^`]+)` (?P<result>[a-z][a-z ]*)")


@dataclass(frozen=True)
class Hazard:
    """One scenario; a `required` one must be borne by a test of the default run."""

    id: str
    group: str
    scenario: str
    required: bool


@dataclass
class Marks:
    """A pytest plug-in that notes which test functions bear which hazard, and how they ended."""

    bearers: dict[str, set[str]] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Reads the marks of every collected test."""
        self.bearers = bearers_of(items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keeps the worst result over the cases of one test function."""
        name = _function(report.nodeid)
        worst = ["passed", "skipped", "failed"]
        if report.when == "call" or report.outcome != "passed":
            self.results[name] = max(self.results.get(name, "passed"), report.outcome, key=worst.index)


def bearers_of(items: Iterable[pytest.Item]) -> dict[str, set[str]]:
    """Which of these test functions bear which hazard."""
    bearers: dict[str, set[str]] = defaultdict(set)
    for item in items:
        for mark in item.iter_markers("hazard"):
            for hazard in mark.args:
                bearers[hazard].add(_function(item.nodeid))
    return dict(bearers)


def _function(nodeid: str) -> str:
    return nodeid.removeprefix("tests/").partition("[")[0]


def hazards() -> list[Hazard]:
    """Every hazard, in the order of the list."""
    found = []
    for group in yaml.safe_load(LIST.read_text(encoding="utf-8")):
        required = group.get("required", [])
        for name, scenario in group["hazards"].items():
            must = required is True or (required is not False and name in required)
            found.append(Hazard(name, group["group"], scenario, must))
    return found


def collect() -> dict[str, set[str]]:
    """Which test functions bear which hazard, campaigns included; raises when a test file cannot be collected."""
    marks, said = Marks(), io.StringIO()
    with contextlib.redirect_stdout(said):
        code = pytest.main(["--collect-only", "-n0", "-p", "no:cacheprovider", "-m", "hazard", str(HERE)], [marks])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        wrong = said.getvalue().partition("= ERRORS =")[2] or said.getvalue()
        raise SystemExit(f"the tests could not be collected:\n{wrong}")
    return marks.bearers


def run() -> dict[str, str]:
    """Runs the tests of the default run that bear a hazard; gives the result of each test function."""
    marks = Marks()
    pytest.main(["-m", "hazard and not campaign and not benchmark", str(HERE)], [marks])
    return marks.results


def read_table() -> dict[str, dict[str, str]]:
    """The table as it stands: hazard -> test function -> result."""
    text = TABLE.read_text(encoding="utf-8") if TABLE.exists() else ""
    rows = filter(None, map(_ROW.match, text.splitlines()))
    return {row["id"]: {test["test"]: test["result"] for test in _TEST.finditer(row["tests"])} for row in rows}


def render(bearers: dict[str, set[str]], results: dict[str, str]) -> str:
    """The table as Markdown."""
    lines, group = [HEAD], ""
    for hazard in hazards():
        if hazard.group != group:
            group = hazard.group
            lines += [f"\n## {group}\n", "| ID | scenario | borne by |", "|---|---|---|"]
        tests = [f"`{test}` {results.get(test, 'not run')}" for test in sorted(bearers.get(hazard.id, ()))]
        scenario = hazard.scenario.replace("|", "\\|")
        lines.append(f"| {hazard.id}{'*' * hazard.required} | {scenario} | {'<br>'.join(tests) or '-'} |")
    return "\n".join([*lines, "\n\\* must be borne by a test of the default run.\n"])


def complaints(bearers: dict[str, set[str]]) -> list[str]:
    """What is wrong: unknown IDs, required hazards nobody bears, a table that says otherwise than the marks."""
    known = {hazard.id: hazard for hazard in hazards()}
    wrong = [f"{name} is no hazard, but {min(tests)} says so" for name, tests in bearers.items() if name not in known]
    wrong += [
        f"{name} has no test: {hazard.scenario}"
        for name, hazard in known.items()
        if hazard.required and not any(not test.startswith(CAMPAIGNS) for test in bearers.get(name, ()))
    ]
    told = {name: set(tests) for name, tests in read_table().items()}
    if {name: tests for name, tests in told.items() if tests} != {
        name: bearers[name] for name in bearers if name in known
    }:
        wrong.append("tests/hazards.md is out of date: python tests/hazards.py")
    return wrong


def main() -> int:
    """The three ways to be called."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--marks", action="store_true", help="run nothing")
    way.add_argument("--check", action="store_true", help="write nothing")
    asked = parser.parse_args()
    bearers = collect()
    if asked.check:
        wrong = complaints(bearers)
        print(*wrong, sep="\n", end="\n" if wrong else "")
        return int(bool(wrong))
    results = {test: result for tests in read_table().values() for test, result in tests.items()}
    if not asked.marks:
        results |= run()
    TABLE.write_text(render(bearers, results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
