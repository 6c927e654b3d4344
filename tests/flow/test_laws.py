"""Laws of one mapping: whatever the trees, one apply makes the target the source, and nothing is lost on the way."""

from __future__ import annotations

from pathlib import Path
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from tests.flow.small_trees import fits, make, trees
from tests.flow.watchers import Counting, Keeper, mutations
from tests.flow.world import World

Tree = dict[str, str]
KINDS = pytest.mark.parametrize("kind", ["local", "memory"])


class Worlds:
    """A fresh world for every example."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, kind: str) -> World:
        name = uuid.uuid4().hex
        root = self._root / name
        root.mkdir()
        # A guard is for large surprises; here every tree may become any other.
        return World(root, "" if kind == "local" else f"memory://{name}", {"guard": {"max_delete": "off"}})


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    return Worlds(tmp_path_factory.mktemp("laws"))


def watched(world: World, foreign: Tree) -> None:
    """From now on every change of the target is watched."""

    def here() -> dict[str, bytes]:
        return {name: text.encode() for name, text in world.here().items()}

    strangers = {name: text.encode() for name, text in foreign.items()}
    world.around = lambda store: Keeper(store, here=here, foreign=strangers)


def plant(world: World, foreign: Tree) -> None:
    """Somebody else's files in the target."""
    with world.house(write=True) as house:
        target = house.mappings[0].target
        for name, text in foreign.items():
            if world.target.startswith("memory:"):
                import io

                from reconcile.core.entry import ABSENT
                from reconcile.ports import Body

                target.write(
                    name, Body(size_bytes=len(text), open=lambda text=text: io.BytesIO(text.encode())), expect=ABSENT
                )
            else:
                world.write(name, text, world.out)


@pytest.mark.hazard("P01")
@pytest.mark.hazard("P02")
@pytest.mark.hazard("P03")
@pytest.mark.hazard("P05")
@pytest.mark.hazard("P06")
@pytest.mark.hazard("P07")
@pytest.mark.hazard("P12")
@KINDS
@given(data=st.data())
@settings(max_examples=25)
def test_one_apply_makes_any_tree_of_any_other(worlds: Worlds, kind: str, data: st.DataObject) -> None:
    before, after = data.draw(trees(), "before"), data.draw(trees(), "after")
    world = worlds(kind)
    make(world.src, before)
    world.settled()
    make(world.src, after)
    watched(world, {})
    world.settled()
    assert world.there() == after
    calls: list[tuple[str, str]] = []
    world.around = lambda store: Counting(store, calls)
    assert world.apply().exit_code == 0
    assert mutations(calls) == []


@pytest.mark.hazard("R30")
@KINDS
@given(data=st.data())
@settings(max_examples=25)
def test_what_is_not_ours_is_never_touched(worlds: Worlds, kind: str, data: st.DataObject) -> None:
    """Strangers stand anywhere, also where our files and directories are to come: those wait, all others come."""
    before, after = data.draw(trees(5), "before"), data.draw(trees(5), "after")
    strangers = {name: f"foreign {text}" for name, text in data.draw(trees(3), "strangers").items()}
    world = worlds(kind)
    make(world.src, before)
    world.settled()
    # On a file system, strangers come only where they can stand beside what we put there.
    foreign = {name: text for name, text in strangers.items() if fits(before, name)}
    plant(world, foreign)
    make(world.src, after)
    watched(world, foreign)
    result = world.apply()
    there = world.there()
    assert {name: there.get(name) for name in foreign} == foreign
    blocked = {conflict.key for conflict in result.conflicts}
    blocked |= {outcome.key for outcome in result.outcomes if outcome.outcome != "done"}
    assert {name: text for name, text in there.items() if name not in foreign and name not in blocked} == {
        name: text for name, text in after.items() if name not in blocked
    }
    assert all(not fits(foreign, name) or name in before for name in blocked), "only what stands in the way may wait"
    assert result.exit_code == (3 if blocked else 0)
