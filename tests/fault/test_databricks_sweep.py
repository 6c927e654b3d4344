"""Every request of an apply on Databricks fails in some way: nothing is lost, and the next run makes it good.

Per commit a sample, drawn the same way each time; `-m campaign` for every request in every way.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
from pathlib import Path
import random
import shutil
from typing import Any

import pytest

from reconcile.core.errors import ReconcileError
from tests.fakes.databricks import Emulator
from tests.fakes.databricks import faults as broken
from tests.fault.stories import AFTER, BEFORE
from tests.flow.small_trees import make
from tests.flow.world import World
from tests.stores.fakes import OwnClock

PLACES = {
    "dbfs": "dbfs:/sweep/team",
    "volume": "/Volumes/main/default/sweep/team",
    "workspace": "/Workspace/Shared/sweep/team",
}
ACTS = {
    "lost before": broken.lose_before,
    "lost after": broken.lose_after,
    "failed after": broken.fail_after,
    "busy": lambda: broken.busy(503),
    "no JSON": broken.html,
}
ONCE, FOR_LONG = 1, 12
"""So many requests in a row fail: what is tried again comes through, or patience ends."""

LARGE = 100


class Stage:
    """An apply of everything there is to do, in one place of one workspace."""

    def __init__(self, root: Path, place: str) -> None:
        self._root, self._place = root, PLACES[place]

    def requests(self) -> int:
        """How many requests there are when nothing fails."""
        with Emulator() as emulator:
            world = self._before(emulator)
            emulator.log.clear()
            assert world.apply().exit_code == 0
            return len(emulator.log)

    def run(self, nth: int, act: str, times: int) -> bool:
        """Fails the `nth` request; whether it was reached."""
        with Emulator() as emulator:
            world = self._before(emulator)
            fault = emulator.faults.add(ACTS[act](), path="/api/2|/presigned", nth=nth, times=times)
            with contextlib.suppress(ReconcileError):
                world.apply()
            self._is_old_or_new(emulator)
            emulator.faults.heal()
            world.apply()
            world.settled()
            assert world.there() == world.here()
            assert [path for path in emulator.paths(self._place) if ".reconcile-tmp-" in path] == []
            unheard = [seen for seen in emulator.log if seen.fault and seen.query.get("action") == "initiate-upload"]
            assert len(emulator.uploads.sessions) <= len(unheard), "an upload was left that had a name"
            return fault.fired > 0

    def _before(self, emulator: Emulator) -> World:
        shutil.rmtree(self._root, ignore_errors=True)
        emulator.limits.part_bytes = 1
        emulator.catalog.add("main", "default", "sweep")
        store = {"url": self._place, "host": emulator.url, "token": emulator.token}
        world = _World(self._root, "dbx:", {"guard": {"max_delete": "off"}}, clock=OwnClock())
        world.stores = {"dbx": store}
        make(world.src, BEFORE)
        world.settled()
        shutil.rmtree(world.src)
        make(world.src, AFTER)
        return world

    def _is_old_or_new(self, emulator: Emulator) -> None:
        """Whatever failed: what has a name there is whole, and nothing but what was or shall be."""
        assert f"{self._place}/same" in emulator.paths(self._place)
        contents = {text.encode() for text in (*BEFORE.values(), *AFTER.values())}
        strange = {
            path: data
            for path, data in emulator.tree(self._place).items()
            if ".reconcile" not in path and data not in contents
        }
        assert strange == {}


class _World(World):
    """A world with connections."""

    stores: dict[str, Any]

    def house(self, *, write: bool, reach: Any = None) -> Any:
        from reconcile.flow.wire import Reach, wire
        from reconcile.spec.load import build

        document = {
            "state": self.state,
            "stores": self.stores,
            "mappings": {self.mapping: {"source": str(self.src), "target": self.target, **self.options}},
        }
        return wire(build(document, root=self.root), write=write, clock=self.clock, reach=reach or Reach())


@pytest.fixture(params=PLACES)
def stage(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr("reconcile.flow.step.SMALL_BYTES", LARGE)
    monkeypatch.setattr("reconcile.stores.volume.WHOLE_BYTES", LARGE)
    monkeypatch.setattr("reconcile.stores.volume.IN_PARTS_BYTES", LARGE + 50)
    monkeypatch.setattr("reconcile.stores.volume_parts.PART_BYTES", LARGE)
    monkeypatch.setattr("reconcile.stores.dbfs.BLOCK_BYTES", LARGE)
    monkeypatch.setattr("reconcile.stores.dbfs_blocks.BLOCK_BYTES", LARGE)
    return Stage(tmp_path / "world", request.param)


@pytest.mark.hazard("R13", "R17", "R31", "R33")
def test_whatever_fails_nothing_is_lost_and_all_of_it_heals(stage: Stage, request) -> None:
    lot = random.Random(request.node.name)
    last = stage.requests()
    for nth in sorted(lot.sample(range(1, last + 1), 6)):
        act, times = lot.choice([*ACTS]), lot.choice([ONCE, FOR_LONG])
        try:
            stage.run(nth, act, times)
        except AssertionError as error:
            raise AssertionError(f"request {nth} of {last}, {act}, {times} times: {error}") from error


@pytest.mark.campaign
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("times", [ONCE, FOR_LONG])
def test_every_request_fails_in_every_way(stage: Stage, act: str, times: int) -> None:
    wrong = []
    for nth in range(1, stage.requests() + 1):
        try:
            stage.run(nth, act, times)
        except AssertionError as error:
            wrong.append(f"request {nth}: {error!r}"[:300])
    assert wrong == []
