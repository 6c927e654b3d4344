"""What a saved plan, a rollback, a unit and a watch rarely meet."""

from __future__ import annotations

from pathlib import Path
import threading
from types import SimpleNamespace
from typing import Any
import uuid

from msgspec.structs import replace
import pytest

from reconcile.core.change import Action, Change, Reason
from reconcile.core.entry import ANY, Digest, Entry, Version
from reconcile.core.errors import (
    DamagedError,
    StalePlanError,
    StoppedError,
)
from reconcile.core.outcome import Outcome
from reconcile.core.record import Record
from reconcile.flow import mending, stale, unit, watching
from reconcile.flow.applying import Hooks
from reconcile.flow.clock import RealClock
from reconcile.flow.stale import check_plan
from reconcile.flow.step import Done, Step
from reconcile.flow.undo_evidence import Evidence
from reconcile.flow.undoing import Before, UndoStep
from reconcile.ports import Past
from reconcile.spec.load import build
from reconcile.state.lease import acquire
from tests.flow.failing import failing
from tests.flow.small_trees import make
from tests.flow.undo_kit import put_there, undo
from tests.flow.undo_kit import why as why_not
from tests.flow.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, f"memory://{uuid.uuid4().hex}", options={"guard": {"max_delete": "off"}})


# --- a saved plan


def test_a_plan_of_another_mapping_or_a_source_that_is_gone_is_stale(world: World) -> None:
    world.put(a="1", b="2")
    plan = world.plan(pinned=True)
    with world.house(write=False) as house:
        check_plan(house, plan)
    world.remove("a")
    with world.house(write=False) as house, pytest.raises(StalePlanError, match="the source is gone since"):
        check_plan(house, plan)
    world.put(a="1")
    hidden = world.src / "a"
    hidden.unlink()
    hidden.symlink_to("b")
    with world.house(write=False) as house, pytest.raises(StalePlanError):
        check_plan(house, plan)
    elsewhere = World(world.root, f"memory://{uuid.uuid4().hex}", world.options)
    with elsewhere.house(write=False) as house:
        house.spec_digest = plan.header.spec
        with pytest.raises(StalePlanError, match="not the one it was made for"):
            check_plan(house, plan)


def test_a_large_plan_is_compared_with_one_listing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stale, "LISTED_ABOVE", 1)
    world.put(a="1", b="2", c="3")
    world.settled()
    world.put(a="11", b="22")
    plan = world.plan(pinned=True)
    failing(world, "stat")
    with world.house(write=False) as house:
        check_plan(house, plan)
    world.around = None
    put_there(world, "b", "changed since")
    with world.house(write=False) as house, pytest.raises(StalePlanError, match="the target changed since"):
        check_plan(house, plan)


# --- rollback


@pytest.mark.parametrize(("left", "is_old"), [(None, True), ("2", True), ("1", False)])
def test_what_was_accepted_and_stands_there_again_is_as_it_was(left: str | None, is_old: bool) -> None:
    """Nothing is known of it but its version: unless the run left that very version itself."""
    accepted = Record("a", 1, Digest(bytes(32)), Version("1"), accepted=True)
    after = replace(accepted, version=Version(left), accepted=False) if left is not None else None
    nobody: Any = SimpleNamespace()
    past = Past("a", Version("1"), accepted, left=after)
    assert Evidence.is_old(nobody, past, Entry("a", 1, Version("1"))) is is_old


def step(world: World, house: Any, before: Before, kind: type = UndoStep) -> Any:
    wired = house.mappings[0]
    return kind(wired, 9, house.state.journal, {"a": before})


def test_a_rollback_that_must_keep_what_it_replaces_and_cannot_is_held(world: World) -> None:
    for content in ("1", "22"):
        make(world.src, {"a": content})
        world.apply()
    world.options["keep"] = "always"
    failing(world, "", keeps="none")
    assert why_not(undo(world, 2)) == {"a": "the store cannot keep what is there now first"}


