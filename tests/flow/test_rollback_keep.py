"""What is kept for a rollback: `keep: auto`, `always`, `never`, on stores that can keep and on one that cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any
import uuid

from msgspec.structs import replace
import pytest

from reconcile.ports import Traits
from reconcile.stores.wrapper import Wrapper
from tests.flow.small_trees import make
from tests.flow.undo_kit import became, undo, why
from tests.flow.world import World


class Forgetful(Wrapper):
    """A store that keeps nothing and copies nothing, as those of Google and Azure."""

    @property
    def traits(self) -> Traits:
        return replace(self.inner.traits, keeps="none", copy="none", move="none", move_atomic=False)


@pytest.fixture
def forgetful(tmp_path: Path) -> World:
    world = World(tmp_path, f"memory://{uuid.uuid4().hex}", around=Forgetful)
    world.options = {"guard": {"max_delete": "off"}}
    make(world.src, {"a": "1", "b": "2"})
    assert world.apply().exit_code == 0
    make(world.src, {"a": "11", "c": "3"})
    return world


def test_always_changes_nothing_that_cannot_be_kept(forgetful: World) -> None:
    forgetful.options["keep"] = "always"
    result = forgetful.apply()
    told = {one.key: (one.outcome, one.error, one.hint) for one in result.outcomes if one.outcome != "done"}
    held = ("held", "the store cannot keep the old bytes first", "keep: auto goes on without them")
    assert told["a"] == held
    assert told["b"][0] == "held"
    assert result.exit_code == 7
    assert forgetful.there() == {"a": "1", "b": "2", "c": "3"}


def test_always_deletes_nothing_that_cannot_be_kept(forgetful: World) -> None:
    forgetful.options["keep"] = "always"
    make(forgetful.src, {"a": "1"})
    result = forgetful.apply()
    assert [(one.key, one.outcome) for one in result.outcomes] == [("b", "held")]
    assert forgetful.there() == {"a": "1", "b": "2"}


@pytest.mark.parametrize("keep", ["auto", "never"])
def test_without_copies_only_what_came_goes(forgetful: World, keep: str) -> None:
    forgetful.options["keep"] = keep
    assert forgetful.apply().exit_code == 0
    result = undo(forgetful)
    assert became(result) == {"a": "cannot", "b": "cannot", "c": "removed"}
    assert set(why(result).values()) == {"no copy"}
    assert forgetful.there() == {"a": "11"}


def test_a_rename_by_sending_is_not_half_undone(forgetful: World) -> None:
    """The content stands only under its new name; where it cannot go back, it stays."""
    make(forgetful.src, {"a": "1", "z": "2"})
    assert forgetful.apply().exit_code == 0
    there = forgetful.there()
    undo(forgetful)
    contents: dict[str, Any] = forgetful.there()
    assert set(there.values()) >= set(contents.values())


@pytest.mark.parametrize("keep", ["auto", "always"])
def test_what_is_kept_can_be_kept_again(tmp_path: Path, keep: str) -> None:
    """A rollback keeps in its turn what it takes away; so it can be undone as well, by its number."""
    world = World(tmp_path, options={"keep": keep})
    make(world.src, {"a": "1", "b": "2"})
    world.apply()
    make(world.src, {"a": "11", "c": "3"})
    world.apply()
    result = undo(world)
    assert world.there() == {"a": "1", "b": "2"}
    again = undo(world, result.run)
    assert again.exit_code == 0, why(again)
    assert world.there() == {"a": "11", "c": "3"}
    assert world.told() == []


def test_the_executable_bit_comes_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    make(world.src, {"run.sh": "#!/bin/sh"})
    (world.src / "run.sh").chmod(0o755)
    world.apply()
    (world.src / "run.sh").chmod(0o644)
    world.apply()
    assert not (world.out / "run.sh").stat().st_mode & 0o100
    assert became(undo(world)) == {"run.sh": "restored"}
    assert (world.out / "run.sh").stat().st_mode & 0o100


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        ({"d/x": "1", "d/y": "2"}, {"d": "3"}, "d/x"),
        ({"d": "3"}, {"d/x": "1", "d/y": "2"}, "d"),
    ],
)
def test_a_replacement_is_undone_as_a_whole_or_not_at_all(
    tmp_path: Path, before: dict[str, str], after: dict[str, str], lost: str
) -> None:
    world = World(tmp_path, options={"guard": {"max_delete": "off"}})
    make(world.src, before)
    world.apply()
    make(world.src, after)
    assert world.apply().exit_code == 0
    (world.out / ".reconcile/undo/2" / lost).unlink()
    result = undo(world, 2)
    assert result.exit_code == 7
    assert became(result)[lost] == "cannot"
    assert set(became(result)) == before.keys() | after.keys()
    assert world.there() == after, "what stands in its place stays"
