"""R26: for each path a rollback says restored, removed, unchanged, kept or cannot, and why; and what it says is so.

Nothing is called restored unless its bytes were read back; nothing made after the run is touched, also when it is made
while the rollback runs; what fails leaves what is there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
import uuid

import pytest

from reconcile.core.errors import DeniedError
from reconcile.core.outcome import Result
from reconcile.stores.wrapper import Wrapper
from tests.flow.small_trees import make
from tests.flow.undo_kit import became, put_there, undo, why
from tests.flow.world import World

T = TypeVar("T")
BEFORE = {"a": "old a", "b": "old b", "c": "old c", "m": "moved about", "s/1": "one", "s/2": "two"}
AFTER = {"a": "new a", "b": "new b", "n": "moved about", "s/1": "two", "s/2": "one", "x": "new x", "y": "new y"}
AT_ONCE = ("copy", "move", "delete", "write")


class Between(Wrapper):
    """A target where, just before the first change of one key, something else happens."""

    def __init__(self, inner: Any, key: str, happens: Callable[[], None]) -> None:
        super().__init__(inner)
        self._key = key
        self._happens = happens
        self.fired = False

    def _call(self, verb: str, key: str, run: Callable[[], T]) -> T:
        if not self.fired and verb in AT_ONCE and key.endswith(self._key):
            self.fired = True
            self._happens()
        return run()


class Reading(Wrapper):
    """A target that remembers what was read."""

    def __init__(self, inner: Any, seen: set[str]) -> None:
        super().__init__(inner)
        self._seen = seen

    def _stream(self, verb: str, key: str, run: Callable[[], Any]) -> Any:
        if verb == "read":
            self._seen.add(key)
        return run()


@pytest.fixture(params=["local", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    url = f"memory://{uuid.uuid4().hex}" if request.param == "memory" else ""
    world = World(tmp_path, url, {"guard": {"max_delete": "off"}})
    make(world.src, BEFORE)
    assert world.apply().exit_code == 0
    make(world.src, AFTER)
    assert world.apply().exit_code == 0
    assert world.there() == AFTER
    return world


def undo_meanwhile(world: World, key: str, happens: Callable[[], None]) -> Result:
    """A rollback of run 2 during which something happens, just before the first change of a key."""
    made: list[Between] = []

    def around(store: Any) -> Between:
        world.around = None  # who meddles goes straight to the target
        made.append(Between(store, key, happens))
        return made[-1]

    world.around = around
    result = undo(world, 2)
    assert sum(one.fired for one in made) == 1
    return result


@pytest.mark.hazard("O03")
def test_every_path_says_what_became_of_it(world: World) -> None:
    put_there(world, "a", "a stranger")
    result = undo(world, 2)
    assert became(result) == {
        "a": "kept",
        "b": "restored",
        "c": "restored",
        "m": "restored",
        "s/1": "restored",
        "s/2": "restored",
        "x": "removed",
        "y": "removed",
    }
    assert result.exit_code == 7
    assert why(result) == {"a": "changed since"}
    assert world.there() == {**BEFORE, "a": "a stranger"}


@pytest.mark.hazard("O03")
def test_what_is_called_restored_was_read(world: World) -> None:
    seen: set[str] = set()
    world.around = lambda store: Reading(store, seen)
    result = undo(world, 2)
    world.around = None
    restored = {key for key, ending in became(result).items() if ending == "restored"}
    assert restored == {"a", "b", "c", "m", "s/1", "s/2"}
    assert restored <= seen


@pytest.mark.parametrize("key", ["a", "c", "x"])
def test_a_change_made_meanwhile_is_kept(world: World, key: str) -> None:
    result = undo_meanwhile(world, key, lambda: put_there(world, key, "made meanwhile"))
    assert became(result)[key] == "kept"
    assert world.there() == {**BEFORE, key: "made meanwhile"}
    assert result.exit_code == 7


@pytest.mark.parametrize("key", ["a", "c", "x"])
def test_what_fails_leaves_what_is_there(world: World, key: str) -> None:
    def refuse() -> None:
        raise DeniedError("no more", op="write", path=key)

    result = undo_meanwhile(world, key, refuse)
    assert became(result)[key] == "cannot"
    assert "no more" in why(result)[key]
    left = {name: text for name, text in AFTER.items() if name == key}
    assert world.there() == {name: text for name, text in BEFORE.items() if name != key} | left
    assert undo(world, 2).exit_code == 0
    assert world.there() == BEFORE


def test_a_moved_content_that_cannot_go_back_is_not_removed(world: World) -> None:
    put_there(world, "m", "somebody else's")
    result = undo(world, 2)
    assert {key: became(result)[key] for key in ("m", "n")} == {"m": "kept", "n": "kept"}
    assert world.there()["n"] == "moved about"


def test_a_mapping_that_became_another_is_left_alone(world: World) -> None:
    there = world.there()
    world.options["layout"] = "{sha256}"
    result = undo(world, 2)
    assert set(became(result).values()) == {"cannot"}
    assert set(why(result).values()) == {"the run had another source, target or layout"}
    del world.options["layout"]
    assert world.there() == there
