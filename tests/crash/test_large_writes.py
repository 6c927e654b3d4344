"""Death in the middle of a write too large for memory: what it had written so far is taken away by the next run."""

from __future__ import annotations

from dataclasses import dataclass
import os

import pytest

from tests.crash.kinds import place
from tests.crash.scenarios import Scenario, big
from tests.crash.stills import Stills
from tests.flow.world import World

WRITES = Scenario("large writes", "create update", {"a": big("a")}, {"a": big("x"), "b": big("b")})


def half_done(world: World) -> list[str]:
    """The temporary files there are."""
    walked = os.walk(world.out)  # but for second names of whole files among the kept ones: those are for `gc`
    return [
        f"{at}/{name}"
        for at, _, names in walked
        for name in names
        if name.startswith(".reconcile-tmp-") and "undo" not in at
    ]


@dataclass
class Writing(Stills):
    """`left` is how many files were left half."""

    left: int = 0

    def check(self) -> None:
        super().check()
        self.left += len(half_done(self.world))

    def check_end(self) -> None:
        super().check_end()
        assert half_done(self.world) == []


@pytest.mark.hazard("T15")
def test_the_next_run_takes_away_what_a_dead_one_had_written() -> None:
    with place("local") as where:
        writing = Writing(WRITES, where)
        writing.judge(writing.spread(72))
        assert writing.depths[1] >= 72
        assert writing.left >= 2, "some deaths left half a file"
