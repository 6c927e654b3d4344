"""What a run leaves at each of its moments, taken while it lives, and made good: thousands of deaths for one run.

Whoever dies leaves what stands on the disk and in other processes, and nothing else. So a picture of these, taken at a
moment, is what a death there leaves; moments that leave the same are one. That a `SIGKILL` does leave just this is
tried beside it, by `sweep.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
import random
from threading import Lock
from typing import Any

import pytest

from reconcile.ports import HOOKS
from reconcile.state import alive
from tests.crash.blackouts import SOURCE
from tests.crash.places import Picture, in_s3
from tests.crash.power import all_of
from tests.crash.stage import Stage
from tests.crash.sweep import RECOVERY, Moments
from tests.crash.writelog import Mark, Recorder

Died = tuple[int, ...]

IN_A_ROW = 6
"""So many moments one after the other leave two or three pictures."""


@dataclass
class Still:
    """A picture of these moments of a run, or of a recovery from the deaths before them."""

    moments: list[int]
    picture: Picture


class Camera:
    """Hears the moments of a run; what a death leaves at each of the `wanted` ones. Beyond the last is the end."""

    def __init__(self, stage: Stage, wanted: Collection[int]) -> None:
        self._stage, self._wanted = stage, wanted
        self._recorder = Recorder(stage.place.root, SOURCE) if wanted else None
        self._lock = Lock()
        self._moment = 0
        self.end: int | None = None

    def __call__(self, _step: str, _told: tuple[Any, ...], _done: bool) -> None:
        with self._lock:
            if self._moment in self._wanted:
                self._take()
            self._moment += 1

    def stop(self) -> None:
        """The run is over."""
        self.end = self._moment
        if any(moment >= self._moment for moment in self._wanted):
            self._take()

    def _take(self) -> None:
        assert self._recorder is not None
        assert self._stage.marks() == self._stage.strangers
        self._recorder.mark((self._moment, *in_s3(self._stage.place)))

    def stills(self) -> list[Still]:
        """Those that differ from the one before."""
        found: list[Still] = []
        if self._recorder is None:
            return found
        log, seen, last = self._recorder.log, 0, None
        for at, (moment, *in_bucket) in log.marks():
            changed = any(not isinstance(one, Mark) for one in log.operations[seen:at])
            seen = at
            if changed or in_bucket != last:
                found.append(Still([], Picture(all_of(log, at).nodes, *in_bucket, dict(self._stage.place.then))))
            found[-1].moments.append(moment)
            last = in_bucket
        return found


@dataclass
class Stills(Stage):
    """`depths` counts the points judged, by their deaths, `looked_at` pictures; `failed` is a point that failed."""

    depths: Counter[int] = field(default_factory=Counter)
    looked_at: int = 0
    failed: Died = ()

    @property
    def points(self) -> int:
        return self.depths.total()

    def judge(self, points: Collection[Moments]) -> None:
        """Each dies at its first moment of the run, at each other one of the recovery from the death before."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(alive, "life", lambda _: "dead")
            self.prepare()
            self._live(self.scenario.run, points, ())

    def _live(self, work: Callable[..., object], points: Collection[Moments], died: Died) -> None:
        """Does it to its end, which is good; then goes on from each moment at which a point dies."""
        with self._seen({point[0] for point in points if point}) as camera:
            self.do(partial(work, self.world))
        if died:
            self.check_end()
        assert camera.end is not None
        for still in camera.stills():
            here = [point for point in points if point and min(point[0], camera.end) in still.moments]
            self._die(still, here, died)

    def _die(self, still: Still, points: Collection[Moments], died: Died) -> None:
        self.looked_at += 1
        ends = {min(point[0], still.moments[-1]) for point in points if len(point) == 1}
        self.depths[len(died) + 1] += len(ends)
        died = (*died, still.moments[-1])
        try:
            self.show(still.picture)
            self.check()
            self._live(self.scenario.end, [point[1:] for point in points], died)
        except Exception as error:
            if not self.failed:
                self.failed = died
                error.add_note(f"after deaths at {list(died)}")
            raise

    @contextmanager
    def _seen(self, wanted: Collection[int]) -> Iterator[Camera]:
        camera = Camera(self, wanted)
        HOOKS.append(camera)
        try:
            yield camera
            camera.stop()
        finally:
            HOOKS.remove(camera)

    def still(self, moment: int) -> Picture:
        """What the run leaves that dies at this moment."""
        with self._seen({moment}) as camera:
            self.do(partial(self.scenario.run, self.world))
        [still] = camera.stills()
        return still.picture

    # --- choosing

    def spread(self, count: int) -> list[Moments]:
        """So many moments over the run, or all: several in a row each time, as they often leave the same."""
        moments = range(len(self.steps()))
        rows = [moments[at : at + IN_A_ROW] for at in range(0, len(moments), IN_A_ROW)]
        wanted = min(len(rows), -(-count // IN_A_ROW))
        taken = [rows[number * len(rows) // wanted] for number in range(wanted)]
        return [(moment,) for row in taken for moment in row]

    def nested(self, depth: int, moments: Iterable[int], chance: random.Random) -> list[Moments]:
        """So many deaths by lot, then one at each of these moments of the recovery from the last."""
        first = chance.randrange(len(self.steps()))
        later = [chance.randrange(RECOVERY) for _ in range(depth - 1)]
        return [(first, *later, moment) for moment in moments]
