"""What the settling of a run that died, a rollback, and a gc rarely meet."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self
import uuid

import pytest

from reconcile.core.entry import ABSENT, Digest, Version
from reconcile.core.errors import BusyError, DeniedError, FencedError
from reconcile.core.events import Start
from reconcile.core.outcome import Run
from reconcile.flow import collecting
from reconcile.flow.clock import RealClock
from reconcile.flow.collecting import collect
from reconcile.flow.settling import settle
from reconcile.ports import Intent
from reconcile.state.lease import acquire
from tests.flow.failing import Tidy, failing
from tests.flow.small_trees import make
from tests.flow.undo_kit import became, put_there, undo, why
from tests.flow.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, f"memory://{uuid.uuid4().hex}", options={"guard": {"max_delete": "off"}})


# --- settling


def open_run(world: World, *intents: dict[str, Any]) -> None:
    """A run that died with these intents."""
    with world.house(write=True) as house:
        lease = acquire(house.state, "apply", clock=RealClock())
        scope = house.mappings[0].scope
        house.state.open_scope(scope, lease)
        run = house.state.begin(Run(0, "apply", 1.0, mappings=["docs"]), lease)
        house.state.journal.intend(
            [
                Intent(**{"run": run, "seq": seq, "scope": scope.id, "expect": ABSENT, **told})
                for seq, told in enumerate(intents)
            ]
        )
        lease.release()


def settled(world: World) -> list[str]:
    """Settles; returns what is still open."""
    with world.house(write=True) as house:
        lease = acquire(house.state, "apply", clock=RealClock())
        settle(house, lease)
        lease.release()
        return [intent.key for intent in house.state.journal.open_intents()]


def test_an_intent_whose_target_cannot_be_asked_stays_open(world: World) -> None:
    open_run(world, {"key": "a", "action": "create", "token": "t"}, {"key": "b", "action": "create", "token": "t"})
    made = failing(world, "stat", "a")
    assert settled(world) == ["a"]
    assert made[-1].fired
    world.around = None
    assert settled(world) == []


def test_a_half_write_that_is_busy_is_tried_again_and_one_that_is_denied_is_left(world: World) -> None:
    for error, still_open in ((BusyError("later", op="discard"), ["a"]), (DeniedError("no", op="discard"), [])):
        open_run(world, {"key": "a", "action": "create", "token": "t"})
        made = failing(world, "discard", kind=Tidy, error=error)
        assert settled(world) == still_open
        assert made[-1].fired
        world.around = None
        settled(world)


def test_of_what_was_kept_nothing_is_told_where_it_cannot_be_asked(world: World) -> None:
    world.put(a="new")
    world.settled()
    with world.house(write=True) as house:
        there = house.mappings[0].target.stat("a")
    assert there is not None
    digest = Digest(b"\1" * 32)
    open_run(world, {"key": "a", "action": "delete", "expect": there.version, "digest": digest})
    with world.house(write=True) as house:
        house.mappings[0].target.delete([("a", there.version)])
    made = failing(world, "stat", ".reconcile/undo/2/a")
    assert settled(world) == []
    assert made[-1].fired
    with world.house(write=False) as house:
        assert [one.kept for one in house.state.outcomes(2)] == [""]


def test_a_content_with_another_bit_is_not_ours(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(a="1")
    world.settled()
    with world.house(write=False) as house:
        [record] = house.state.records(house.mappings[0].scope.id)
    for executable in (True, False):
        intent = {"key": "a", "action": "update", "expect": Version("old"), "digest": record.digest, "size": 1}
        open_run(world, intent | {"executable": executable})
        assert settled(world) == []
        with world.house(write=False) as house:
            [outcome] = house.state.outcomes(house.state.runs()[0].id)
        assert outcome.outcome == ("skipped" if executable else "done"), outcome


# --- rollback


def test_a_run_in_another_target_is_not_undone_here(world: World) -> None:
    make(world.src, {"a": "1"})
    world.apply()
    make(world.src, {"a": "22"})
    world.apply()
    elsewhere = World(world.root, f"memory://{uuid.uuid4().hex}", world.options)
    elsewhere.apply()
    result = undo(elsewhere, 2)
    assert why(result) == {"a": "the run had another source, target or layout"}


def test_a_path_that_cannot_be_asked_keeps_back_no_other(world: World) -> None:
    for content in ("1", "22"):
        make(world.src, {"a": content, "b": content})
        world.apply()
    made = failing(world, "stat", ".reconcile/undo/2/a")
    result = undo(world, 2)
    assert made[-1].fired
    assert became(result) == {"a": "cannot", "b": "restored"}


def test_a_record_that_a_later_run_changed_is_kept(world: World) -> None:
    """What only was adopted is given back to nobody, once a later run sent something there."""
    put_there(world, "a", "1")
    make(world.src, {"a": "1"})
    world.apply()
    make(world.src, {"a": "22"})
    world.apply()
    result = undo(world, 1)
    assert why(result) == {"a": "changed since, by run 2"}


def test_a_store_that_cannot_be_tried_keeps_a_rollback_back(world: World, monkeypatch: Any) -> None:
    for content in ("1", "22"):
        make(world.src, {"a": content})
        world.apply()

    def probe(_self: Any) -> None:
        raise DeniedError("may not", op="probe")

    monkeypatch.setattr("reconcile.flow.learnt.Learnt.probe", probe)
    result = undo(world, 2, hold=True)
    assert (result.exit_code, why(result), result.hold) == (7, {"a": "held back: probe: may not"}, "")


def test_a_mapping_of_which_nothing_is_to_be_undone_is_left_alone(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.more = {"other": {"source": str(tmp_path / "x"), "target": str(tmp_path / "there")}}
    world.write("x", "1", tmp_path)
    for content in ("1", "22"):
        make(world.src, {"a": content})
        world.apply()
    assert became(undo(world, 2)) == {"a": "restored"}
    assert [event.actions for event in world.events if isinstance(event, Start)][-1] == 1


# --- gc


def test_a_gc_that_lost_its_lease_removes_nothing_more(tmp_path: Path, monkeypatch: Any) -> None:
    world = World(tmp_path)
    for content in ("1", "22"):
        make(world.src, {"a": content})
        world.apply()
    monkeypatch.setattr(collecting, "Heartbeat", Lost)
    with world.house(write=True) as house, pytest.raises(FencedError, match="nothing more was written"):
        collect(house, RealClock(), older_than_s=0)
    assert (world.out / ".reconcile/undo/2/a").exists()


class Lost:
    """A heartbeat that finds the lease another's."""

    def __init__(self, _lease: object) -> None:
        pass

    def is_set(self) -> bool:
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_what_gc_cannot_take_is_told(world: World, monkeypatch: Any) -> None:
    for content in ("1", "22"):
        make(world.src, {"a": content})
        world.apply()
    world.write("state/reconcile.db.replaced-1", "damaged once", world.root)
    made = failing(world, "delete")
    with world.house(write=True) as house:
        monkeypatch.setattr(house.state, "drop", _denied)
        later = SimpleNamespace(now=lambda: RealClock().now() + 90 * 86_400, monotonic=RealClock().monotonic)
        collected = collect(house, later, older_than_s=1)  # type: ignore[arg-type]
    assert made[-1].fired
    told = {where: problem.reason for where, problem in collected.problems}
    assert told == {"docs": "delete: may not", "state": "read-only"}


def _denied(*_: object) -> None:
    from reconcile.core.errors import StateError

    raise StateError("read-only", op="state")
