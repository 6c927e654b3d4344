"""Every request of an apply and of a recovery fails in every way there is: nothing is lost, and all of it heals.

Per commit a sample, drawn the same way each time; the campaign `http` takes all.
What once failed stands in `tests/seeds/http.json`, and is asked again for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import json
from pathlib import Path
import random

import pytest

from tests.fakes.s3 import FakeS3
from tests.fault.points import Point
from tests.fault.s3_service import S3Service
from tests.fault.stories import STORIES, small_limits
from tests.fault.storm import Stage, sweep
from tests.fault.watched import WatchedS3

SEEDS = Path(__file__).parents[1] / "seeds" / "http.json"

Staged = Callable[[str], Stage]


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Staged]:
    """Stories on a server that fails as it is told, beside one that must never be asked anything."""
    small_limits(monkeypatch.setattr)
    with WatchedS3() as server, FakeS3() as trap:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        yield lambda name: Stage(tmp_path / "world", STORIES[name], S3Service(server, trap.endpoint))
        assert trap.log == [], "credentials followed a redirect"


@pytest.mark.hazard("R07", "R08", "R10", "R11", "R12", "R13", "R15", "R17", "R18", "R20")
@pytest.mark.hazard("R22", "R28", "R31", "R32", "O02", "S11", "S16")
@pytest.mark.parametrize("name", STORIES)
def test_whatever_fails_nothing_is_lost_and_all_of_it_heals(staged: Staged, name: str) -> None:
    assert sweep(staged(name), 50, random.Random(name)) >= 25


@pytest.mark.parametrize("seed", json.loads(SEEDS.read_text()), ids=lambda seed: f"{seed['story']}: {seed['found']}")
def test_what_once_failed_holds(staged: Staged, seed: dict[str, object]) -> None:
    points = [Point(*told) for told in seed["points"]]  # type: ignore[attr-defined]
    assert staged(str(seed["story"])).run(points) == points
