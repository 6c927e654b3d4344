"""The planner and the engine against a model: every small world there is, and many larger ones.

A case is one world under one policy on one kind of store: planned, applied under watch, planned again, and where
something could not be read, healed and applied again (`trial.py`). The model (`model.py`) knows nothing of the program.
The campaign is `pytest -m campaign tests/planner`: 5,002,480 cases, the random ones from `RECONCILE_PLANNER_SEED` on.
"""

from __future__ import annotations

from itertools import islice
import os

import pytest

from tests.planner.little import one_thread
from tests.planner.seeds import POLICIES, Case, kept, random_case
from tests.planner.worlds import everything

NAMES, CONTENTS = ("a", "a/b", "b"), (b"", b"1")
WORLDS = 23_268
"""What three names and two contents make of up to three operations."""

WIDE_NAMES = ("a", "a/b", "b", "c")
WIDE_WORLDS = 227_624
"""The same of four names, of which three stand in the tree it begins with."""

SLICES = 4
RANDOM = 3_600
PARTS = 32
CAMPAIGN_RANDOM = 450_000
SEED = int(os.environ.get("RECONCILE_PLANNER_SEED", "1000000"))


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
@pytest.mark.parametrize("part", range(SLICES))
def test_every_world_of_three_names_and_three_operations(part: int) -> None:
    """On files and on objects; every eighth is planned twice."""
    ran = 0
    for number, story in enumerate(everything(NAMES, CONTENTS, paths=3, steps=3)):
        if number % SLICES == part:
            Case(story, {}, tree=False).run(twice=number % 8 == 0)
            Case(story, {}, tree=True).run()
            ran += 2
    assert ran == 2 * WORLDS // SLICES


@pytest.mark.parametrize("part", range(SLICES))
def test_larger_worlds_under_every_policy(part: int) -> None:
    for seed in range(part, RANDOM, SLICES):
        random_case(seed).run(twice=seed % 8 == 0)


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(PARTS))
def test_every_world_of_four_names_under_every_policy(part: int) -> None:
    """4,552,480 cases."""
    stories = everything(WIDE_NAMES, CONTENTS, paths=3, steps=3)
    ran = 0
    for story in islice(stories, part, None, PARTS):
        for policy in POLICIES:
            Case(story, policy, tree=False).run()
            Case(story, policy, tree=True).run()
            ran += 2
    assert ran == 2 * len(POLICIES) * len(range(part, WIDE_WORLDS, PARTS))


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(PARTS))
def test_many_larger_worlds(part: int) -> None:
    """450,000 cases."""
    for seed in range(part, CAMPAIGN_RANDOM, PARTS):
        random_case(SEED + seed).run()
