"""Rollbacks that can do only a part: one path of a chain of moves, or nothing at all."""

from __future__ import annotations

import pytest

from reconcile.core.errors import DeniedError, LockedError
from reconcile.flow.wire import Reach
from reconcile.stores.wrapper import Wrapper
from tests.flow.small_trees import make
from tests.flow.test_rollback import changed, world
from tests.flow.undo_kit import became, undo
from tests.flow.world import World

__all__ = ["world"]


class Shut(Wrapper):
    """Nothing can be written there any more."""

    def copy(self, *_args, **_named):  # type: ignore[no-untyped-def]
        raise DeniedError("may not", op="copy", path="a")

    move = copy

    def delete(self, items):  # type: ignore[no-untyped-def]
        return [DeniedError("may not", op="delete", path=key) for key, _ in items]


def test_a_rollback_that_failed_everywhere_holds_nobody_back(world: World) -> None:
    changed(world, {"a": "1"}, {"a": "2", "b": "new"})
    world.around = Shut
    result = undo(world, hold=True)
    assert [one.outcome for one in result.outcomes] == ["failed", "failed"]
    assert (result.exit_code, result.hold) == (7, "")
    world.around = None
    assert world.apply().exit_code == 0
    assert world.there() == {"a": "2", "b": "new"}


def test_a_rollback_that_failed_everywhere_leaves_the_hold_of_the_one_before(world: World) -> None:
    changed(world, {"a": "1", "c": "1"}, {"a": "2", "c": "1"})
    make(world.src, {"a": "2", "c": "2"})
    world.apply()
    undo(world, hold=True)
    world.around = Shut
    assert undo(world, 2, hold=True).hold
    with pytest.raises(LockedError, match="rollback of run 2"):
        world.apply()


CHAIN = {"a": "one", "b": "two", "c": "three", "log": "new", "steady": "0"}
MOVED = {"b": "one", "c": "two", "d": "three", "log": "newer", "log.1": "new", "steady": "1"}


@pytest.mark.parametrize("path", ["a", "b", "c", "d"])
def test_a_chain_of_moves_is_undone_as_a_whole(world: World, path: str) -> None:
    """One path of it cannot come back without the others: its content stands in the place of the next."""
    changed(world, CHAIN, MOVED)
    result = undo(world, reach=Reach(paths=(path,)))
    assert became(result) == {"a": "restored", "b": "restored", "c": "restored", "d": "removed"}
    assert world.there() == {**CHAIN, "log": "newer", "log.1": "new", "steady": "1"}
    world.apply()
    assert world.there() == MOVED


@pytest.mark.parametrize("path", ["log", "log.1"])
def test_what_was_moved_away_and_written_anew_is_undone_with_it(world: World, path: str) -> None:
    changed(world, CHAIN, MOVED)
    assert became(undo(world, reach=Reach(paths=(path,)))) == {"log": "restored", "log.1": "removed"}
    assert world.there() == {key: text for key, text in {**MOVED, "log": "new"}.items() if key != "log.1"}
