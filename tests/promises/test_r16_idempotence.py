"""R16: what is done is done. A second apply has no actions, makes no mutating call and reads no content."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
import time
from typing import Any
import uuid

import pytest

from reconcile import ports
from reconcile.core.fingerprint import GRANULE_NS
from reconcile.flow.wired import House
from tests.flow.small_trees import make
from tests.flow.test_faults import AFTER, BEFORE
from tests.flow.watchers import Counting, mutations
from tests.flow.world import World

LOOKS = {"list", "foresee"}


class Reading:
    """A source reader that tells what is asked of it."""

    def __init__(self, inner: Any, calls: list[str]) -> None:
        self._inner, self._calls = inner, calls

    def __getattr__(self, name: str) -> Any:
        self._calls.append(name)
        return getattr(self._inner, name)


class Watched(World):
    """A world whose source tells when it is read."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.reads: list[str] = []

    def house(self, **how: Any) -> House:
        house = super().house(**how)
        house.mappings = [replace(wired, reader=Reading(wired.reader, self.reads)) for wired in house.mappings]
        return house


@pytest.mark.hazard("P12")
@pytest.mark.parametrize("kind", ["local", "memory"])
def test_a_second_apply_does_nothing(tmp_path: Path, kind: str) -> None:
    """After a run that did everything there is."""
    url = "" if kind == "local" else f"memory://{uuid.uuid4().hex}"
    world = Watched(tmp_path, url, {"guard": {"max_delete": "off"}})
    for tree in (BEFORE, AFTER):
        make(world.src, tree)
        time.sleep(2 * GRANULE_NS / 10**9)  # what is younger is read again, and should be
        assert world.apply().exit_code == 0
    assert world.reads, "the first runs read"
    calls: list[tuple[str, str]] = []
    steps: list[str] = []
    world.around = lambda store: Counting(store, calls)
    world.reads = []
    ports.HOOKS.append(hear := lambda step, _told, done: steps.append(step) if done else None)
    try:
        again = world.apply()
    finally:
        ports.HOOKS.remove(hear)
    assert again.exit_code == 0
    assert again.outcomes == []
    assert again.skip_count == len(AFTER)
    assert mutations(calls) == []
    assert world.reads == [], "no content of the source"
    assert {verb for verb, _ in calls} <= LOOKS, "nor of the target"
    assert [step for step in steps if step.startswith("disk.")] == []


def test_records_are_not_written_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(a="1", b="2")
    world.settled()

    def serial() -> tuple[int, int]:
        with world.house(write=False) as house:
            return house.state.serial(house.mappings[0].scope.id), len(house.state.runs())

    before = serial()
    world.settled()
    assert serial() == before
