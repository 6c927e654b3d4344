"""Every request of every operation of a store in S3 fails in every way there is, once and for ever.

Each name holds its whole old or its whole new content, whatever failed is told, and what is not told has not failed.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.s3 import FakeS3
from tests.fault.operations import OPERATIONS, Bench
from tests.fault.stories import small_limits
from tests.fault.watched import WatchedS3


@pytest.fixture
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    small_limits(monkeypatch.setattr)
    with WatchedS3() as server, FakeS3() as trap:
        made = Bench(OPERATIONS[request.param], server, trap.endpoint)
        yield made
        made.close()
        assert trap.log == [], "credentials followed a redirect"


@pytest.mark.hazard("R07", "R08", "R10", "R11", "R12", "R13", "R15", "R17", "R18", "R20", "R22", "R28", "S11", "S16")
@pytest.mark.parametrize("bench", OPERATIONS, indirect=True)
def test_whatever_fails_in_an_operation(bench: Bench) -> None:
    points = list(bench.points())
    assert sum(map(bench.run, points)) >= 0.9 * len(points)
