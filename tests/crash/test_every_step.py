"""Death at the steps of everything that writes, and in the recoveries from it: the next run makes it good.

A point is one death, or several, each in the recovery from the one before, and the recovery from the last. Here are
2,000 of them; the campaign `kill` takes as many as wanted.
"""

from __future__ import annotations

import json

import pytest

from reconcile.core.change import Action
from tests.crash.kinds import KINDS, of_kind
from tests.crash.room import Room
from tests.crash.scenarios import Scenario
from tests.crash.seeds import kept

SINGLE = {"local": 50, "s3": 5, "shared": 7, "shared-s3": 4}
NESTED = {"local": 5, "s3": 1, "shared": 2, "shared-s3": 2}
SHORT = 5
CASES = [pytest.param(kind, one, id=f"{kind}-{one.name}") for kind in KINDS for one in of_kind(kind)]


def counts(kind: str, scenario: Scenario) -> tuple[int, int]:
    return (SHORT, 0) if scenario.short else (SINGLE[kind], NESTED[kind])


def test_the_points_are_two_thousand_and_of_every_action() -> None:
    assert sum(sum(counts(kind, scenario)) for kind in KINDS for scenario in of_kind(kind)) >= 2_000
    for kind in ("local", "s3"):
        assert {action for scenario in of_kind(kind) for action in scenario.due.split()} == {*Action}


@pytest.mark.hazard("T15", "T16")
@pytest.mark.parametrize(("kind", "scenario"), CASES)
def test_death_at_a_step(room: Room, kind: str, scenario: Scenario) -> None:
    single, nested = counts(kind, scenario)
    told = room.ask(kind=kind, scenario=scenario.name, single=single, nested=nested, due=kind == "local")
    assert told["failed"] == []
    assert told["points"] == single + nested
    assert sum(told["died_at"].values()) == sum(int(depth) * count for depth, count in told["depths"].items())
    assert kind != "local" or set(told["due"]) == set(scenario.due.split())


@pytest.mark.hazard("T15", "T16")
@pytest.mark.parametrize("line", kept())
def test_what_failed_once(room: Room, line: str) -> None:
    seed = json.loads(line)
    told = room.ask(kind=seed["place"], scenario=seed["scenario"], points=[seed["moments"]])
    assert told["failed"] == []
    assert told["points"] == 1
