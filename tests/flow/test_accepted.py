"""A content of the target that was taken as it is, by decision: it is nobody's proof of what the source holds.

Its record keeps the digest of the source, so that a source that stays as it was is silent; nothing else may take that
digest for what the target holds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
import uuid

import pytest

from reconcile.core.change import Action, Reason
from reconcile.core.entry import ABSENT, ANY
from reconcile.core.outcome import Run
from reconcile.core.record import Record
from reconcile.flow.clock import RealClock
from reconcile.flow.planning import settled_conflicts
from reconcile.flow.verifying import verify
from reconcile.ports import Intent
from reconcile.state.lease import acquire
from tests.flow.failing import failing
from tests.flow.undo_kit import became, put_there, undo
from tests.flow.world import World

OPTIONS = {"keep": {"drift": "keep"}, "target": {"conflict": "target"}}


@pytest.fixture(params=["local", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    target = f"memory://{uuid.uuid4().hex}" if request.param == "memory" else ""
    return World(tmp_path, target, {"guard": {"max_delete": "off"}})


def accept(world: World, how: str) -> None:
    """The target holds FORREN under `a`, the source `source`, and a decision has settled it."""
    world.put(a="source", z="1")
    world.settled()
    world.options |= OPTIONS[how]
    put_there(world, "a", "FORREN")
    if how == "target":
        world.put(a="SOURCE")
    assert world.told() == ["accept a"]
    world.settled()


def record(world: World, key: str) -> Record | None:
    with world.house(write=False) as house:
        return house.state.record(house.mappings[0].scope.id, key)


def verified(world: World) -> tuple[int, list[str]]:
    with world.house(write=False) as house:
        found = verify(house, world.events.append)
        return found.exit_code, [one.key for one in found.differences]


@pytest.mark.parametrize("how", OPTIONS)
def test_the_record_says_that_it_was_accepted(world: World, how: str) -> None:
    accept(world, how)
    found, plain = record(world, "a"), record(world, "z")
    assert found is not None
    assert plain is not None
    assert (found.accepted, plain.accepted) == (True, False)


@pytest.mark.parametrize("how", OPTIONS)
def test_a_renamed_source_is_sent_and_not_moved(world: World, how: str) -> None:
    accept(world, how)
    here = world.here()["a"]
    world.move("a", "new")
    assert world.told() == ["delete a", "create new"]
    world.settled()
    assert world.there() == {"new": here, "z": "1"}


@pytest.mark.parametrize("how", OPTIONS)
def test_a_content_that_left_an_accepted_path_is_sent(world: World, how: str) -> None:
    """An update of the accepted path gives no content away either."""
    accept(world, how)
    here = world.here()["a"]
    world.move("a", "new")
    world.put(a="another one")
    assert world.told() == ["update a", "create new"]
    world.settled()
    assert world.there() == {"a": "another one", "new": here, "z": "1"}


def test_what_the_source_writes_next_makes_it_ours_again(world: World) -> None:
    accept(world, "keep")
    world.put(a="next")
    world.settled()
    found = record(world, "a")
    assert found is not None
    assert not found.accepted
    assert world.there() == {"a": "next", "z": "1"}


def test_a_target_that_got_the_content_of_the_source_is_adopted(world: World) -> None:
    accept(world, "keep")
    put_there(world, "a", "source")
    assert world.told() == ["adopt a"]
    world.settled()
    found = record(world, "a")
    assert found is not None
    assert not found.accepted


def test_a_target_that_changed_again_has_drifted_again(world: World) -> None:
    accept(world, "keep")
    del world.options["drift"]
    put_there(world, "a", "barren")
    assert world.told() == ["update a"]
    world.settled()
    assert world.there() == {"a": "source", "z": "1"}


@pytest.mark.parametrize("how", OPTIONS)
def test_verify_takes_it_as_decided_until_it_changes(world: World, how: str) -> None:
    accept(world, how)
    assert verified(world) == (0, [])
    put_there(world, "a", "barren")
    assert verified(world) == (8, ["a"])


@pytest.mark.parametrize("how", OPTIONS)
@pytest.mark.parametrize("option", ["checksum", "resend"])
def test_to_read_or_to_send_everything_again_leaves_the_decision(world: World, how: str, option: str) -> None:
    accept(world, how)
    world.options.pop("drift", None)
    world.options.pop("conflict", None)
    options: dict[str, Any] = {option: True}
    world.apply(**options)
    assert world.there()["a"] == "FORREN"


@pytest.mark.parametrize("how", OPTIONS)
def test_a_rollback_brings_it_back_as_it_stood(world: World, how: str) -> None:
    """Over an update: the kept copy is what was accepted, whatever the digest beside it says."""
    accept(world, how)
    old = world.here()["a"]
    world.put(a="overwritten")
    world.settled()
    assert became(undo(world)) == {"a": "restored"}
    assert world.there() == {"a": "FORREN", "z": "1"}
    world.put(a=old)
    assert world.told() == []
    assert verified(world) == (0, [])


def test_a_rollback_brings_back_what_was_deleted_and_not_what_was_sent_instead(world: World) -> None:
    accept(world, "keep")
    world.move("a", "new")
    world.settled()
    assert became(undo(world)) == {"a": "restored", "new": "removed"}
    assert world.there() == {"a": "FORREN", "z": "1"}


def test_a_rollback_without_a_copy_cannot(world: World) -> None:
    accept(world, "keep")
    world.options["keep"] = "never"
    world.put(a="overwritten")
    world.settled()
    assert became(undo(world)) == {"a": "cannot"}
    assert world.there() == {"a": "overwritten", "z": "1"}


def test_what_was_accepted_since_is_not_what_the_run_left(world: World) -> None:
    accept(world, "keep")
    result = undo(world, 1)
    assert became(result)["a"] == "kept"
    assert world.there()["a"] == "FORREN"


def test_a_file_that_was_accepted_as_gone_is_as_decided(world: World) -> None:
    """Its record is of nothing; its content comes back only when the source writes another."""
    world.put(a="source", z="1")
    world.settled()
    world.options["drift"] = "keep"
    with world.house(write=True) as house:
        assert list(house.mappings[0].target.delete([("a", ANY)])) == [None]
    world.settled()
    assert verified(world) == (0, [])
    world.move("a", "new")
    world.settled()
    assert world.there() == {"new": "source", "z": "1"}


def test_a_run_that_died_before_it_brought_such_a_file_back_is_undone_by_nothing(world: World) -> None:
    world.put(a="source")
    world.settled()
    world.options["drift"] = "keep"
    with world.house(write=True) as house:
        assert list(house.mappings[0].target.delete([("a", ANY)])) == [None]
    world.settled()
    with world.house(write=True) as house:
        lease = acquire(house.state, "apply", clock=RealClock())
        number = house.state.begin(Run(0, "apply", RealClock().now(), mappings=["docs"]), lease)
        house.state.journal.intend([Intent(number, 1, house.mappings[0].scope.id, "a", "create", ABSENT, b"d" * 32, 9)])
        lease.release()
    result = undo(world, number)
    assert (result.exit_code, became(result)) == (0, {})


@pytest.mark.parametrize("how", OPTIONS)
def test_a_plan_says_what_else_goes_with_an_update_or_a_delete(world: World, how: str) -> None:
    """Somebody decided for those bytes, and they are in no source."""
    accept(world, how)
    world.put(a="next")
    [change] = world.plan().changes()
    assert (change.action, change.reason, change.drift) == (Action.UPDATE, Reason.CHANGED_OVER, False)
    world.remove("a")
    [change] = world.plan().changes()
    assert (change.action, change.reason, change.drift) == (Action.DELETE, Reason.GONE_OVER, False)


@pytest.fixture
def bare(world: World) -> World:
    """A world whose target can keep nothing of what it overwrites."""
    failing(world, "", keeps="none")
    return world


@pytest.mark.parametrize("gone", [False, True])
def test_where_nothing_is_kept_it_is_held(bare: World, gone: bool) -> None:
    accept(bare, "keep")
    bare.remove("a") if gone else bare.put(a="next")
    reason = Reason.DELETED_CHANGED if gone else Reason.BOTH_CHANGED
    assert [(conflict.key, conflict.reason) for conflict in bare.plan().conflicts] == [("a", reason)]
    assert bare.apply().exit_code == 3
    bare.options["keep"] = "never"
    bare.settled()
    bare.around = None
    assert bare.there() == ({"z": "1"} if gone else {"a": "next", "z": "1"})


@pytest.mark.parametrize("gone", [False, True])
def test_where_nothing_is_kept_and_the_target_wins_it_stays(bare: World, gone: bool) -> None:
    accept(bare, "target")
    bare.remove("a") if gone else bare.put(a="next")
    assert bare.told() == [f"{'forget' if gone else 'accept'} a"]
    bare.settled()
    bare.around = None
    assert bare.there() == {"a": "FORREN", "z": "1"}


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize(("winner", "left"), [("source", "next"), ("target", "FORREN")])
def test_a_person_settles_what_is_held(bare: World, gone: bool, winner: str, left: str) -> None:
    accept(bare, "keep")
    bare.remove("a") if gone else bare.put(a="next")
    assert bare.apply().exit_code == 3
    with bare.house(write=True) as house:
        settles = settled_conflicts(house)
    assert bare.apply(winner=winner, approve=settles).exit_code == 0
    bare.settled()
    bare.around = None
    assert bare.there() == ({"z": "1"} if gone and winner == "source" else {"a": left, "z": "1"})


def test_the_bit_of_a_source_says_nothing_of_what_was_accepted(tmp_path: Path) -> None:
    world = World(tmp_path, options={"guard": {"max_delete": "off"}})
    accept(world, "keep")
    (world.src / "a").chmod(0o755)
    world.settled()
    assert world.there() == {"a": "FORREN", "z": "1"}
