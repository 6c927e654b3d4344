"""The decision table, one decision a file: `cases/*.yaml`.

Each says what the source, the record and the target hold (`cells.py` has the words; a mapping gives details), the
policies where they are not the defaults, and the answer: `ACTION REASON`, `conflict REASON`, `problem REASON` or `-`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconcile.core.decide import TABLE, Source, Target
from reconcile.core.policy import Policy
from tests.core.cells import CONTENTS, Cell, answer

HERE = Path(__file__).parent
CASES = sorted((HERE / "cases").glob("*.yaml"))
FIELDS = {"says", "source", "record", "target", "cell", "policy", "answer", "drift", "overwrites_foreign"}


def load(file: Path) -> dict[str, Any]:
    case = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert set(case) <= FIELDS, f"{file.name}: what is {set(case) - FIELDS}?"
    return case


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_case(file: Path) -> None:
    case = load(file)
    sides = {side: case.get(side, "absent") for side in ("source", "record", "target")}
    cell = Cell(**sides, **case.get("cell", {}))
    decision = cell.decide(Policy(**case.get("policy", {})))
    assert answer(decision) == case["answer"], case["says"]
    if decision is not None:
        assert decision.drift == case.get("drift", False)
        assert decision.overwrites_foreign == case.get("overwrites_foreign", False)
        assert decision.problem or decision.expect == (cell.target_version() if cell.target in CONTENTS else "")


def test_every_case_says_something_of_its_own() -> None:
    cases = [load(file) for file in CASES]
    told = [{name: value for name, value in case.items() if name != "says"} for case in cases]
    twins = [case["says"] for case, one in zip(cases, told, strict=True) if told.count(one) > 1]
    assert twins == []
    assert len({case["says"] for case in cases}) == len(cases)


@pytest.mark.parametrize("unknown", ["source", "target"])
def test_the_table_says_nothing_of_what_is_unknown(unknown: str) -> None:
    sides = {"source": Source.UNKNOWN, "target": Target.UNKNOWN}
    assert [key for key in TABLE if sides[unknown] in key] == []
