"""The law of rollback: whatever a run did, undoing it gives back what was there, except where somebody changed it."""

from __future__ import annotations

from pathlib import Path
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from reconcile.stores.wrapper import Wrapper
from tests.flow.small_trees import NAMES, fits, make, trees
from tests.flow.undo_kit import became, put_there, undo, why
from tests.flow.watchers import holdings
from tests.flow.world import World

Tree = dict[str, str]
KINDS = pytest.mark.parametrize("kind", ["local", "memory"])


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("undone")


def fresh(room: Path, kind: str) -> World:
    name = uuid.uuid4().hex
    (room / name).mkdir()
    url = "" if kind == "local" else f"memory://{name}"
    return World(room / name, url, {"guard": {"max_delete": "off"}, "conflict": "source"})


def all_of(world: World) -> set[bytes]:
    with world.house(write=False) as house:
        store = house.mappings[0].target
        return set(holdings(store.inner if isinstance(store, Wrapper) else store).values())


@KINDS
@pytest.mark.hazard("O03")
@given(before=trees(), after=trees(), drift=st.dictionaries(st.sampled_from(NAMES), st.just("drifted"), max_size=2))
@settings(max_examples=15, deadline=None)
def test_a_run_undone_leaves_what_was_there(room: Path, kind: str, before: Tree, after: Tree, drift: Tree) -> None:
    world = fresh(room, kind)
    make(world.src, before)
    world.apply()
    for name, text in drift.items():
        if name in before or fits(world.there(), name):
            put_there(world, name, text)
    make(world.src, after)
    there, told = world.there(), world.told()
    applied = world.apply()
    if not applied.run:
        return
    result = undo(world, applied.run)
    assert result.exit_code == 0, why(result)
    assert world.there() == there
    assert world.told() == told, "what the source wants is what it wanted"
    again = undo(world, applied.run)
    assert (again.run, world.there()) == (0, there), "nothing more is done"
    kept = {key for key, text in there.items() if text == "drifted"}
    assert set(became(again)) <= kept, "only of strangers' bytes nothing tells whether they are still those"


@KINDS
@pytest.mark.hazard("O03")
@given(before=trees(), after=trees(), since=st.sets(st.sampled_from(NAMES), max_size=3))
@settings(max_examples=15, deadline=None)
def test_what_changed_since_is_never_touched(room: Path, kind: str, before: Tree, after: Tree, since: set[str]) -> None:
    world = fresh(room, kind)
    make(world.src, before)
    world.apply()
    there = world.there()
    make(world.src, after)
    applied = world.apply()
    if not applied.run:
        return
    left = world.there()
    strange = {name: f"stranger {name}" for name in since if name in left or fits(left, name)}
    strange = {name: text for name, text in strange.items() if fits(strange.keys() - {name}, name)}  # type: ignore[arg-type]
    for name, text in strange.items():
        put_there(world, name, text)
    contents = all_of(world)
    result = undo(world, applied.run)
    now = world.there()
    assert {name: now.get(name) for name in strange} == strange
    assert contents - all_of(world) == set(), "no content is gone"
    told = became(result)
    for name in {*there, *left} - strange.keys():
        if told.get(name) in ("kept", "cannot", None):
            assert now.get(name) in (left.get(name), there.get(name)), name
        else:
            assert now.get(name) == there.get(name), name
