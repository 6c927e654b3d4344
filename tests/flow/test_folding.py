"""Targets that do not tell all names apart: a case-insensitive one, and one that normalises accents."""

from __future__ import annotations

from dataclasses import replace as with_other
from typing import Any
import unicodedata
import uuid

from msgspec.structs import replace
import pytest

from reconcile.core.errors import PlanError
from reconcile.core.path import match_key
from reconcile.state.planfile import load_plan, save_plan
from reconcile.stores.memory import MemoryStore
from reconcile.stores.wrapper import Wrapper
from tests.flow.watchers import Counting, mutations
from tests.flow.world import World

NFC, NFD = (unicodedata.normalize(form, "é.txt") for form in ("NFC", "NFD"))


class Folding(Wrapper):
    """Keeps the spelling a name was made with, and finds it under every other: as macOS and Windows do."""

    def __init__(self, inner: Any, fold: str) -> None:
        super().__init__(inner)
        self._fold = fold

    @property
    def traits(self):
        return replace(self.inner.traits, key=self._fold)

    def _there(self, key: str) -> str:
        """The spelling of what is there under this name, or the name itself."""
        store = self.inner
        while not isinstance(store, MemoryStore):
            store = store.inner
        meant = match_key(key, self._fold)
        return next((name for name in store._shelf.items if match_key(name, self._fold) == meant), key)

    def stat(self, key):
        entry = self.inner.stat(self._there(key))
        return replace(entry, key=key) if entry else None

    def read(self, key, **how):
        return self.inner.read(self._there(key), **how)

    def write(self, key, body, *, expect):
        return replace(self.inner.write(self._there(key), body, expect=expect), key=key)

    def move(self, entry, key, *, expect):
        here, there = self._there(entry.key), self._there(key)
        return self.inner.move(replace(entry, key=here), key if here == there else there, expect=expect)

    def copy(self, entry, key, *, expect):
        return self.inner.copy(replace(entry, key=self._there(entry.key)), self._there(key), expect=expect)

    def delete(self, items):
        return self.inner.delete([(self._there(key), version) for key, version in items])

    def prove(self, entry, hashes):
        return self.inner.prove(replace(entry, key=self._there(entry.key)), hashes)


@pytest.fixture
def world(tmp_path) -> World:
    name = f"memory://{uuid.uuid4().hex}"
    return World(tmp_path, name, around=lambda store: Folding(store, "casefold"))


@pytest.fixture
def accents(world) -> World:
    return with_other(world, around=lambda store: Folding(store, "nfc"))


def names(world: World) -> list[str]:
    return sorted(world.there())


@pytest.mark.hazard("N01")
def test_two_files_that_would_be_one_are_an_error_before_anything_is_sent(world):
    world.put(other="1")
    world.write("A.txt", "upper")
    world.write("a.txt", "lower")
    calls: list[tuple[str, str]] = []
    folding = world.around
    world.around = lambda store: Counting(folding(store), calls)
    with pytest.raises(PlanError, match=r"A\.txt and a\.txt"):
        world.plan()
    with pytest.raises(PlanError, match=r"A\.txt and a\.txt"):
        world.apply()
    assert mutations(calls) == []


@pytest.mark.hazard("N01")
def test_one_of_them_may_be_excluded(world):
    world.write("A.txt", "upper")
    world.write("a.txt", "lower")
    world.options["exclude"] = ["/a.txt"]
    world.settled()
    assert world.there() == {"A.txt": "upper"}


@pytest.mark.hazard("N03")
def test_two_ways_to_write_an_accent(accents, world, tmp_path):
    for name in (NFC, NFD):
        world.write(name, name)
    with pytest.raises(PlanError, match="would be one file"):
        accents.plan()
    plain = World(tmp_path, f"memory://{uuid.uuid4().hex}")
    plain.settled()
    assert plain.there() == {NFC: NFC, NFD: NFD}


@pytest.mark.hazard("N03")
def test_a_name_written_one_way_here_and_another_way_there_is_one(accents):
    accents.write(NFD, "1")
    accents.settled()
    with accents.house(write=True) as house:
        target = house.mappings[0].target
        target.move(target.stat(NFD), NFC, expect="")
    assert accents.told() == ["adopt " + NFD]
    accents.settled()
    assert names(accents) == [NFC]


