"""Death at the steps of `gc`: no data is touched, what must stay stays, and the next `gc` ends what it began."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
import os
from pathlib import Path

import pytest

from tests.crash.kinds import place
from tests.crash.mortal import dies
from tests.crash.scenarios import Scenario
from tests.crash.stills import Stills
from tests.flow.test_collecting import gc, plant, told
from tests.flow.world import World

PARKED = ".reconcile/park/2/only"


def leave_much(world: World) -> None:
    """Two kept files, a half-written one, one that is parked, one that nobody else has."""
    world.apply()
    world.write("sub/.reconcile-tmp-00ff", "half a fi", world.out)
    plant(world, ".reconcile/park/2/copied", b"steady")
    plant(world, PARKED, b"the only copy")


def ours(world: World) -> set[str]:
    """The files of ours that lie in the target, our note of directories apart."""
    found = [Path(at, name).relative_to(world.out).as_posix() for at, _, names in os.walk(world.out) for name in names]
    return {name for name in found if ".reconcile" in name} - {".reconcile/dirs"}


def collected(world: World) -> None:
    gc(world)
    assert ours(world) == {PARKED}
    world.settled()


GC = Scenario(
    "gc", "", {"a": "first", "gone": "to be deleted", "sub/b": "steady"}, {"a": "second", "sub/b": "steady"},
    options={"keep": "always"}, arrange=leave_much, run=gc, end=collected,
)  # fmt: skip


@dataclass
class Collecting(Stills):
    """`halfway` counts the pictures in which some of it is gone."""

    halfway: int = 0

    def prepare(self) -> None:
        super().prepare()
        self.at_first, self.data = ours(self.world), self.world.there()

    def check(self) -> None:
        super().check()
        assert self.world.there() == self.data
        assert PARKED in ours(self.world) <= self.at_first
        self.halfway += {PARKED} < ours(self.world) < self.at_first


@pytest.mark.hazard("T15", "R31")
def test_a_death_on_the_way_loses_nothing() -> None:
    with place("local") as where:
        collecting = Collecting(GC, where)
        moments = collecting.spread(1_000)
        collecting.judge(moments)
        assert collecting.points == len(moments) > 20
        assert collecting.halfway >= 3, "some deaths came in the middle"


@pytest.mark.hazard("T15", "R31")
def test_a_real_death_on_the_way() -> None:
    with place("local") as where:
        stage = Collecting(GC, where)
        middle = len(stage.steps()) // 2
        stage.prepare()
        assert dies(partial(gc, stage.world), middle)
        stage.check()
        collected(stage.world)
        assert told(gc(stage.world)) == {}
