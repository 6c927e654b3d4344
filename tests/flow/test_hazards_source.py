"""What can be wrong with a source: it moves, it cannot be read, it is gone, it is another. Nothing is lost for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
import io
import os
from pathlib import Path
import shutil
from typing import Any
import uuid

import msgspec
import pytest

from reconcile.core.errors import ReconcileError
from reconcile.core.plan import Plan
from reconcile.flow.memory import Disks
from reconcile.ports import Store
from reconcile.stores.wrapper import Wrapper
from tests.flow.unprivileged import unprivileged
from tests.flow.watchers import Counting, mutations
from tests.flow.world import World


@pytest.fixture(params=["local", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(tmp_path, "" if request.param == "local" else f"memory://{uuid.uuid4().hex}")


class Meddling(Wrapper):
    """Lets something happen to the source when the target has read so many bytes of a body."""

    def __init__(self, inner: Store, at: int, meddle: Callable[[], object], fired: list[str]) -> None:
        super().__init__(inner)
        self._at, self._meddle, self._fired = at, meddle, fired

    def write(self, key, body, *, expect):
        def open_slowly() -> io.BufferedReader:
            return io.BufferedReader(_Slow(body.open(), self._at, self._now), 16)

        return self.inner.write(key, msgspec.structs.replace(body, open=open_slowly, data=None), expect=expect)

    def _now(self) -> None:
        if not self._fired:
            self._fired.append("fired")
            self._meddle()


class _Slow(io.RawIOBase):
    """A stream that gives a few bytes at a time and tells when it has given `at`."""

    def __init__(self, inner: Any, at: int, now: Callable[[], None]) -> None:
        self._inner, self._at, self._now, self._given = inner, at, now, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._given >= self._at:
            self._now()
        chunk = self._inner.read(min(len(buffer), 8))
        buffer[: len(chunk)] = chunk
        self._given += len(chunk)
        return len(chunk)

    def close(self) -> None:
        self._inner.close()
        super().close()


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is large: it is read as it is sent."""
    monkeypatch.setattr("reconcile.flow.step.SMALL_BYTES", 0)


def edits(path: Path) -> dict[str, Callable[[], object]]:
    return {
        "edited": lambda: path.write_bytes(b"X" * 64),
        "appended": lambda: path.write_bytes(path.read_bytes() + b"more"),
        "truncated": lambda: os.truncate(path, 8),
        "emptied": lambda: os.truncate(path, 0),
    }


@pytest.mark.hazard("L02")
@pytest.mark.hazard("L03")
@pytest.mark.parametrize("at", [0, 8, 56])
@pytest.mark.parametrize("how", ["edited", "appended", "truncated", "emptied"])
def test_a_file_that_changes_while_it_is_sent_is_not_published(world: World, streamed: None, how: str, at: int) -> None:
    world.put(big="old " * 16)
    world.settled()
    path = world.write("big", "new " * 16)
    fired: list[str] = []
    world.around = lambda store: Meddling(store, at, edits(path)[how], fired)
    result = world.apply()
    world.around = None
    assert fired
    assert result.exit_code == 7
    assert [outcome.outcome for outcome in result.outcomes] == ["failed"]
    assert result.total_bytes == 0
    assert world.there() == {"big": "old " * 16}
    world.settled()
    assert world.there() == world.here()


@pytest.mark.hazard("L02")
def test_a_small_file_edited_between_plan_and_apply_is_sent_as_it_is(world: World) -> None:
    """Not a saved plan: what was asked for is the source as it is, and the record tells the content that was sent."""
    world.put(a="one", b="two")

    def edit(_plan: Plan) -> bool:
        world.put(a="edited after the plan")
        return True

    assert world.apply(approve=edit).exit_code == 0
    assert world.there() == world.here()
    assert world.told() == []


@pytest.mark.hazard("L16")
@pytest.mark.parametrize("text", ["x", "of another size"])
def test_an_unreadable_file_is_reported_and_its_copy_stays(world: World, text: str) -> None:
    """Met by the plan if it must be read to be compared, by apply if its size alone says that it changed."""
    world.put(a="1", b="2", c="3")
    world.settled()
    world.put(a=text, b="edited")
    (world.src / "a").chmod(0)
    with unprivileged():
        plan = world.plan()
        if len(text) == 1:
            assert world.told(plan) == ["update b"]
            assert plan.exit_code() == 7
        result = world.apply()
    assert result.exit_code == 7
    assert world.there() == {"a": "1", "b": "edited", "c": "3"}
    (world.src / "a").chmod(0o644)
    world.settled()


@pytest.mark.hazard("L16")
def test_an_unreadable_file_is_never_the_old_name_of_a_move(world: World) -> None:
    world.put(a="same text", b="2")
    world.settled()
    world.put(new="same text")
    (world.src / "a").chmod(0)
    with unprivileged():
        world.apply()
    assert world.there() == {"a": "same text", "b": "2", "new": "same text"}


@pytest.mark.hazard("L17")
def test_nothing_below_an_unreadable_directory_is_deleted(world: World) -> None:
    world.put(dir__a="1", dir__sub__b="2", other="3", gone="4")
    world.settled()
    world.remove("gone")
    world.remove("dir/a")
    (world.src / "dir").chmod(0)
    try:
        with unprivileged():
            plan = world.plan()
            assert world.told(plan) == ["delete gone"]
            assert plan.exit_code() == 7
            assert world.apply().exit_code == 7
    finally:
        (world.src / "dir").chmod(0o755)
    assert world.there() == {"dir/a": "1", "dir/sub/b": "2", "other": "3"}
    world.settled()