@pytest.mark.hazard("N02")
def test_a_rename_of_case_alone_is_one_move(world):
    world.put(readme="text", other="1")
    world.settled()
    world.move("readme", "README")
    assert world.told() == ["move README<readme"]
    calls: list[tuple[str, str]] = []
    folding = world.around
    world.around = lambda store: Counting(folding(store), calls)
    assert world.apply().exit_code == 0
    assert mutations(calls) == [("move", "README")]
    world.settled()
    assert world.there() == {"README": "text", "other": "1"}


@pytest.mark.hazard("N02")
def test_a_saved_plan_renames_case_too(world, tmp_path):
    world.put(readme="text")
    world.settled()
    world.move("readme", "README")
    save_plan(world.plan(pinned=True), str(tmp_path / "plan"))
    assert world.apply(load_plan(str(tmp_path / "plan"))).exit_code == 0
    assert names(world) == ["README"]
    assert world.told() == []


@pytest.mark.hazard("N02")
def test_a_directory_renamed_in_case_moves_its_files(world):
    world.put(dir__a="1", dir__b="2")
    world.settled()
    world.move("dir", "tmp")
    world.move("tmp", "Dir")
    assert world.told() == ["move Dir/a<dir/a", "move Dir/b<dir/b"]
    world.settled()
    assert names(world) == ["Dir/a", "Dir/b"]


def test_a_rename_of_case_and_an_edit_keep_the_name_that_is_there(world):
    world.put(readme="text")
    world.settled()
    world.move("readme", "README")
    world.put(README="new text")
    assert world.told() == ["update readme"]
    world.settled()
    assert world.there() == {"readme": "new text"}


def test_a_first_meeting_keeps_the_name_that_is_there(world):
    world.put(readme="text")
    world.settled()
    for file in (world.root / "state").iterdir():
        file.unlink()
    world.move("readme", "README")
    assert world.told() == ["adopt readme"]
    world.settled()
    assert names(world) == ["readme"]


def test_another_content_under_another_spelling_is_a_conflict(world):
    world.put(readme="text")
    world.settled()
    for file in (world.root / "state").iterdir():
        file.unlink()
    world.move("readme", "README")
    world.put(README="mine")
    plan = world.plan()
    assert [conflict.key for conflict in plan.conflicts] == ["readme"]
    assert world.apply().exit_code == 3
    assert world.there() == {"readme": "text"}


def test_a_delete_and_a_protected_name(world):
    world.put(Keep="1", Gone="2")
    world.settled()
    world.remove("Gone")
    world.move("Keep", "KEEP")
    world.options["protect"] = ["Keep"]
    plan = world.plan()
    assert world.told(plan) == ["delete Gone"]
    assert [(conflict.key, conflict.exit_code) for conflict in plan.conflicts] == [("Keep", 4)]


def test_what_cannot_be_read_covers_every_spelling(world):
    world.put(Dir__a="1", b="2")
    world.settled()
    from reconcile.core.entry import Cover, Problem

    class Broken(Wrapper):
        def list(self, under="", **bounds):
            yield Problem("DIR", "no", Cover.TREE)
            yield from (entry for entry in self.inner.list(under, **bounds) if entry.key == "b")

    folding = world.around
    world.around = lambda store: Broken(folding(store))
    plan = world.plan()
    assert world.told(plan) == []
    assert [problem.key for _, problem in plan.problems] == ["DIR"]


def test_a_target_that_shows_both_spellings_is_not_understood_there(world):
    world.put(a="1", b="2")
    world.settled()
    with world.house(write=True) as house:
        store = house.mappings[0].target.inner
        store.copy(store.stat("a"), "A", expect="")
    world.put(a="3", b="4")
    plan = world.plan()
    assert world.told(plan) == ["update b"]
    assert plan.exit_code() == 7


def test_names_that_cannot_be_folded_and_empty_directories_are_nobodys(world):
    world.write("A.txt", "1")
    (world.src / "Empty").mkdir()
    (world.src / "bad\udcff").write_text("x")
    plan = world.plan()
    assert world.told(plan) == ["create A.txt"]
    assert [problem.key for _, problem in plan.problems] == ["bad\\xff"]


def test_of_records_that_have_become_one_the_first_speaks(world):
    """The target told names apart when they were recorded, and does no more."""
    telling = with_other(world, around=None)
    for name in ("A.txt", "a.txt"):
        telling.write(name, name)
    telling.settled()
    with telling.house(write=True) as house:
        target = house.mappings[0].target
        there = target.stat("a.txt")
        assert list(target.delete([("a.txt", there.version)])) == [None]
    (world.src / "a.txt").unlink()
    assert world.told() == []
