"""Every change of the target fails once, before its effect or after it, in a run that does everything.

Whatever failed is told, nothing is lost on the way, and the next run, without help, makes it good.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import shutil
from typing import Any
import uuid

import pytest

from reconcile.core.errors import BusyError, ChangedError, DeniedError, StoreError
from reconcile.ports import Store
from reconcile.stores.wrapper import Wrapper
from tests.flow.small_trees import make
from tests.flow.watchers import MUTATING, Keeper
from tests.flow.world import World

BEFORE = {
    "edited": "old text",
    "gone": "to be deleted",
    "old-name": "moved about",
    "log": "log 0",
    "log.1": "log 1",
    "swap-a": "one side",
    "swap-b": "the other side",
    "file": "becomes a directory",
    "directory/one": "becomes a file",
    "directory/two": "with it",
}
AFTER = {
    "edited": "new text",
    "new/deep/name": "moved about",
    "log": "log 2",
    "log.1": "log 0",
    "log.2": "log 1",
    "swap-a": "the other side",
    "swap-b": "one side",
    "file/one": "in it",
    "file/two": "and more",
    "directory": "file now",
    "fresh/new": "quite new",
}


class Faulty(Wrapper):
    """The call with this number fails; with `late`, when it has done what it was asked: the answer is lost."""

    def __init__(self, inner: Store, at: int, error: StoreError, late: bool) -> None:
        super().__init__(inner)
        self._left, self._error, self._late = at, error, late
        self.fired = ""

    def _call(self, verb: str, key: str, run: Callable[[], Any]) -> Any:
        if verb not in MUTATING:
            return run()
        self._left -= 1
        if self._left != -1:
            return run()
        if self._late:
            run()
        self.fired = f"{verb} {key}"
        raise self._error


def apply_with_fault(world: World, at: int, error: type[StoreError], late: bool) -> str:
    """Applies once; returns which call failed, if one did."""
    faults: list[Faulty] = []

    def here() -> dict[str, bytes]:
        return {name: text.encode() for name, text in world.here().items()}

    def around(store: Store) -> Store:
        faults.append(Faulty(store, at, error("injected", op="test"), late))
        return Keeper(faults[-1], here=here, foreign={})

    world.around = around
    result = world.apply()
    world.around = None
    fired = faults[-1].fired
    # where the place of a kept copy is taken, it has another
    survived = not fired or (error is ChangedError and " .reconcile/" in fired and not fired.startswith("delete"))
    assert (result.exit_code == 0) == survived, f"{fired}: {result}"
    assert (result.failure_count == 0) == survived
    return fired


@pytest.mark.hazard("O02")
@pytest.mark.parametrize(("error", "late"), [(DeniedError, False), (ChangedError, False), (BusyError, True)])
@pytest.mark.parametrize("kind", ["local", "memory"])
def test_a_fault_at_every_call(tmp_path: Path, kind: str, error: type[StoreError], late: bool) -> None:
    fired = []
    for at in range(100):
        root = tmp_path / str(at)
        root.mkdir()
        url = "" if kind == "local" else f"memory://{uuid.uuid4().hex}"
        world = World(root, url, {"guard": {"max_delete": "off"}, "concurrency": 1})
        make(world.src, BEFORE)
        world.apply()
        make(world.src, AFTER)
        what = apply_with_fault(world, at, error, late)
        if not what:
            break
        fired.append(what)
        world.settled()
        assert world.there() == AFTER, what
        shutil.rmtree(root)
    assert len(fired) > 20