class Vanishing(Wrapper):
    """A source whose listing meets a directory that went away: its entries are missing, and nothing says so."""

    def __init__(self, inner: Store, meddle: Callable[[], object]) -> None:
        super().__init__(inner)
        self._meddle = meddle

    def list(self, under: str = "", **bounds: Any) -> Iterator[Any]:
        for item in self.inner.list(under, **bounds):
            if not item.key.startswith("dir/"):
                yield item
        self._meddle()


def around_source(world: World, put: Callable[[Store], Store]) -> None:
    house_of = world.house

    def house(**how: Any) -> Any:
        made = house_of(**how)
        made.mappings = [replace(wired, source=put(wired.source)) for wired in made.mappings]
        return made

    world.house = house  # type: ignore[method-assign]


@pytest.mark.hazard("L18")
def test_what_a_listing_missed_but_is_there_is_not_deleted(world: World) -> None:
    world.put(dir__a="1", dir__b="2", c="3")
    world.settled()
    around_source(world, lambda store: Vanishing(store, lambda: None))
    plan = world.plan()
    assert world.told(plan) == []
    assert plan.exit_code() == 7
    world.apply()
    assert world.there() == {"dir/a": "1", "dir/b": "2", "c": "3"}


@pytest.mark.hazard("L18")
def test_what_vanished_while_it_was_listed_is_deleted_when_its_absence_is_proven(world: World) -> None:
    world.put(dir__a="1", dir__b="2", c="3")
    world.settled()
    around_source(world, lambda store: Vanishing(store, lambda: shutil.rmtree(world.src / "dir", ignore_errors=True)))
    assert world.told() == ["delete dir/a", "delete dir/b"]


@pytest.mark.hazard("L20")
def test_a_missing_source_is_an_error_before_the_target_is_asked(world: World) -> None:
    world.put(a="1")
    world.settled()
    shutil.rmtree(world.src)
    calls: list[tuple[str, str]] = []
    world.around = lambda store: Counting(store, calls)
    for act in (world.plan, world.apply):
        with pytest.raises(ReconcileError) as caught:
            act()
        assert caught.value.exit_code == 1
    assert mutations(calls) == []
    world.around = None
    world.src.mkdir()
    assert world.there() == {"a": "1"}


def many(count: int = 12) -> dict[str, str]:
    return {f"f{number:02}": str(number) for number in range(count)}


@pytest.mark.hazard("L21")
def test_an_empty_source_is_refused(world: World) -> None:
    world.put(**many())
    world.settled()
    for path in world.src.iterdir():
        path.unlink()
    plan = world.plan()
    assert {refusal.permission for refusal in plan.refusals} == {"empty-source", "deletes"}
    assert world.apply().exit_code == 4
    assert world.there() == many()
    assert world.apply(allowed=["deletes"]).exit_code == 4
    assert world.there() == many()
    assert world.apply(allowed=["deletes", "empty-source"]).exit_code == 0
    assert world.there() == {}


def other_disks(world: World, **mounts: int) -> None:
    """As if all had been well on other devices than the tree stands on now."""
    with world.house(write=True) as house:
        memory = house.mappings[0].memory
        assert memory is not None
        known = memory.known()
        house.cache.put(memory._key, msgspec.json.encode(Disks(known.root, {**known.mounts, **mounts})))


@pytest.mark.hazard("L22")
@pytest.mark.hazard("L21")
def test_another_disk_at_the_root_is_refused_if_it_deletes(world: World) -> None:
    world.put(a="1", b="2", c="3")
    world.settled()
    with world.house(write=True) as house:
        memory = house.mappings[0].memory
        assert memory is not None
        assert memory.known().root == world.src.stat().st_dev
        house.cache.put(memory._key, msgspec.json.encode(Disks(memory.known().root + 1)))
    world.put(new="4")
    assert world.plan().exit_code() == 0
    world.remove("a")
    plan = world.plan()
    assert [refusal.permission for refusal in plan.refusals] == ["new-disk"]
    assert world.apply().exit_code == 4
    assert world.there() == {"a": "1", "b": "2", "c": "3"}
    assert world.apply(allowed=["new-disk:docs"]).exit_code == 0
    assert world.plan().exit_code() == 0


@pytest.mark.hazard("L23")
def test_below_a_mount_point_that_is_empty_now_nothing_is_deleted(world: World) -> None:
    world.put(mnt__a="1", mnt__b="2", c="3", d="4")
    world.settled()
    other_disks(world, mnt=(world.src / "mnt").stat().st_dev + 1)
    shutil.rmtree(world.src / "mnt")
    (world.src / "mnt").mkdir()
    world.remove("c")
    plan = world.plan()
    assert world.told(plan) == ["delete c"]
    assert plan.exit_code() == 7
    assert [problem.key for _, problem in plan.problems] == ["mnt"]
    world.apply()
    assert world.there() == {"mnt/a": "1", "mnt/b": "2", "d": "4"}


@pytest.mark.hazard("L30")
def test_a_rule_in_an_ignore_file_forgets_and_never_deletes(world: World) -> None:
    world.put(a__x="1", a__y="2", b="3")
    world.settled()
    world.write(".reconcileignore", "a/\n")
    world.options["exclude"] = [".reconcileignore"]
    assert world.told() == ["forget a/x", "forget a/y"]
    world.settled()
    assert world.there() == {"a/x": "1", "a/y": "2", "b": "3"}
    world.options["unmanaged"] = "delete"
    assert world.told() == []
