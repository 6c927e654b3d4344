"""R2: no lies in state. What is recorded as synced was there, whole, with the recorded digest, when it was recorded; at
no point of a crash does the state name a content that was never completely stored. What failed is never told as done.

The policy `drift: keep` is not such a lie: it records, on purpose, somebody else's version beside our own digest.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from reconcile.core.errors import ReconcileError
from reconcile.ports import HOOKS
from tests.crash import remembered
from tests.crash.conftest import room
from tests.crash.kinds import place
from tests.crash.room import Room
from tests.crash.scenarios import named
from tests.crash.stage import Stage
from tests.fakes.s3_faults import keep
from tests.flow.world import World

__all__ = ["room"]

CHANGED_STEPS = ("disk.", "file.", "log.")


@pytest.mark.parametrize("kind", ["local", "s3", "shared"])
@pytest.mark.parametrize("name", ["first apply", "everything"])
def test_no_moment_of_death_leaves_a_record_of_what_is_not_there(room: Room, kind: str, name: str) -> None:
    told = room.ask(kind=kind, scenario=name, lots=2, seed=2)
    assert told["failed"] == []
    assert told["points"] == 2


@pytest.mark.parametrize("change", [lambda _: b"", lambda data: data[:-1], lambda data: b"X" + data[1:]])
def test_a_store_that_keeps_other_bytes_is_believed_nothing(change: Any) -> None:
    with place("s3") as where:
        assert where.s3 is not None
        world = World(where.root, where.target, {"concurrency": 1})
        world.put(a="content a")
        world.settled()
        fault = where.s3.fault("put", keep(change), times=2)
        world.put(a="new content", b="content b")
        assert world.apply().exit_code == 7
        assert fault.fired == 2
        with world.house(write=False) as house:
            scope = house.mappings[0].scope.id
            records = {record.key: record for record in house.state.records(scope)}
        for key, record in records.items():
            if where.version(key) == record.version:
                assert sha256(where.contents()[key]).digest() == record.digest
        assert "b" not in records


class Failing:
    """The Nth moment of the steps of disk and state fails: before, nothing was done; after, its reply is lost."""

    def __init__(self, at: int) -> None:
        self._left = at
        self.fired = ""

    def __call__(self, step: str, _told: tuple[Any, ...], _done: bool) -> None:
        if step.startswith(CHANGED_STEPS):
            self._left -= 1
            if self._left == -1:
                self.fired = step
                raise OSError(5, "the disk fails")


def apply_failing(world: World, failing: Failing) -> bool:
    """Whether the run says that all went well."""
    HOOKS.append(failing)
    try:
        return world.apply().exit_code == 0
    except (ReconcileError, OSError):
        return False
    finally:
        HOOKS.remove(failing)


@pytest.mark.hazard("O02")
@pytest.mark.parametrize("name", ["create", "update", "delete", "move", "swap", "directory to file"])
def test_a_fault_at_every_step_is_never_told_as_success(name: str) -> None:
    """Success is said only of what is so, and nothing is lost or half, whatever fails; the next run makes it good."""
    with place("local") as where:
        stage = Stage(named(name), where)
        steps = [step for step in stage.steps() if step.startswith(CHANGED_STEPS)]
        fired = []
        for at in range(0, len(steps), 3):
            stage.prepare()
            failing = Failing(at)
            well = apply_failing(stage.world, failing)
            fired.append(failing.fired)
            stage.check()
            if well:
                there = {key: text.encode() for key, text in stage.scenario.finally_there.items()}
                assert there.items() <= where.contents().items(), f"success was told, with a fault at {failing.fired}"
            stage.recover()
        assert all(fired)
        assert {step.partition(".")[0] for step in fired} == {"disk", "file"}


def test_looking_for_lies_would_find_one() -> None:
    """The check itself: a record that names another content at the version that is there."""
    with place("local") as where:
        world = World(where.root, where.target)
        world.put(a="1")
        world.settled()
        [(key, version, digest)] = remembered.records(world, where)
        remembered.check([(key, version, digest)], where, {b"1"})
        for lie in (sha256(b"2").hexdigest(), sha256(b"never").hexdigest()):
            with pytest.raises(AssertionError, match="a is recorded"):
                remembered.check([(key, version, lie)], where, {b"1", b"2"})
