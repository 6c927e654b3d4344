"""What the tests of rollbacks share: a rollback of a little world, and what became of each path."""

from __future__ import annotations

from io import BytesIO
import threading
from typing import Any

from reconcile.core.entry import ANY
from reconcile.core.outcome import Result
from reconcile.flow.clock import RealClock
from reconcile.flow.rollback import RollbackHooks, RollbackOptions, rollback
from reconcile.flow.wire import Reach
from reconcile.ports import Body
from tests.flow.world import World


def undo(world: World, run: int | None = None, *, reach: Reach | None = None, **told: Any) -> Result:
    """Rolls back; `approve` and `stop` are those of the hooks, the rest options. Leaves no hold unless asked to."""
    approve, stop = told.pop("approve", lambda _plan: True), told.pop("stop", threading.Event())
    hooks = RollbackHooks(world.events.append, approve, RealClock(), stop)
    with world.house(write=True, reach=reach) as house:
        return rollback(house, RollbackOptions(run, **{"hold": False, **told}), hooks)


def became(result: Result) -> dict[str, str]:
    """Path → what became of it; what needed nothing is left out."""
    return {one.key: one.reason for one in result.outcomes if one.reason != "unchanged"}


def why(result: Result) -> dict[str, str]:
    """Path → why it was not brought back."""
    return {one.key: one.error for one in result.outcomes if one.outcome != "done"}


def put_there(world: World, key: str, text: str) -> None:
    """A stranger writes into the target."""
    data = text.encode()
    with world.house(write=True) as house:
        target = house.mappings[0].target
        target.ensure()
        target.write(key, Body(size_bytes=len(data), open=lambda: BytesIO(data)), expect=ANY)
