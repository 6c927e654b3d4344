"""Mutation testing: does a test mind, whatever small change is made? ::

    python -m tests.mutation reconcile/core --tests tests/core tests/planner
    python -m tests.mutation reconcile/state --tests tests/state --jobs 2 --out /tmp/state.jsonl

First all the tests are run once, to learn which of them comes through which line; then each mutant meets those that
come through its own, the quickest first. With `--out` a run that was ended goes on where it was.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
import os
from pathlib import Path
import random
import sys
import tempfile
import time

from msgspec import json
import pytest

from tests.mutation.learning import Known, collected, learn
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.trying import Verdict, forked, loaded

ROOT = Path(__file__).parents[2]


def main(words: Sequence[str] | None = None) -> int:
    asked = _asked(words)
    files = sorted(path.relative_to(ROOT).as_posix() for name in asked.places for path in _modules(ROOT / name))
    mutants = [mutant for file in files for mutant in mutants_of(file, ROOT)]
    out = Path(asked.out or tempfile.mkstemp(prefix="mutation-")[1])
    todo = [mutant for mutant in mutants if mutant.name not in _read(out)]
    random.Random(0).shuffle(todo)
    print(f"{len(mutants):,} mutants of {len(files)} modules, {len(todo):,} to try", flush=True)
    with tempfile.TemporaryDirectory() as place:
        trial = Trial(out, asked.pause, asked.jobs, Path(place, "known.json"))
        inside = [mutant for mutant in todo if mutant.function]
        if collected(asked.tests, ROOT, lambda tests: trial.here(tests, files, inside)):
            return 2
        trial.elsewhere(todo)
    return _report(mutants, _read(out))


@dataclass
class Trial:
    """What is found goes to `out`; `known`, what is known of the tests, is handed from one process to the next."""

    out: Path
    pause: str
    jobs: int
    known: Path

    def here(self, tests: Sequence[pytest.Item], files: Sequence[str], mutants: Sequence[Mutant]) -> int:
        """Tries what can be changed in a process that has loaded everything."""
        known = learn(tests, files, ROOT)
        if known is None:
            return 1
        self.known.write_bytes(json.encode(known))
        by_name = {test.nodeid: test for test in tests}
        run = [mutant for mutant in mutants if known.of(mutant)]
        self._each(run, lambda one: forked(one, [by_name[name] for name in known.of(one)], ROOT))
        return 0

    def elsewhere(self, mutants: Sequence[Mutant]) -> None:
        """Tries what must be loaded anew: what runs then, and functions that only then were called."""
        known = json.decode(self.known.read_bytes(), type=Known)
        left = [mutant for mutant in mutants if not (mutant.function and known.of(mutant))]
        self._each(left, lambda one: loaded(one, known.all_of(one), ROOT))

    def _each(self, mutants: Sequence[Mutant], try_: Callable[[Mutant], Verdict]) -> None:
        """Side by side; each is written down as soon as it is known."""
        children = []
        for job in range(self.jobs):
            child = os.fork()
            if child:
                children.append(child)
                continue
            for mutant in mutants[job :: self.jobs]:
                self._wait()
                verdict = try_(mutant)
                with self.out.open("ab") as file:
                    file.write(json.encode((mutant.name, verdict)) + b"\n")
            os._exit(0)
        for child in children:
            os.waitpid(child, 0)

    def _wait(self) -> None:
        while self.pause and Path(self.pause).exists():
            time.sleep(1)


def _asked(words: Sequence[str] | None) -> argparse.Namespace:
    asked = argparse.ArgumentParser(prog="python -m tests.mutation")
    asked.add_argument("places", nargs="+", help="modules, or packages, below the root of the checkout")
    asked.add_argument("--tests", nargs="+", default=["tests/core"], help="what is asked, as pytest takes it")
    asked.add_argument("--jobs", type=int, default=1, help="mutants side by side")
    asked.add_argument("--out", default="", help="keeps what was found, a line each, and goes on from there")
    asked.add_argument("--pause", default="", help="waits while this file exists")
    return asked.parse_args(words)


def _modules(place: Path) -> Iterable[Path]:
    return [place] if place.is_file() else place.rglob("*.py")


def _read(out: Path) -> dict[str, Verdict]:
    lines = out.read_bytes().splitlines() if out.exists() else ()
    return dict(json.decode(line, type=tuple[str, Verdict]) for line in lines)


def _report(mutants: Sequence[Mutant], verdicts: dict[str, Verdict]) -> int:
    """What survived, then the counts; 1 when anything did."""
    tried = [(mutant, verdicts[mutant.name]) for mutant in mutants if mutant.name in verdicts]
    for mutant, verdict in tried:
        if verdict != "killed":
            print(f"{verdict}: {mutant.name}")
    for file in dict.fromkeys(mutant.file for mutant, _ in tried):
        print(f"{file}: {_counted(verdict for mutant, verdict in tried if mutant.file == file)}")
    print(f"all: {_counted(verdict for _, verdict in tried)}")
    return int(any(verdict != "killed" for _, verdict in tried))


def _counted(verdicts: Iterable[Verdict]) -> str:
    counts = Counter(verdicts)
    killed, total = counts["killed"], counts.total()
    left = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if verdict != "killed")
    return f"{killed:,} of {total:,} killed ({killed / total:.1%})" + (f"; {left}" if left else "")


if __name__ == "__main__":
    sys.exit(main())
