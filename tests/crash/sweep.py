"""Deaths at chosen moments: make a place ready, die, look, die in the recovery, look, recover, look once more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
import mimetypes
import random
import zlib

from reconcile.core.path import CONTROL_DIR, has_control
from tests.crash import mortal, remembered
from tests.crash.places import Contents, Place, Template, files_below, shown
from tests.crash.power import Restored
from tests.crash.scenarios import STEADY, STRANGERS, Scenario
from tests.flow.small_trees import make
from tests.flow.world import World

Moments = Sequence[int]

_OF_THE_STATE = ("state.", "file.", "cache.", "log.")
"""Every scenario takes about the same of these steps: each dies at a share of them, and at all of its own."""

_RECOVERY = 90
"""About so many moments a recovery has: later deaths are drawn from these."""


@dataclass
class Sweep:
    """One scenario at one place, made ready as often as somebody dies there. `died_at` counts the steps of deaths."""

    scenario: Scenario
    place: Place
    points: int = 0
    depths: Counter[int] = field(default_factory=Counter)
    died_at: Counter[str] = field(default_factory=Counter)
    world: World = field(init=False)

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

    def _dies(self, work: mortal.Work, moment: int) -> bool:
        step = mortal.dies(partial(work, self.world), moment)
        if step:
            self.died_at[step] += 1
            self.check()
        return bool(step)

    # --- making ready

    def prepare(self) -> None:
        """The place is as it was before the run."""
        self._template.restore(self.place)
        if self.place.s3 is None:
            then = self.place.then
            self.world.around = lambda store: Restored(store, then)
        self.before = self.place.contents()
        self._here = {*files_below(str(self.world.src)).values()}
        self._strangers = {key: self.place.marks(key) for key in STRANGERS}

    @cached_property
    def _template(self) -> Template:
        self._build()
        if self.place.s3 is not None and mortal.warm(partial(self.scenario.end, self.world)):
            self._build()
            mimetypes.init()
        self.world.spec()  # as what is loaded by now, no child has to make it
        return Template(self.place)

    def _build(self) -> None:
        scenario, place = self.scenario, self.place
        place.clear()
        options = {"guard": {"max_delete": "off"}, "concurrency": 1} | scenario.options
        self.world = world = World(place.root, place.target, options, state=place.state)
        if not scenario.first:
            make(world.src, {**STEADY, **scenario.before})
            self._do(world.apply)
        make(world.src, {**STEADY, **scenario.after})
        world.mapping = scenario.mapping
        for key, text in {**scenario.there, **STRANGERS}.items():
            place.change(key, text)
        self._do(partial(scenario.arrange, world))

    def _do(self, work: mortal.Work) -> None:
        """Here, where no network is asked; else in a child."""
        (work if self.place.s3 is None else partial(mortal.lives, work))()

    # --- looking

    def check(self) -> None:
        """Nothing is lost, nothing half, nobody else's touched, and no record tells a lie."""
        now = self.place.contents()
        ever = {*self.before.values(), *self._here, *map(str.encode, self.scenario.before.values())}
        self._check_nothing_lost(now)
        self._check_old_or_new(now)
        self._check_whole(now, ever)
        self._check_strangers()
        accepts = self.scenario.options.get("drift") == "keep"
        remembered.check(remembered.records(self.world, self.place), self.place, ever, accepts=accepts)

    def _check_nothing_lost(self, now: Contents) -> None:
        """Every content of before is where a person finds it: in the target, among the kept ones, or in the source."""
        if self.scenario.options.get("keep") != "never":
            kept = {data for key, data in now.items() if not has_control(key) or key.startswith(f"{CONTROL_DIR}/")}
            lost = set(shown(self.before).values()) - kept - self._here
            assert not lost, f"lost: {lost}"

    def _check_old_or_new(self, now: Contents) -> None:
        """Each name holds the whole old or the whole new content; names in the gaps may hold nothing for a while."""
        there, before = shown(now), shown(self.before)
        ends = [self.scenario.finally_there, {**STEADY, **self.scenario.after}]
        for key in {*there, *before, *ends[0]}:
            allowed = {before.get(key), *(end[key].encode() if key in end else None for end in ends)}
            if key in self.scenario.gaps:
                allowed.add(None)
            assert there.get(key) in allowed, f"{key} holds {there.get(key)!r}, neither old nor new"

    def _check_whole(self, now: Contents, ever: set[bytes]) -> None:
        """What is kept or parked is whole; only a file that is being written may be half."""
        aside = (f"{CONTROL_DIR}/undo/", f"{CONTROL_DIR}/park/")
        for key, data in now.items():
            torn = key.startswith(aside) and f"{CONTROL_DIR}-tmp-" not in key and data not in ever
            assert not torn, f"{key} holds {data!r}, a part of something"

    def _check_strangers(self) -> None:
        assert {key: self.place.marks(key) for key in STRANGERS} == self._strangers

    # --- making good

    def recover(self) -> None:
        """One run without help, and all is as it should be; the next plan is empty."""
        self._do(partial(self.scenario.end, self.world))
        wanted = {key: text.encode() for key, text in self.scenario.finally_there.items()}
        assert shown(self.place.contents()) == wanted
        self._check_strangers()

    # --- choosing

    def due(self) -> set[str]:
        """The actions of the plan."""
        self.prepare()
        told = mortal.lives(lambda: " ".join(change.action for change in self.world.plan().changes()))
        return set(told.split())

    def steps(self) -> list[str]:
        """The step of each moment of the run, in turn."""
        self.prepare()
        return mortal.moments(partial(self.scenario.run, self.world))

    def lots(self, count: int, seed: int) -> list[Moments]:
        """So many points by lot, every second one with three more deaths in the recoveries."""
        steps, chance = len(self.steps()), random.Random(f"{self.scenario.name} {seed}")
        recoveries = [[chance.randrange(_RECOVERY) for _ in range(3 * (at % 2))] for at in range(count)]
        return [(chance.randrange(steps), *more) for more in recoveries]

    def choose(self, single: int, nested: int = 0, *, seed: int = 0) -> list[Moments]:
        """So many points of one death, spread over the run, and so many with three more in the recoveries.

        As many kinds of steps as there is room for; at least every second moment is one of the target's. Where the run
        has fewer moments, it is further points of several deaths that fill up.
        """
        steps = self.steps()
        chance = random.Random(zlib.crc32(self.scenario.name.encode()) + seed)
        ours = [at for at, step in enumerate(steps) if not step.startswith(_OF_THE_STATE)]
        chosen = _spread(ours, -(-single // 2))
        kinds = sorted({steps.index(step) for step in {*steps}} - chosen)
        chosen |= {*chance.sample(kinds, min(len(kinds), single - len(chosen)))}
        chosen |= _spread([at for at in range(len(steps)) if at not in chosen], single - len(chosen))
        points: list[Moments] = [(at,) for at in sorted(chosen)]
        while len(points) < single + nested:
            recoveries = [chance.randrange(_RECOVERY) for _ in range(3)]
            points.append((chance.randrange(len(steps)), *recoveries))
        return points


def _spread(moments: Sequence[int], count: int) -> set[int]:
    """So many of them, evenly; all where there are no more."""
    if count >= len(moments):
        return set(moments)
    return {moments[(2 * n + 1) * len(moments) // (2 * count)] for n in range(max(count, 0))}