def test_other_bytes_than_were_there_are_no_restoration(world: World) -> None:
    put_there(world, "a", "now")
    with world.house(write=True) as house:
        kept = house.mappings[0].target.stat("a")
        change = Change(1, "docs", Action.UPDATE, "a", Reason.UNDONE, expect=ANY)
        nobody_knew = step(world, house, Before(None, None, kept))
        assert nobody_knew._known(Before(None, None, kept)) is not None
        with pytest.raises(DamagedError, match="other bytes came back"):
            nobody_knew._came(change, kept, Digest(bytes(32)), "")
        with pytest.raises(DamagedError, match="not what was there"):
            nobody_knew._known(Before(None, Digest(bytes(32)), kept))


def test_what_was_forgotten_or_taken_away_since_is_kept(world: World) -> None:
    make(world.src, {"a": "1", "b": "1"})
    world.apply()
    make(world.src, {"a": "22", "b": "22", "c": "new"})
    world.apply()
    with world.house(write=True) as house:
        lease = acquire(house.state, "state rm", clock=RealClock())
        mending.mending.remove(house.state, house.mappings[0].scope.id, lambda key: key == "c", lease)  # type: ignore[arg-type]
        lease.release()
        target = house.mappings[0].target
        target.delete([("a", ANY)])
    assert why_not(undo(world, 2)) == {"a": "changed since", "c": "changed since"}
    assert world.there() == {"b": "1", "c": "new"}


# --- a unit


def test_a_unit_of_which_one_cannot_be_prepared_fails_as_one(world: World) -> None:
    changes = [Change(at, "docs", Action.DELETE, name, Reason.GONE) for at, name in enumerate("ab", 1)]
    with world.house(write=True) as house:
        ours = Step(house.mappings[0], 1, house.state.journal, pinned=False)
        why_done = Done(changes[1], Outcome(2, "docs", "delete", "b", "failed", error="may not"))
        ours.prepare = lambda change: why_done if change.key == "b" else Done  # type: ignore[method-assign,assignment,return-value]
        ended = unit.run_unit(ours, changes)
    assert [one.outcome.error for one in ended] == ["b, which shares its fate, failed: may not", "may not"]


# --- watching


def test_a_watch_of_a_shared_state_hears_only_its_cache_as_its_own(tmp_path: Path) -> None:
    spec = build(
        {"state": "memory://s/x.db", "mappings": {"m": {"source": ".", "target": "memory://x"}}}, root=tmp_path
    )
    assert len(list(watching._ours(spec))) == 1


def test_a_watch_that_is_stopped_while_it_waits_for_a_store_ends(tmp_path: Path, monkeypatch: Any) -> None:
    spec = build({"mappings": {"m": {"source": str(tmp_path), "target": "memory://x"}}}, root=tmp_path)
    stop = threading.Event()
    heard: list[Any] = []

    def stopped(*_args: object) -> Any:
        stop.set()
        raise StoppedError("stopped while waiting")

    monkeypatch.setattr(watching, "apply", stopped)
    hooks = Hooks(heard.append, lambda _plan: True, RealClock(), stop)
    watching.watch(spec, watching.WatchOptions(), hooks)
    assert heard == []


def test_an_edit_of_the_spec_that_changes_nothing_is_taken_over_without_a_word(tmp_path: Path) -> None:
    spec = build({"mappings": {"m": {"source": str(tmp_path), "target": "memory://x"}}}, root=tmp_path)
    again = replace(spec)
    heard: list[Any] = []
    hooks = Hooks(heard.append, lambda _plan: True, RealClock(), threading.Event())
    watch = watching._Watch(spec, watching.WatchOptions(), hooks, watching.Surroundings(reload=lambda: again))
    watch._spec_seen = "another"  # type: ignore[assignment]
    watch._take_spec()
    assert heard == []
    assert watch._spec is again
