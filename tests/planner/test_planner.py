"""The planner and the engine against a model: every small world there is, and many larger ones.

A case is one world under one policy on one kind of store: planned, applied under watch, planned again, and where
something could not be read, healed and applied again (`trial.py`). The model (`model.py`) knows nothing of the program.
The campaign `planner` takes 5,002,480 of them (`tests/campaigns/pieces.py`).
"""

from __future__ import annotations

import pytest

from tests.planner.little import one_thread
from tests.planner.seeds import Case, kept, random_case
from tests.planner.worlds import Tree, operations, reachable, trees

NAMES, CONTENTS = ("a", "a/b", "b"), (b"", b"1")
TREES = list(trees(NAMES, CONTENTS))
WORLDS = {"": 736, "a": 997, "a/b": 997, "b": 1_436, "a b": 1_959, "a/b b": 1_959}
"""What up to three operations make of a tree of these names and one of the contents: 23,268 in all."""

SLICES = 4
RANDOM = 3_600


@pytest.fixture(autouse=True)
def alone():
    with one_thread():
        yield


@pytest.mark.parametrize("case", list(kept()), ids=Case.line)
def test_what_failed_once(case: Case) -> None:
    case.run()


@pytest.mark.hazard("P01")
@pytest.mark.hazard("P02")
@pytest.mark.hazard("P03")
@pytest.mark.hazard("P05")
@pytest.mark.hazard("P06")
@pytest.mark.hazard("P07")
@pytest.mark.hazard("P12")
@pytest.mark.parametrize("tree", TREES, ids=lambda tree: ",".join(f"{k}={v.decode()}" for k, v in tree.items()) or "-")
def test_every_world_of_three_names_and_three_operations(tree: Tree) -> None:
    """On files and on objects; every eighth is planned twice."""
    ran = 0
    for number, story in enumerate(reachable(tree, 3, operations(NAMES, CONTENTS)), 1):
        Case(story, {}, tree=False).run(twice=number % 8 == 0)
        Case(story, {}, tree=True).run()
        ran = number
    assert ran == WORLDS[" ".join(tree)]


@pytest.mark.parametrize("part", range(SLICES))
def test_larger_worlds_under_every_policy(part: int) -> None:
    for seed in range(part, RANDOM, SLICES):
        random_case(seed).run(twice=seed % 8 == 0)
