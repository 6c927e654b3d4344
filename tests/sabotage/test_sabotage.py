"""The suite is asked whether it would notice: known bugs of such tools are planted, and tests must fail.

At every change ten of them are tried, other ones after every commit; `pytest -m campaign tests/sabotage` tries all.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
import subprocess
import time

import pytest

from tests.sabotage.bugs import ROOT, Bug, known
from tests.sabotage.trying import Scratch

BUGS = known()
AT_ONCE = 10


@pytest.fixture(scope="session")
def scratch() -> Iterator[Scratch]:
    with Scratch() as made:
        yield made


def turn() -> int:
    """A number that each commit (where there is none, each day) changes."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, check=False).stdout
    return int(sha256(head or time.strftime("%F").encode()).hexdigest(), 16)


def test_there_are_enough() -> None:
    assert len(BUGS) >= 60
    assert len({bug.bug for bug in BUGS}) == len(BUGS)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.bug)
def test_a_bug_still_fits(bug: Bug) -> None:
    assert bug.occurrences() == 1, f"`{bug.old}` stands {bug.occurrences()} times in {bug.file}"
    assert bug.new != bug.old
    for named in bug.tests:
        assert (ROOT / named.partition("::")[0]).exists()


@pytest.mark.parametrize("place", range(AT_ONCE))
def test_some_bugs_are_caught(place: int, scratch: Scratch) -> None:
    bug = BUGS[(turn() + place * len(BUGS) // AT_ONCE) % len(BUGS)]
    assert scratch.try_(bug, thorough=False) == "caught", bug.bug


@pytest.mark.campaign
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.bug)
def test_every_bug_is_caught(bug: Bug, scratch: Scratch) -> None:
    assert scratch.try_(bug, thorough=True) == "caught", bug.bug
