"""The rollback of a run that was killed: only what it changed comes back, whatever later runs made of the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
import uuid

import pytest

from reconcile.stores.wrapper import Wrapper
from tests.flow.undo_kit import became, undo
from tests.flow.world import World


@pytest.fixture(params=["local", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    name = "" if request.param == "local" else f"memory://{uuid.uuid4().hex}"
    world = World(tmp_path, name, {"guard": {"max_delete": "off"}, "keep": "always"})
    world.put(steady="1", old="to be moved")
    world.settled()
    return world


class Dying(Wrapper):
    """A store whose process dies before it writes one key."""

    def __init__(self, inner: Any, key: str) -> None:
        super().__init__(inner)
        self._dies_at = key

    def _call(self, verb: str, key: str, run: Callable[[], Any]) -> Any:
        if verb in ("write", "copy", "move") and key == self._dies_at:
            raise KeyboardInterrupt
        return run()


def died(world: World, key: str) -> None:
    """A run ends before it makes `key`, as if it was killed."""
    world.around = lambda store: Dying(store, key)
    with pytest.raises(KeyboardInterrupt):
        world.apply()
    world.around = None


@pytest.mark.hazard("O03", "T15")
@pytest.mark.parametrize("edit", [lambda world: world.put(new="never here before"), lambda w: w.move("old", "new")])
def test_what_a_dead_run_never_made_does_not_come_back(world: World, edit: Callable[[World], None]) -> None:
    """The next run made it and was undone, so that its bytes are kept; the dead one had not so much as touched it."""
    edit(world)
    died(world, "new")
    world.settled()
    undo(world, 3)
    before = world.there()
    assert before == {"steady": "1", "old": "to be moved"}
    result = undo(world, 2)
    assert became(result) == {}
    assert world.there() == before
    assert result.exit_code == 0
