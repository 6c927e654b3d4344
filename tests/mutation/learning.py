"""One session of pytest that collects all the tests, learns which comes through which line, and then tries mutants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
import os
from pathlib import Path
import tempfile

from msgspec import json
import pytest

from tests.mutation.mutants import Mutant
from tests.mutation.trying import PYTEST

MOST = 300
"""So many tests are asked about one change in a function."""


@dataclass
class Known:
    """By file and line, the tests that come through it, the quickest first; line 0: what runs when it is loaded."""

    tests: int = 0
    through: dict[str, dict[int, list[str]]] = field(default_factory=dict)

    def of(self, mutant: Mutant) -> list[str]:
        """The tests that come through a mutant; of what runs when its module is loaded, all there are."""
        lines = self.through.get(mutant.file, {})
        first, last = mutant.lines
        found = {test: None for line in range(first, last + 1) for test in lines.get(line, ())}
        return list(found)[:MOST] if mutant.function else self.all_of(mutant)

    def all_of(self, mutant: Mutant) -> list[str]:
        """All tests there are."""
        return self.through.get(mutant.file, {}).get(0, [])


def collected(tests: Sequence[str], root: Path, work: Callable[[Sequence[pytest.Item]], int]) -> int:
    """The exit code of a process that collects the tests and does `work` with them instead of running them."""
    child = os.fork()
    if child == 0:
        with tempfile.TemporaryDirectory(prefix="mutation-") as place:
            words = [*PYTEST, f"--basetemp={place}/t", f"--rootdir={root}", *tests]
            os._exit(int(pytest.main(words, plugins=[_Instead(work)])))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


class _Instead:
    """Does something else with the tests that were collected."""

    def __init__(self, work: Callable[[Sequence[pytest.Item]], int]) -> None:
        self._work = work

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            pytest.exit("not all could be collected", 2)
        code = self._work(session.items)
        if code:
            pytest.exit("the tests fail without any mutant", code)
        return True


def learn(tests: Sequence[pytest.Item], files: Sequence[str], root: Path) -> Known | None:
    """What a run of all tests, in a child, tells of each; None where one fails."""
    with tempfile.TemporaryDirectory() as place:
        told = Path(place, "known.json")
        child = os.fork()
        if child == 0:
            os._exit(_learn(tests, files, root, told))
        os.waitpid(child, 0)
        return json.decode(told.read_bytes(), type=Known) if told.exists() else None


def _learn(tests: Sequence[pytest.Item], files: Sequence[str], root: Path, told: Path) -> int:
    import coverage

    measured = coverage.Coverage(data_file=None, include=[str(root / file) for file in files], config_file=False)
    took = _Took()
    tests[0].config.pluginmanager.register(took)
    measured.start()
    for test in tests:
        measured.switch_context(test.nodeid)
        test.config.hook.pytest_runtest_protocol(item=test, nextitem=None)
        if test.session.testsfailed:
            print(f"{test.nodeid} fails without any mutant", flush=True)
            return 1
    measured.stop()
    data = measured.get_data()
    known = Known(len(tests))
    for file in files:
        lines = {
            line: sorted(filter(None, names), key=took.seconds.__getitem__)
            for line, names in data.contexts_by_lineno(str(root / file)).items()
        }
        known.through[file] = {**lines, 0: sorted(took.seconds, key=took.seconds.__getitem__)}
    told.write_bytes(json.encode(known))
    return 0


class _Took:
    """How long each test took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
