"""A scenario at a place: made ready as often as it is wanted, looked at after a death, and made good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from reconcile.core.path import CONTROL_DIR, has_control
from reconcile.ports import HOOKS
from tests.crash import remembered
from tests.crash.places import Contents, Picture, Place, shown
from tests.crash.power import Restored
from tests.crash.scenarios import STEADY, STRANGERS, Scenario
from tests.flow.small_trees import files_below, make
from tests.flow.world import World


@dataclass
class Stage:
    """One scenario at one place."""

    scenario: Scenario
    place: Place
    world: World = field(init=False)

    def told(self, work: Callable[[], object]) -> str:
        """Does it, and says what it returned."""
        return str(work())

    # --- making ready

    def prepare(self) -> None:
        """The place is as it was before the run."""
        self.show(self._ready)
        self.before = self.place.contents()
        self._here = {*files_below(str(self.world.src)).values()}

    def show(self, picture: Picture) -> None:
        """The place is as it was in a picture."""
        picture.restore(self.place)
        if self.place.s3 is None:
            then = self.place.then
            self.world.around = lambda store: Restored(store, then)
        self.strangers = self.marks()

    def marks(self) -> dict[str, object]:
        """Whatever a touch would change of what is not ours."""
        return {key: self.place.marks(key) for key in STRANGERS}

    @cached_property
    def _ready(self) -> Picture:
        self.build()
        return Picture.of(self.place)

    def build(self) -> None:
        scenario, place = self.scenario, self.place
        place.clear()
        options = {"guard": {"max_delete": "off"}, "concurrency": 1} | scenario.options
        self.world = world = World(place.root, place.target, options, state=place.state)
        if not scenario.first:
            make(world.src, {**STEADY, **scenario.before})
            self.do(world.apply)
        make(world.src, {**STEADY, **scenario.after})
        world.mapping = scenario.mapping
        for key, text in {**scenario.there, **STRANGERS}.items():
            place.change(key, text)
        self.do(partial(scenario.arrange, world))

    def do(self, work: Callable[[], object]) -> None:
        """Does something of ours."""
        work()

    # --- looking

    def check(self) -> None:
        """Nothing is lost, nothing half, nobody else's touched, and no record tells a lie."""
        now = self.place.contents()
        ever = {*self.before.values(), *self._here, *map(str.encode, self.scenario.before.values())}
        self._check_nothing_lost(now)
        self._check_old_or_new(now)
        self._check_whole(now, ever)
        assert self.marks() == self.strangers
        accepts = self.scenario.options.get("drift") == "keep"
        remembered.check(remembered.records(self.world, self.place, self.told), self.place, ever, accepts=accepts)

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

    # --- making good

    def recover(self) -> None:
        """One run without help, and all is as it should be; the next plan is empty."""
        self.do(partial(self.scenario.end, self.world))
        self.check_end()

    def check_end(self) -> None:
        """All is there that should be."""
        wanted = {key: text.encode() for key, text in self.scenario.finally_there.items()}
        assert shown(self.place.contents()) == wanted
        assert self.marks() == self.strangers

    # --- what there is to choose from

    def steps(self) -> list[str]:
        """The step of each moment of the run, in turn."""
        seen: list[str] = []

        def hear(step: str, _told: tuple[Any, ...], _done: bool) -> None:
            seen.append(step)

        self.prepare()
        HOOKS.append(hear)
        try:
            self.scenario.run(self.world)
        finally:
            HOOKS.remove(hear)
        return seen

    def due(self) -> set[str]:
        """The actions of the plan."""
        self.prepare()
        return {change.action for change in self.world.plan().changes()}
