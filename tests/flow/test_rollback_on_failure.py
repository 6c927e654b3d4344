"""`on_failure: rollback`: a run in which an action fails begins no more, and undoes what it did in that mapping."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from reconcile.core.errors import BusyError, DeniedError, StoreError
from reconcile.core.outcome import Result
from reconcile.stores.wrapper import Wrapper
from tests.flow.small_trees import make
from tests.flow.undo_kit import became
from tests.flow.world import World

T = TypeVar("T")


class Failing(Wrapper):
    """A target that refuses to write one key; `done`: although it has written it."""

    def __init__(self, inner: Any, key: str, *, done: bool = False) -> None:
        super().__init__(inner)
        self._key = key
        self._done = done
        self.fired = 0

    def _call(self, verb: str, key: str, run: Callable[[], T]) -> T:
        if (verb, key) != ("write", self._key):
            return run()
        self.fired += 1
        if self._done:
            run()
        error: type[StoreError] = BusyError if self._done else DeniedError
        raise error("no more", op=verb, path=key)


def failing(world: World, key: str, *, done: bool = False) -> Result:
    """An apply that cannot write one key."""
    made: list[Failing] = []

    def around(store: Any) -> Failing:
        made.append(Failing(store, key, done=done))
        return made[-1]

    world.around = around
    result = world.apply()
    world.around = None
    assert sum(one.fired for one in made) == 1
    return result


@pytest.fixture(params=["", "memory://"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    world = World(tmp_path, request.param and f"{request.param}{tmp_path.name}", {"on_failure": "rollback"})
    world.options["concurrency"] = 1
    make(world.src, {"a": "1", "b": "2", "z": "3"})
    assert world.apply().exit_code == 0
    make(world.src, {"a": "11", "c": "new", "y": "later", "z": "33"})
    return world


def test_what_was_done_is_undone(world: World) -> None:
    told = world.told()
    result = failing(world, "y")
    assert result.exit_code == 7
    assert result.rollback is not None
    assert became(result.rollback).items() >= {"a": "restored", "c": "removed"}.items()
    assert (result.rollback.undoes, result.rollback.exit_code) == (2, 0)
    assert world.there() == {"a": "1", "b": "2", "z": "3"}
    assert result.left == len(told)
    assert world.told() == told
    assert world.apply().exit_code == 0, "nothing is held"
    assert world.there() == world.here()


def test_what_was_done_without_an_answer_is_undone_too(world: World) -> None:
    result = failing(world, "c", done=True)
    assert result.rollback is not None
    assert became(result.rollback).items() >= {"a": "restored", "c": "removed"}.items()
    assert world.there() == {"a": "1", "b": "2", "z": "3"}


def test_other_mappings_are_left_alone(tmp_path: Path) -> None:
    world = World(tmp_path, options={"on_failure": "rollback", "concurrency": 1})
    world.more = {"more": {"source": str(tmp_path / "more"), "target": str(tmp_path / "there")}}
    make(tmp_path / "more", {"x": "y"})
    make(world.src, {"a": "1", "b": "2"})
    result = failing(world, "b")
    assert result.rollback is not None
    assert became(result.rollback) == {"a": "removed"}
    assert (tmp_path / "there" / "x").read_text() == "y"


def test_without_a_failure_nothing_is_undone(world: World) -> None:
    assert world.apply().rollback is None
    assert world.there() == world.here()
