"""What people do to the state by hand, below the commands: control files, leases, scopes."""

from __future__ import annotations

import io

import pytest
from world import World

from reconcile.core.entry import ANY
from reconcile.core.errors import DeniedError, FencedError, LockedError, UsageError
from reconcile.flow.clock import RealClock
from reconcile.flow.mending import leased, named_scope, push, remove, reset
from reconcile.ports import Body
from reconcile.spec.load import build
from reconcile.stores.memory import MemoryStore
from reconcile.stores.wrapper import Wrapper

OURS = (".reconcile/probe-0a1b-1", ".reconcile/probe-0a1b-2", ".reconcile/dirs")
KEPT = (".reconcile/undo/1/a.txt", ".reconcile/trash/b.txt", ".reconcile/park/2/c.txt", ".reconcile/who/knows")


def _put(store: MemoryStore, *keys: str) -> None:
    for key in keys:
        store.write(key, Body(size_bytes=1, open=lambda: io.BytesIO(b"x"), data=b"x"), expect=ANY)


@pytest.fixture
def world(tmp_path, request):
    world = World(tmp_path, target=f"memory://{request.node.name}")
    world.put(a="alpha", sub__b="beta")
    world.settled()
    return world


def test_reset_takes_our_notes_and_neither_data_nor_kept_bytes(world):
    store = MemoryStore(world.target.removeprefix("memory://"))
    _put(store, *OURS, *KEPT)
    with world.house(write=True) as house:
        assert reset(house, RealClock()) == len(OURS)
        assert house.state.scopes() == []
    assert world.there() == {"a": "alpha", "sub/b": "beta"}
    assert {entry.key for entry in store.list(".reconcile")} == set(KEPT)
    assert world.told() == ["adopt a", "adopt sub/b"]


def test_reset_tells_when_it_could_not_take_them(world):
    class Denying(Wrapper):
        def delete(self, items):
            return [DeniedError("no", op="delete", path=key) for key, _ in items]

    _put(MemoryStore(world.target.removeprefix("memory://")), *OURS)
    world.around = Denying
    with world.house(write=True) as house, pytest.raises(DeniedError):
        reset(house, RealClock())


@pytest.mark.hazard("T07")
def test_nothing_is_mended_under_another_lease(world):
    with world.house(write=True) as house, world.house(write=True) as other:
        with leased(house.state, "apply", RealClock()):
            for mend in (
                lambda: reset(other, RealClock()),
                lambda: remove(other.state, [other.mappings[0].scope], lambda _key: True, RealClock()),
            ):
                with pytest.raises(LockedError):
                    mend()
        assert len(list(house.state.records(house.mappings[0].scope.id))) == 2


@pytest.mark.hazard("T10")
def test_a_lease_that_was_broken_mends_nothing(world):
    from reconcile.core.record import Scope
    from reconcile.state.lease import break_lease

    with world.house(write=True) as house, leased(house.state, "state mv", RealClock()) as lease:
        break_lease(house.state, lease.holder.id)
        with pytest.raises(FencedError):
            house.state.open_scope(Scope("docs", "x", "y"), lease)


def test_a_scope_is_named_by_its_mapping_or_the_beginning_of_its_id(world):
    with world.house(write=False) as house:
        scope = house.mappings[0].scope
        assert named_scope(house.state, "docs") == named_scope(house.state, scope.id[:6]) == scope
        for name, but in (("papers", None), ("docs", scope)):
            with pytest.raises(UsageError, match="no scope with records"):
                named_scope(house.state, name, but=but)


def test_two_scopes_of_one_name_are_told_apart_by_their_ids(world):
    world.target = f"{world.target}/elsewhere"
    world.settled()
    with world.house(write=False) as house, pytest.raises(UsageError, match="2 scopes are called"):
        named_scope(house.state, "docs")


def test_a_shared_state_is_not_replaced_by_a_file(tmp_path):
    spec = build({"state": "s3://acme/state", "mappings": {"docs": {"source": ".", "target": "s3://acme/docs"}}})
    with pytest.raises(UsageError, match="shared state"):
        push(spec, str(tmp_path / "any"), RealClock(), force=True)
