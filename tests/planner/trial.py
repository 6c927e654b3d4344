"""One trial: a world, the real planner and engine, the model, and a watcher at every store call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from reconcile.core.path import has_control
from reconcile.core.policy import Policy
from reconcile.stores.wrapper import Wrapper
from tests.flow.watchers import MUTATING
from tests.planner.little import LittleHouse, LittleTarget
from tests.planner.model import Expected, expected
from tests.planner.worlds import World

T = TypeVar("T")


class Watcher(Wrapper):
    """After every call that changes: no content is gone whose last copy it was, and no key is gone that stays."""

    def __init__(self, inner: LittleTarget, source: dict[str, bytes], goal: Expected, *, keeps: bool) -> None:
        super().__init__(inner)
        self.items = inner.items
        before = {key: item.data for key, item in self.items.items()}
        stay = {data for key, data in before.items() if goal.final.get(key) == data}
        self._precious = (set(before.values()) if keeps else stay) - set(source.values())
        self._staying = {key for key, data in before.items() if goal.final.get(key) == data}

    def _call(self, verb: str, key: str, run: Callable[[], T]) -> T:
        if verb not in MUTATING:
            return run()
        try:
            return run()
        finally:
            held = {item.data for item in self.items.values()}
            assert self._precious <= held, f"after {verb} {key}: the last copy of {self._precious - held} is gone"
            assert self._staying <= self.items.keys(), f"after {verb} {key}: {self._staying} should stay"


def trial(world: World, policy: Policy, *, tree: bool, twice: bool = False) -> None:
    """Plans, applies, plans again, and (where something could not be read) once more when all can be."""
    house = LittleHouse(world, policy, tree=tree)
    goal = expected(world, policy, tree=tree)
    versions = {key: item.version for key, item in house.target.items.items()}
    plan = house.plan()
    if twice:
        assert house.plan().id == plan.id
    assert {key: item.version for key, item in house.target.items.items()} == versions, "a plan changes nothing"
    house.around = lambda store: Watcher(store, world.source, goal, keeps=policy.keep != "never")
    result = house.apply(plan)
    house.around = lambda store: store
    _check(house, world, goal, versions)
    conflicts = {one.key for one in result.conflicts}
    assert conflicts >= goal.waiting - world.denied, (conflicts, goal)
    if not goal.shaky:
        assert conflicts == goal.waiting, (conflicts, goal)
        again = house.plan()
        assert list(again.changes()) == [], "the second plan is empty"
        assert {one.key for one in again.conflicts} == conflicts
    if world == world.healed():
        assert (result.exit_code == 0) == (not conflicts), result
    else:
        hidden = world.unknown_source or world.unknown_target
        assert result.exit_code or not hidden, "what cannot be looked at is told"
        _heals(house, world, policy, tree=tree)


def _check(house: LittleHouse, world: World, goal: Expected, versions: dict[str, Any]) -> None:
    there = {key: item for key, item in house.target.items.items() if not has_control(key)}
    for key in {*there, *goal.final, *world.target}:
        found = there[key].data if key in there else None
        wanted = [goal.final.get(key), *([world.target.get(key)] if key in goal.shaky else [])]
        assert found in wanted, f"{key} holds {found!r}, not {wanted}"
        if found is not None and found == world.target.get(key) == goal.final.get(key):
            assert there[key].version == versions[key], f"{key} was written for nothing"


def _heals(house: LittleHouse, world: World, policy: Policy, *, tree: bool) -> None:
    """When everything can be read, one apply reaches what one apply would have reached then."""
    house.heal()
    goal = expected(world.healed(), policy, tree=tree)
    result = house.apply(house.plan())
    there = {key: item.data for key, item in house.target.items.items() if not has_control(key)}
    assert there == goal.final, (there, goal)
    assert {one.key for one in result.conflicts} == goal.waiting
    assert list(house.plan().changes()) == []
