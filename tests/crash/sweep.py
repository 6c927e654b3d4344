"""Deaths at chosen moments: make a place ready, die, look, die in the recovery, look, recover, look once more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
import mimetypes
import random

from tests.crash import mortal
from tests.crash.stage import Stage

Moments = Sequence[int]

RECOVERY = 90
"""About so many moments a recovery has: later deaths are drawn from these."""


@dataclass
class Sweep(Stage):
    """One scenario at one place, made ready as often as somebody dies there. `died_at` counts the steps of deaths.

    Who dies is a child, and so is whoever asks a network: what that starts would not survive the next fork.
    """

    points: int = 0
    depths: Counter[int] = field(default_factory=Counter)
    died_at: Counter[str] = field(default_factory=Counter)

    def point(self, moments: Moments) -> None:
        """Dies at the first moment of the run, at each other one in the recovery from the death before; all is well.

        It dies at least once: where the run is shorter, as late as it can.
        """
        first, *later = moments
        self.prepare()
        while not self._dies(self.scenario.run, first):
            self.prepare()
            first -= 1
        depth = 1
        for moment in later:
            if not self._dies(self.scenario.again, moment):
                break
            depth += 1
        self.recover()
        self.points += 1
        self.depths[depth] += 1

    def _dies(self, work: Callable[..., object], moment: int) -> bool:
        step = mortal.dies(partial(work, self.world), moment)
        if step:
            self.died_at[step] += 1
            self.check()
        return bool(step)

    def build(self) -> None:
        """What a child would have to load or to make is loaded and made here."""
        super().build()
        if self.place.s3 is not None and mortal.warm(partial(self.scenario.end, self.world)):
            super().build()
            mimetypes.init()
        self.world.spec()

    def do(self, work: Callable[[], object]) -> None:
        """Here, where no network is asked; else in a child."""
        (work if self.place.s3 is None else partial(mortal.lives, work))()

    def told(self, work: Callable[[], object]) -> str:
        """In a child."""
        return mortal.lives(work)

    # --- choosing

    def lots(self, count: int, seed: int) -> list[Moments]:
        """So many points by lot, every second one with three more deaths in the recoveries."""
        self.prepare()
        moments = len(mortal.moments(partial(self.scenario.run, self.world)))
        chance = random.Random(f"{self.scenario.name} {seed}")
        recoveries = [[chance.randrange(RECOVERY) for _ in range(3 * (at % 2))] for at in range(count)]
        return [(chance.randrange(moments), *more) for more in recoveries]
