"""Death at the steps of everything that writes, and in the recoveries from it: the next run makes it good.

A point is one death, or several, each in the recovery from the one before, and the recovery from the last. Here are
2,000 of them, some by a real `SIGKILL`, most by what is left of a run at that moment; the campaigns `moments` and
`kill` take as many as wanted.
"""

from __future__ import annotations

from functools import partial
import json
import random

import pytest

from reconcile.core.change import Action
from tests.crash import remembered
from tests.crash.kinds import KINDS, of_kind, place
from tests.crash.mortal import dies
from tests.crash.room import Room
from tests.crash.scenarios import Scenario, named
from tests.crash.seeds import kept
from tests.crash.stills import Stills
from tests.crash.sweep import RECOVERY

SINGLE = {"local": 36, "s3": 18, "shared": 36, "shared-s3": 12}
"""So many moments are taken of each run, but of the `short` ones, of which none has fewer than five."""
NESTED = {"local": 12, "s3": 4, "shared": 6, "shared-s3": 4}
"""So many of one recovery, from one death or from three."""
FEWEST = 5
CASES = [pytest.param(kind, one, id=f"{kind}-{one.name}") for kind in KINDS for one in of_kind(kind)]


def test_the_points_are_two_thousand_and_of_every_action() -> None:
    cases = [(kind, scenario) for kind in KINDS for scenario in of_kind(kind)]
    assert sum(FEWEST if scenario.short else SINGLE[kind] for kind, scenario in cases) >= 2_000
    for kind in ("local", "s3"):
        assert {action for scenario in of_kind(kind) for action in scenario.due.split()} == {*Action}


@pytest.mark.hazard("T15", "T16")
@pytest.mark.parametrize(("kind", "scenario"), CASES)
def test_death_at_a_step(kind: str, scenario: Scenario) -> None:
    chance = random.Random(scenario.name)
    with place(kind) as where:
        stills = Stills(scenario, where)
        single, at, deaths = stills.spread(SINGLE[kind]), chance.randrange(RECOVERY), chance.choice((1, 3))
        stills.judge([*single, *stills.nested(deaths, range(at, at + NESTED[kind]), chance)])
        assert stills.depths[deaths + 1] >= 1, "somebody died in the recovery, too"
        assert stills.depths[1] >= len(single) >= (FEWEST if scenario.short else SINGLE[kind])
        assert kind != "local" or stills.due() == {*scenario.due.split()}


@pytest.mark.hazard("T15", "T16")
@pytest.mark.parametrize(("kind", "scenario"), [case for case in CASES if case.values[0] in ("local", "shared")])
def test_a_real_death(room: Room, kind: str, scenario: Scenario) -> None:
    """`SIGKILL` in the run; another time there, and in three recoveries. With S3, promise R1 takes some."""
    told = room.ask(kind=kind, scenario=scenario.name, lots=2)
    assert told["failed"] == []
    assert told["points"] == 2
    assert sum(told["died_at"].values()) == sum(int(depth) * count for depth, count in told["depths"].items())


@pytest.mark.hazard("T15", "T16")
@pytest.mark.parametrize("line", kept())
def test_what_failed_once(room: Room, line: str) -> None:
    seed = json.loads(line)
    told = room.ask(kind=seed["place"], scenario=seed["scenario"], points=[seed["moments"]])
    assert told["failed"] == []
    assert told["points"] == 1
    with place(seed["place"]) as where:
        stills = Stills(named(seed["scenario"]), where)
        stills.judge([seed["moments"]])
        assert stills.points == 1


@pytest.mark.parametrize("at", range(20, 500, 60))
def test_what_is_left_of_a_run_is_what_a_real_death_leaves(at: int) -> None:
    """Every byte that is in the target, under our own names too, and what the state records."""
    with place("local") as where:
        stills = Stills(named("everything"), where)
        stills.prepare()
        assert dies(partial(stills.scenario.run, stills.world), at)
        real = left(stills)
        stills.prepare()
        stills.show(stills.still(at))
        assert left(stills) == real


def left(stills: Stills) -> tuple[list[bytes], object]:
    """What does not differ by chance: temporary names do, and the times in a state."""
    found = sorted(stills.place.contents().values())
    return found, sorted((key, digest) for key, _, digest in remembered.records(stills.world, stills.place))
