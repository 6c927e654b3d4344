"""R3: a delete has proof. We delete X only if X is ours, its absence was proven, the deletes are under the guard, and
the target still has the version we planned against.

One test takes each proof away in turn; every tree of three names is tried in `tests/planner`.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
import shutil
from typing import Any
import uuid

import pytest

from reconcile.core.entry import ANY
from reconcile.core.errors import BusyError, ReconcileError
from reconcile.core.outcome import Result
from reconcile.ports import Body
from reconcile.stores.wrapper import Wrapper
from tests.flow.unprivileged import unprivileged
from tests.flow.watchers import Counting, mutations
from tests.flow.world import World

NAMES = [f"d{one}/f{two}" for one in range(3) for two in range(4)]


@pytest.fixture(params=["local", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """Twelve files, here and there."""
    world = World(tmp_path, "" if request.param == "local" else f"memory://{uuid.uuid4().hex}")
    for name in NAMES:
        world.write(name, name)
    world.settled()
    return world


def applied(world: World, around: Callable[[Any], Any] | None = None) -> tuple[Result | None, list[str]]:
    """The result of an apply (None: refused as a whole), and the keys that were deleted or taken away."""
    before = world.there()
    world.around = around
    try:
        result = world.apply()
    except ReconcileError:
        result = None
    world.around = None
    return result, sorted(before.keys() - world.there().keys())


def test_with_every_proof_it_is_deleted(world: World) -> None:
    world.remove("d0/f0")
    result, gone = applied(world)
    assert gone == ["d0/f0"]
    assert result is not None
    assert result.exit_code == 0


def test_what_is_not_ours_stays(world: World) -> None:
    shutil.rmtree(world.root / "state")
    world.remove("d0/f0")
    assert applied(world)[1] == []


def test_below_what_cannot_be_read_nothing_goes(world: World) -> None:
    shutil.rmtree(world.src / "d0")
    (world.src / "d0").mkdir(0o000)
    world.remove("d1/f0")
    with unprivileged():
        result, gone = applied(world)
    assert gone == ["d1/f0"]
    assert result is not None
    assert result.exit_code == 7
    assert {problem.key for problem in result.problems} == {"d0"}


@pytest.mark.parametrize("shown", [0, 1, 5])
def test_after_a_listing_that_broke_off_nothing_goes_that_it_did_not_show(world: World, shown: int) -> None:
    """Whatever of the target came before it broke off."""

    class Breaking(Wrapper):
        def list(self, under: str = "", *, after: Any = None, until: Any = None) -> Any:
            for number, item in enumerate(self.inner.list(under, after=after, until=until)):
                if number == shown:
                    fired.append(item)
                    raise BusyError("cut", op="list")
                yield item

    fired: list[object] = []
    shutil.rmtree(world.src / "d0")
    result, gone = applied(world, Breaking)
    assert fired
    assert gone == NAMES[: min(shown, 4)]
    assert result is None or result.exit_code == 7


def test_a_root_that_is_gone_or_empty_deletes_nothing(world: World) -> None:
    shutil.rmtree(world.src)
    assert applied(world) == (None, [])
    world.src.mkdir()
    result, gone = applied(world)
    assert gone == []
    assert result is not None
    assert result.exit_code == 4


@pytest.mark.parametrize(("deletes", "code"), [(6, 0), (7, 4)])
def test_over_the_guard_nothing_is_even_begun(world: World, deletes: int, code: int) -> None:
    """Half of twelve may go, no more."""
    for name in NAMES[:deletes]:
        world.remove(name)
    calls: list[tuple[str, str]] = []
    result, gone = applied(world, lambda store: Counting(store, calls))
    assert result is not None
    assert result.exit_code == code
    assert gone == (NAMES[:deletes] if not code else [])
    assert bool(mutations(calls)) == (not code)


def test_what_changed_there_stays(world: World) -> None:
    """Before the plan, a conflict; after it, one all the same."""
    world.remove("d0/f0")
    world.remove("d0/f1")
    edit(world, "d0/f0")

    def late(_plan: object) -> bool:
        edit(world, "d0/f1")
        return True

    result = world.apply(approve=late)
    assert result.exit_code == 3
    assert {"d0/f0", "d0/f1"} <= world.there().keys()
    assert [conflict.key for conflict in result.conflicts] == ["d0/f0"]
    assert [(outcome.key, outcome.outcome) for outcome in result.outcomes] == [("d0/f1", "conflict")]


def edit(world: World, name: str) -> None:
    """Somebody else writes in the target."""
    with world.house(write=True) as house:
        body = Body(size_bytes=7, open=lambda: BytesIO(b"foreign"))
        house.mappings[0].target.write(name, body, expect=ANY)
