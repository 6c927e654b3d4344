"""100,000 deaths and more: every moment of every scenario at every kind of place, then three more in its recoveries.

`RECONCILE_POINTS` says how many points (100,000), `RECONCILE_SEED` which. One takes about 50 ms of a core on a local
target, 150 ms in S3, and needs memory only. Every case prints what it took (`-rP` shows it); a point that fails goes to
`tests/seeds/kill.jsonl`, where the default run takes it for ever.
"""

from __future__ import annotations

import os

import pytest

from tests.crash.conftest import room
from tests.crash.kinds import KINDS, of_kind
from tests.crash.room import Room
from tests.crash.scenarios import Scenario
from tests.crash.seeds import keep

__all__ = ["room"]

POINTS = int(os.environ.get("RECONCILE_POINTS", "100000"))
SEED = int(os.environ.get("RECONCILE_SEED", "0"))
SHARES = {"local": 0.8, "s3": 0.1, "shared": 0.05, "shared-s3": 0.05}
CASES = [pytest.param(kind, one, id=f"{kind}-{one.name}") for kind in KINDS for one in of_kind(kind)]


@pytest.mark.campaign
@pytest.mark.hazard("T15", "T16")
@pytest.mark.parametrize(("kind", "scenario"), CASES)
def test_death_at_every_step(room: Room, kind: str, scenario: Scenario) -> None:
    count = -(-int(POINTS * SHARES[kind]) // len(of_kind(kind)))
    single = count // 2
    told = room.ask(kind=kind, scenario=scenario.name, single=single, nested=count - single, seed=SEED)
    print(told["points"], "points,", sum(told["died_at"].values()), "deaths; so many times each:", told["depths"])
    for failed in told["failed"]:
        keep(failed["seed"])
    assert told["failed"] == []
    assert told["points"] == count
