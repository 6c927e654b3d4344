"""Death at the steps of `gc`: no data is touched, what must stay stays, and the next `gc` ends what it began."""

from __future__ import annotations

from itertools import count
import os
from pathlib import Path

import pytest

from tests.crash.mortal import dies
from tests.flow.test_collecting import gc, plant, told
from tests.flow.world import World

PARKED = ".reconcile/park/2/only"


def ready(root: Path) -> World:
    """Two kept files, a half-written one, one that is parked, one that nobody else has."""
    world = World(root, options={"keep": "always", "guard": {"max_delete": "off"}})
    world.put(a="first", gone="to be deleted", sub__b="steady")
    world.apply()
    world.put(a="second")
    world.remove("gone")
    world.apply()
    world.write("sub/.reconcile-tmp-00ff", "half a fi", world.out)
    plant(world, ".reconcile/park/2/copied", b"steady")
    plant(world, PARKED, b"the only copy")
    return world


def ours(world: World) -> set[str]:
    """The files of ours that lie in the target, our note of directories apart."""
    found = [Path(at, name).relative_to(world.out).as_posix() for at, _, names in os.walk(world.out) for name in names]
    return {name for name in found if ".reconcile" in name} - {".reconcile/dirs"}


@pytest.mark.hazard("T15", "R31")
def test_a_death_on_the_way_loses_nothing(tmp_path: Path) -> None:
    halfway = 0
    for at in count(0, 2):
        world = ready(tmp_path / str(at))
        before, data = ours(world), world.there()
        if not dies(lambda world=world: gc(world), at):  # type: ignore[misc]
            break
        assert world.there() == data
        assert PARKED in ours(world) <= before
        halfway += {PARKED} < ours(world) < before
        gc(world)
        assert ours(world) == {PARKED}
        world.settled()
    assert ours(world) == {PARKED}
    assert at > 10
    assert halfway >= 3, "some deaths came in the middle"
    assert told(gc(world)) == {}
