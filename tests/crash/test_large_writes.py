"""Death in the middle of a write too large for memory: what it had written so far is taken away by the next run."""

from __future__ import annotations

from itertools import count
import os
from pathlib import Path

import pytest

from tests.crash.mortal import dies
from tests.flow.world import World


def half_done(world: World) -> list[str]:
    """The temporary files there are."""
    walked = os.walk(world.out)  # but for second names of whole files among the kept ones: those are for `gc`
    return [
        f"{at}/{name}"
        for at, _, names in walked
        for name in names
        if name.startswith(".reconcile-tmp-") and "undo" not in at
    ]


@pytest.mark.hazard("T15")
def test_the_next_run_takes_away_what_a_dead_one_had_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconcile.flow.step.SMALL_BYTES", 10)
    left = 0
    for at in count(0, 3):
        world = World(tmp_path / str(at))
        world.put(a="steady")
        world.apply()
        world.put(a="more than ten bytes", b="also more than ten")
        if not dies(world.apply, at):
            break
        left += len(half_done(world))
        world.settled()
        assert half_done(world) == []
    assert left >= 2, "some deaths left half a file"
