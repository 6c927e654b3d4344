"""The mutants themselves: what is changed, what is left alone, and that a changed module is what runs."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys

import pytest

from tests.mutation.learning import Known
from tests.mutation.mutants import Mutant, mutants_of, mutated

ROOT = Path(__file__).parents[2]
MODULE = '''
"""Words for people."""
from typing import TYPE_CHECKING, Protocol, TypeVar
T = TypeVar("T")
MOST: "int" = 3

class Port(Protocol):
    def ask(self, more=1): ...

def least(numbers, most=MOST):
    """The least."""
    assert numbers
    found = []
    for number in numbers:
        if number < most and not found:
            found.append(number + 1)
            continue
        if found:
            raise ValueError(f"no {number + 1}")
    return found
'''
TOLD = [
    "3 → 4",
    "number < most and (not found) → number < most or (not found)",
    "number < most and (not found) → not (number < most and (not found))",
    "number < most → number <= most",
    "not found → found",
    "found.append(number + 1) → pass",
    "number + 1 → number - 1",
    "1 → 2",
    "continue → break",
    "found → not found",
    "raise ValueError(f'no {number + 1}') → pass",
    "return found → return None",
]


def bare(told: str) -> str:
    """Without parentheses: where they are needed, versions of Python do not agree."""
    return told.replace("(", "").replace(")", "")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "m.py").write_text(MODULE)
    return tmp_path


def test_each_small_change_of_a_meaning_is_a_mutant_and_words_are_none(root: Path) -> None:
    mutants = mutants_of("m.py", root)
    assert sorted(map(bare, (mutant.told for mutant in mutants))) == sorted(map(bare, TOLD))
    assert {mutant.function for mutant in mutants} == {"", "least"}
    assert len({mutant.name for mutant in mutants}) == len(TOLD)
    assert all(first <= mutant.line <= last for mutant in mutants for first, last in [mutant.lines])


def test_one_change_is_made_and_no_other(root: Path) -> None:
    by_told = {mutant.told: mutant for mutant in mutants_of("m.py", root)}

    def least(told: str, numbers: list[int]) -> object:
        place: dict[str, object] = {}
        exec(mutated("m.py", by_told[told].number, root), place)
        return place["least"](numbers)  # type: ignore[operator]

    assert least("3 → 4", [3]) == [4]
    assert least("number < most → number <= most", [3]) == [4]
    assert least("number + 1 → number - 1", [1]) == [0]
    assert least("return found → return None", [1]) is None
    assert least("continue → break", [1, 2]) == [2]
    assert least("raise ValueError(f'no {number + 1}') → pass", [1, 2]) == [2]


def test_a_mutant_is_shown_to_the_tests_that_come_through_it() -> None:
    known = Known(3, {"m.py": {0: ["quick", "slow", "other"], 4: ["quick", "slow"], 5: ["slow"]}})
    assert known.of(Mutant("m.py", 0, (4, 5), 4, "", "f")) == ["quick", "slow"]
    assert known.of(Mutant("m.py", 0, (4, 5), 4, "")) == ["quick", "slow", "other"]
    assert known.of(Mutant("m.py", 0, (9, 9), 9, "", "f")) == []
    assert known.of(Mutant("n.py", 0, (9, 9), 9, "")) == []


@pytest.mark.campaign
def test_the_whole_on_one_module(tmp_path: Path) -> None:
    """A minute: mutants of one module, of which most must be noticed."""
    words = ["reconcile/core/guard.py", "--tests", "tests/core/test_guard.py", "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutation", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "killed (" in done.stdout.splitlines()[-1], done.stdout + done.stderr
    assert (tmp_path / "out").read_text().count('"killed"') > 30
