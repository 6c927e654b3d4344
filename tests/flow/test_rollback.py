"""Stories of rollbacks: every kind of action comes back, and nothing that was made since is touched."""

from __future__ import annotations

from pathlib import Path
import threading
import uuid

import pytest

from reconcile.core.entry import ANY, Entry
from reconcile.core.errors import DeniedError, LockedError, UsageError
from reconcile.stores.wrapper import Wrapper
from tests.flow.small_trees import make
from tests.flow.undo_kit import became, put_there, undo, why
from tests.flow.world import World

STORES = ["local", "memory"]


@pytest.fixture(params=STORES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    url = f"memory://{uuid.uuid4().hex}" if request.param == "memory" else ""
    return World(tmp_path, url, {"guard": {"max_delete": "off"}})


BEFORE = {"edited": "old", "gone": "to go", "old-name": "moved about", "swap-a": "one", "swap-b": "other", "log": "0"}
AFTER = {
    "edited": "new!",
    "new/name": "moved about",
    "swap-a": "other",
    "swap-b": "one",
    "log": "new",
    "log.1": "0",
    "fresh": "quite new",
}


def changed(world: World, before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    """Applies one tree, then the other; returns what was there in between."""
    make(world.src, before)
    assert world.apply().exit_code == 0
    there = world.there()
    make(world.src, after)
    assert world.apply().exit_code == 0
    return there


@pytest.mark.hazard("O03")
def test_every_kind_of_action_comes_back(world: World) -> None:
    make(world.src, BEFORE)
    world.apply()
    make(world.src, AFTER)
    told = world.told()
    assert {line.split()[0] for line in told} >= {"create", "update", "delete", "move"}
    world.apply()
    result = undo(world)
    assert result.exit_code == 0, why(result)
    assert world.there() == BEFORE
    assert result.undoes == 2
    assert set(became(result).values()) == {"restored", "removed"}
    assert world.told() == told, "the next plan wants what the last one wanted"
    assert world.apply().exit_code == 0
    assert world.there() == AFTER


def test_rolling_back_twice_is_harmless(world: World) -> None:
    there = changed(world, BEFORE, AFTER)
    undo(world)
    again = undo(world)
    assert (again.exit_code, again.outcomes, again.run) == (0, [], 0)
    assert world.there() == there


def test_a_change_made_since_is_kept(world: World) -> None:
    make(world.src, {"a": "1", "b": "2"})
    world.apply()
    make(world.src, {"a": "11", "b": "22", "c": "33"})
    world.apply()
    make(world.src, {"a": "11", "b": "222", "c": "33"})
    world.apply()
    result = undo(world, 2)
    assert became(result) == {"a": "restored", "b": "kept", "c": "removed"}
    assert why(result) == {"b": "changed since, by run 3"}
    assert result.exit_code == 7
    assert world.there() == {"a": "1", "b": "222"}


@pytest.mark.hazard("O03")
def test_a_strangers_change_since_is_kept_though_it_is_as_long(world: World) -> None:
    changed(world, {"a": "1"}, {"a": "2"})
    put_there(world, "a", "9")
    result = undo(world)
    assert became(result) == {"a": "kept"}
    assert result.exit_code == 7
    assert world.there() == {"a": "9"}


@pytest.mark.hazard("O03")
def test_what_changed_after_a_rollback_is_never_called_unchanged(world: World) -> None:
    changed(world, {"a": "1", "b": "1"}, {"a": "2", "b": "2", "c": "2"})
    undo(world)
    put_there(world, "a", "9")
    put_there(world, "c", "9")
    result = undo(world, 2)
    assert (became(result), result.exit_code) == ({"a": "kept", "c": "kept"}, 7)
    assert why(result) == {"a": "changed since", "c": "changed since"}
    assert world.there() == {"a": "9", "b": "1", "c": "9"}


def test_runs_come_back_one_after_the_other(world: World) -> None:
    there = changed(world, {"a": "1"}, {"a": "2", "b": "x"})
    make(world.src, {"a": "3"})
    world.apply()
    assert undo(world, 3).exit_code == 0
    assert world.there() == {"a": "2", "b": "x"}
    assert undo(world, 2).exit_code == 0
    assert world.there() == there
    assert undo(world, 1).exit_code == 0
    assert world.there() == {}


def test_what_is_gone_for_good_is_told(world: World) -> None:
    world.options["keep"] = "never"
    changed(world, {"a": "1", "b": "2"}, {"a": "11", "c": "3"})
    result = undo(world)
    assert became(result) == {"a": "cannot", "b": "cannot", "c": "removed"}
    assert why(result)["b"].startswith("no copy")
    assert world.there() == {"a": "11"}


@pytest.mark.hazard("R26")
def test_a_kept_copy_that_was_damaged_is_not_brought_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    changed(world, {"a": "1"}, {"a": "22"})
    (kept,) = (world.out / ".reconcile/undo/2").iterdir()
    kept.write_text("x")
    result = undo(world)
    assert became(result) == {"a": "cannot"}
    assert world.there() == {"a": "22"}


def test_strangers_content_comes_back_as_drift(world: World) -> None:
    make(world.src, {"a": "ours"})
    world.apply()
    with world.house(write=True) as house:
        house.mappings[0].target.delete([("a", ANY)])
    put_there(world, "a", "a stranger")
    told = world.plan()
    assert [change.drift for change in told.changes()] == [True]
    world.apply()
    assert world.there() == {"a": "ours"}
    assert became(undo(world)) == {"a": "restored"}
    assert world.there() == {"a": "a stranger"}
    assert [change.drift for change in world.plan().changes()] == [True]


def test_records_come_back(world: World) -> None:
    put_there(world, "a", "equal")
    make(world.src, {"a": "equal"})
    assert world.told() == ["adopt a"]
    world.apply()
    result = undo(world, 1)
    assert (result.exit_code, became(result)) == (0, {})
    assert world.told() == ["adopt a"]


def test_a_destroyed_target_comes_back(world: World) -> None:
    make(world.src, BEFORE)
    world.apply()
    world.apply(kind="destroy")
    assert world.there() == {}
    assert undo(world).exit_code == 0
    assert world.there() == BEFORE
    assert world.told() == []


def test_a_hold_is_left_behind(world: World) -> None:
    changed(world, {"a": "1"}, {"a": "2"})
    result = undo(world, hold=True)
    with pytest.raises(LockedError, match="rollback of run 2") as locked:
        world.apply()
    assert f"reconcile unlock {result.hold}" in locked.value.hint
    again = undo(world, hold=True)
    assert again.exit_code == 0
    assert again.hold not in ("", result.hold)
    assert undo(world).hold == ""
    assert world.apply().exit_code == 0


def test_a_hold_outlives_who_declines_and_none_is_left_for_nothing(world: World) -> None:
    changed(world, {"a": "1"}, {"a": "2"})
    undo(world, hold=True)
    with pytest.raises(UsageError, match="declined"):
        undo(world, 1, approve=lambda _plan: False)
    with pytest.raises(LockedError, match="rollback of run 2"):
        world.apply()
    undo(world)
    put_there(world, "a", "a stranger")
    assert undo(world, 1, hold=True).hold == "", "nothing was changed"


def test_what_nobody_did_is_not_undone(world: World) -> None:
    with pytest.raises(UsageError, match="no run has changed anything"):
        undo(world)
    make(world.src, {"a": "1"})
    world.apply()
    with pytest.raises(UsageError, match="there is no run 7"):
        undo(world, 7)


def test_who_declines_has_changed_nothing(world: World) -> None:
    changed(world, {"a": "1"}, {"a": "2"})
    with pytest.raises(UsageError, match="declined"):
        undo(world, approve=lambda _plan: False)
    assert world.there() == {"a": "2"}
    world.settled()


def test_a_stop_ends_it_cleanly_and_the_next_goes_on(world: World) -> None:
    there = changed(world, BEFORE, AFTER)
    stop = threading.Event()

    def stop_now(_plan: object) -> bool:
        stop.set()
        return True

    result = undo(world, stop=stop, approve=stop_now)
    assert (result.exit_code, result.stopped) == (130, True)
    assert result.left > 0
    assert world.there() == AFTER
    assert undo(world).exit_code == 0
    assert world.there() == there


def test_what_cannot_be_looked_at_keeps_back_no_other_path(world: World) -> None:
    changed(world, {"a": "1", "b": "2"}, {"a": "11", "b": "22"})

    class Unreadable(Wrapper):
        def stat(self, key: str) -> Entry | None:
            if key == "a":
                raise DeniedError("not for you", op="stat", path=key)
            return super().stat(key)

    world.around = Unreadable
    result = undo(world)
    world.around = None
    assert became(result) == {"a": "cannot", "b": "restored"}
    assert "not for you" in why(result)["a"]
    assert world.there() == {"a": "11", "b": "2"}


def test_the_newest_run_that_changed_something_is_undone(world: World) -> None:
    """Neither one that only recorded, nor a rollback."""
    changed(world, {"a": "1"}, {"a": "2"})
    put_there(world, "b", "equal")
    make(world.src, {"a": "2", "b": "equal"})
    assert world.apply().counts == {"adopt": 1}
    result = undo(world)
    assert result.undoes == 2
    assert undo(world).undoes == 2


def test_what_is_protected_by_now_is_kept(world: World) -> None:
    changed(world, {"a": "1", "b": "2"}, {"a": "11", "c": "3"})
    world.options["protect"] = ["a", "c"]
    result = undo(world)
    assert became(result) == {"a": "kept", "b": "restored", "c": "kept"}
    assert set(why(result).values()) == {"protected"}
    assert world.there() == {"a": "11", "b": "2", "c": "3"}


def test_a_chain_of_moves_with_a_stuck_end_loses_nothing(world: World) -> None:
    before = {"z.1": "one", "y.2": "two", "x.3": "three"}
    changed(world, before, {"y.2": "one", "x.3": "two", "w.4": "three", "z.1": "new"})
    put_there(world, "z.1", "a stranger")
    assert set(became(undo(world)).values()) == {"kept"}
    assert world.there() == {"y.2": "one", "x.3": "two", "w.4": "three", "z.1": "a stranger"}


def test_a_strangers_bytes_that_were_kept_and_are_gone_cannot_come_back(world: World) -> None:
    """What the run itself had put there is never taken for what was there before it."""
    make(world.src, {"a": "ours"})
    world.apply()
    put_there(world, "a", "a stranger")
    world.apply()
    with world.house(write=True) as house:
        house.mappings[0].target.delete([(".reconcile/undo/2/a", ANY)])
    assert became(undo(world)) == {"a": "cannot"}
    assert world.there() == {"a": "ours"}
