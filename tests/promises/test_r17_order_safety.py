"""R17: order is safe. Renames, chains, swaps, circles and files that become directories end in the desired tree, and
never pass through a state where the only copy of a content is missing; nor when any step of the way fails.

Every tree of three names is tried so in `tests/planner`, death at every step in `tests/crash`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
import uuid

import pytest

from reconcile.core.errors import DeniedError
from reconcile.core.path import has_control
from tests.flow.small_trees import make
from tests.flow.test_faults import Faulty
from tests.flow.watchers import Keeper, everything
from tests.flow.world import World

Tree = dict[str, str]
SHAPES: dict[str, tuple[Tree, Tree]] = {
    "a rename": ({"a": "1"}, {"b": "1"}),
    "a chain": ({"a": "1", "b": "2", "c": "3"}, {"b": "1", "c": "2", "d": "3"}),
    "a swap": ({"a": "1", "b": "2"}, {"a": "2", "b": "1"}),
    "a circle of four": (
        {"a": "1", "b": "2", "c": "3", "d": "4"},
        {"b": "1", "c": "2", "d": "3", "a": "4"},
    ),
    "a circle with a tail": ({"a": "1", "b": "2", "c": "3"}, {"a": "2", "b": "1", "d": "3", "c": "1"}),
    "a file becomes a directory": ({"a": "1", "b": "2"}, {"a/x": "3", "a/y": "1", "b": "2"}),
    "a directory becomes a file": ({"a/x": "1", "a/y": "2"}, {"a": "3"}),
    "a directory becomes one of its files": ({"a/x": "1", "a/y": "2"}, {"a": "1"}),
    "a file and a directory change places": ({"a": "1", "b/x": "2"}, {"a/x": "2", "b": "1"}),
    "one of two equal files goes": ({"a": "1", "b": "1"}, {"b": "1", "c": "2"}),
    "a rename over an edited file": ({"a": "1", "b": "2"}, {"b": "1", "c": "3"}),
    "a move out of what is replaced": ({"a/x": "1", "b": "2"}, {"a": "2", "c": "1"}),
}

REPLACED = {"a directory becomes a file", "a directory becomes one of its files"}
"""Those where what stood there goes for good only when its successor has come."""


def begun(root: Path, kind: str, before: Tree, after: Tree) -> World:
    root.mkdir(exist_ok=True)
    url = "" if kind == "local" else f"memory://{uuid.uuid4().hex}"
    world = World(root, url, {"guard": {"max_delete": "off"}, "concurrency": 1})
    make(world.src, before)
    assert world.apply().exit_code == 0
    make(world.src, after)
    return world


class Hoarder(Keeper):
    """After every change of the target, all it held at the start is still in it, the source left out of account."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner, here=dict, foreign={})
        self._precious = {data for key, data in everything(inner).items() if not has_control(key)}

    def _check(self, when: str) -> None:
        lost = self._precious - set(everything(self.inner).values())
        assert not lost, f"{when}: the last copy of {lost} is gone"


def kept(world: World, around: Callable[[Any], Any] = lambda store: store) -> Any:
    """The result of an apply, with a look after every change of the target."""
    world.around = lambda store: Hoarder(around(store))
    try:
        return world.apply()
    finally:
        world.around = None


@pytest.mark.hazard("P01")
@pytest.mark.hazard("P02")
@pytest.mark.hazard("P03")
@pytest.mark.hazard("P05")
@pytest.mark.hazard("P06")
@pytest.mark.parametrize("kind", ["local", "memory"])
@pytest.mark.parametrize("name", SHAPES)
def test_no_only_copy_is_ever_missing(tmp_path: Path, name: str, kind: str) -> None:
    before, after = SHAPES[name]
    world = begun(tmp_path / "0", kind, before, after)
    assert kept(world).exit_code == 0
    assert world.there() == after
    world.settled()
    for at in range(40):
        world = begun(tmp_path / str(at + 1), kind, before, after)
        faults: list[Faulty] = []

        def faulty(store: Any, at: int = at, faults: list[Faulty] = faults) -> Faulty:
            faults.append(Faulty(store, at, DeniedError("injected", op="test"), late=False))
            return faults[-1]

        result = kept(world, faulty)
        if not faults[-1].fired:
            break
        assert result.exit_code != 0
        if kind == "local" and name in REPLACED:
            assert before.keys() <= world.there().keys() or world.there() == after, faults[-1].fired
        world.settled()
        assert world.there() == after, faults[-1].fired
    assert at >= 1
