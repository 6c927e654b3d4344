"""Requests to DBFS, a volume, the workspace fail in every way a service was seen to fail: nothing is lost, all heals.

Per commit a sample, drawn the same way each time; the long form with `-m campaign`. What once failed stands in
`tests/seeds/databricks.json`, and is asked again for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import json
import os
from pathlib import Path
import random

import pytest

from tests.fakes.databricks import Limits
from tests.fakes.s3 import FakeS3
from tests.fault.databricks_service import DatabricksService
from tests.fault.databricks_watched import WatchedDatabricks
from tests.fault.points import Point
from tests.fault.stories import STORIES
from tests.fault.storm import ATTEMPTS, LARGE, Stage, sweep

SEEDS = Path(__file__).parents[1] / "seeds" / "databricks.json"
ROOTS = {
    "dbfs": "dbfs:/team/docs",
    "volume": "/Volumes/main/default/landing/docs",
    "workspace": "/Workspace/Shared/docs",
}
NAMES = ("everything", "all over again", "nothing kept", "read back", "adopted")
Staged = Callable[[str, str], Stage]


def small_limits(change: Callable[[str, int], object]) -> None:
    """What is large, and how often is asked, in small numbers."""
    change("reconcile.flow.step.SMALL_BYTES", LARGE)
    change("reconcile.stores.databricks.volume.WHOLE_BYTES", LARGE // 2)
    change("reconcile.stores.databricks.volume.IN_PARTS_BYTES", LARGE)
    change("reconcile.stores.databricks.volume_parts.PART_BYTES", LARGE)
    change("reconcile.stores.databricks.dbfs.BLOCK_BYTES", LARGE)
    change("reconcile.stores.databricks.dbfs_blocks.BLOCK_BYTES", LARGE)
    change("reconcile.stores.patience.ATTEMPTS", ATTEMPTS)


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Staged]:
    """Stories on a workspace that fails as it is told, beside a host that must never be asked anything."""
    small_limits(monkeypatch.setattr)
    opened = []

    def stage(kind: str, name: str) -> Stage:
        server = WatchedDatabricks(ROOTS[kind], limits=Limits(part_bytes=1)).__enter__()
        opened.append(server)
        server.catalog.add("main", "default", "landing")
        monkeypatch.setenv("DATABRICKS_HOST", server.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", server.token)
        return Stage(tmp_path / "world", STORIES[name], DatabricksService(server, trap.endpoint))

    with FakeS3() as trap:
        yield stage
        assert [seen for seen in trap.log if "authorization" in seen.headers] == [], "credentials followed a redirect"
    for server in opened:
        server.stop()


@pytest.mark.hazard("R02", "R03", "R05", "R06", "R07", "R08", "R10", "R11", "R12", "R13", "R15", "R16")
@pytest.mark.hazard("R18", "R20", "R22", "R28", "R31", "R32", "R33")
@pytest.mark.parametrize("kind", ROOTS)
def test_whatever_fails_nothing_is_lost_and_all_of_it_heals(staged: Staged, kind: str) -> None:
    assert sweep(staged(kind, "everything"), 16, random.Random(kind)) >= 6


@pytest.mark.parametrize("seed", json.loads(SEEDS.read_text()), ids=lambda seed: f"{seed['kind']}: {seed['found']}")
def test_what_once_failed_holds(staged: Staged, seed: dict[str, object]) -> None:
    points = [Point(*told) for told in seed["points"]]  # type: ignore[attr-defined]
    assert staged(str(seed["kind"]), str(seed["story"])).run(points) == points


@pytest.mark.campaign
@pytest.mark.parametrize("kind", ROOTS)
@pytest.mark.parametrize("name", NAMES)
def test_every_request_fails_in_every_way(staged: Staged, kind: str, name: str) -> None:
    """Points of a story in ever other company, until its share of `RECONCILE_FAULT_POINTS` is reached."""
    share = int(os.environ.get("RECONCILE_FAULT_POINTS", "30000")) // (len(ROOTS) * len(NAMES))
    stage, lot, reached = staged(kind, name), random.Random(), 0
    while reached < share:
        reached += sweep(stage, min(share - reached, 1_000), lot)
    print(f"{kind}, {name}: {reached} points reached")
