"""What a plan rarely meets: files it cannot read, stores that know less, permissions for nobody."""

from __future__ import annotations

from pathlib import Path
import threading
import time
from types import SimpleNamespace
from typing import Any
import uuid

from msgspec.structs import replace
import pytest

from reconcile.core.change import Action
from reconcile.core.entry import Entry, Version
from reconcile.core.errors import DeniedError, StalePlanError, StoppedError, UsageError
from reconcile.core.events import Warn
from reconcile.flow import planning
from reconcile.flow.bodies import small_body
from reconcile.flow.clock import RealClock
from reconcile.flow.names import why_refused
from reconcile.flow.planning import settled_conflicts
from reconcile.flow.wire import Reach
from reconcile.ports import Traits
from reconcile.stores.wrapper import Wrapper
from tests.flow.small_trees import make
from tests.flow.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, options={"guard": {"max_delete": "off"}})


def of(world: World, **traits: Any) -> type[Wrapper]:
    """Around a store: what it says it can do."""

    class Said(Wrapper):
        @property
        def traits(self) -> Traits:
            return replace(self.inner.traits, **traits)

    return Said


def hidden(world: World, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """The files of these names may be seen, and not read."""
    from reconcile.flow.reading import LocalReader

    real = LocalReader.hashes

    def hashes(self: LocalReader, path: str, version: Version | None, *, md5: bool = False) -> Any:
        if path in names:
            raise DeniedError("permission denied", op="read", path=path, hint="chmod")
        return real(self, path, version, md5=md5)

    monkeypatch.setattr(LocalReader, "hashes", hashes)


# --- files that cannot be read


def test_a_pinned_plan_tells_of_what_it_cannot_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put(a="1", b="2")
    hidden(world, monkeypatch, "a")
    plan = world.plan(pinned=True)
    assert world.told(plan) == ["create b"]
    assert [(problem.key, problem.hint) for _, problem in plan.problems] == [("a", "chmod")]
    assert world.told(world.plan()) == ["create a", "create b"], "only its sending needs it to be read"


def test_what_could_be_a_rename_and_cannot_be_read_is_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put(old="content")
    world.settled()
    world.move("old", "new")
    hidden(world, monkeypatch, "new")
    assert sorted(world.told()) == ["create new", "delete old"]


def test_what_stands_under_another_key_now_is_not_gone(world: World) -> None:
    """With a layout a record's key is found in no listing: what its source path is now is asked."""
    world.options["layout"] = "{stem}_{sha256:4}{suffix}"
    world.put(link="1", large="2", gone="3", stays="4")
    world.settled()
    (world.src / "link").unlink()
    (world.src / "link").symlink_to("stays")
    world.put(large="too large")
    world.remove("gone")
    world.options["max_size"] = "1B"
    plan = world.plan()
    assert [line.partition("_")[0] for line in world.told(plan)] == ["delete gone", "forget large"]
    assert [problem.key.partition("_")[0] for _, problem in plan.problems] == ["link"]


def test_what_a_new_limit_leaves_out_is_never_deleted(world: World) -> None:
    world.put(large="a large one", small="x")
    world.settled()
    world.options["max_size"] = "1B"
    world.remove("large")
    world.remove("small")
    assert world.told() == ["forget large", "delete small"]
    world.settled()
    assert world.there() == {"large": "a large one"}


def test_a_directory_proves_that_a_file_is_gone(world: World) -> None:
    world.put(a="1")
    world.settled()
    (world.src / "a").unlink()
    (world.src / "a").mkdir()
    assert world.told() == ["delete a"]


# --- stores that know less


def test_what_is_the_same_name_is_moved_at_once_or_not_at_all(tmp_path: Path) -> None:
    for atomic in (True, False):
        root = tmp_path / str(atomic)
        world = World(root, f"memory://{uuid.uuid4().hex}")
        world.around = of(world, key="casefold", move_atomic=atomic)
        make(world.src, {"readme": "1"})
        world.settled()
        world.move("readme", "README")
        assert world.told() == (["move README<readme"] if atomic else [])


@pytest.mark.parametrize(("mtime_ns", "told"), [(0, "there 5 B"), (2**40 * 10**9, "there 5 B, year 36812 UTC")])
def test_a_conflict_tells_the_times_that_there_are(tmp_path: Path, mtime_ns: int, told: str) -> None:
    """Some stores have none, and a file may bear one that is in no calendar."""

    class Timed(Wrapper):
        def list(self, under: str = "", *, after: str | None = None, until: str | None = None):  # type: ignore[no-untyped-def]
            for item in super().list(under, after=after, until=until):
                yield replace(item, mtime_ns=mtime_ns) if isinstance(item, Entry) else item

    world = World(tmp_path, around=Timed)
    world.put(a="one")
    world.write("a", "other", world.out)
    [conflict] = world.plan().conflicts
    assert conflict.detail.endswith(told)
    assert " UTC | there" in conflict.detail


def test_what_no_name_may_be_is_refused() -> None:
    wired: Any = SimpleNamespace(
        target=SimpleNamespace(traits=Traits(max_key_bytes=4, refused_characters="?")), portable_names="off"
    )
    assert why_refused("a", 1, wired) is None
    assert "takes no `?`" in str(why_refused("a?", 1, wired))
    assert "5 bytes long" in str(why_refused("abcde", 1, wired))
    assert why_refused("../a", 1, wired)


def test_a_content_type_that_the_spec_names_is_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []

    class Heard(Wrapper):
        def write(self, path, body, *, expect):  # type: ignore[no-untyped-def]
            sent.append((path, body.content_type))
            return super().write(path, body, expect=expect)

    world.around = Heard
    world.options["object"] = {"content_type": "text/x-ours"}
    world.put(**{"a.html": "1"})
    world.settled()
    assert sent == [("a.html", "text/x-ours")]


# --- pins


def test_a_bit_that_changed_after_the_plan_is_another_file(world: World) -> None:
    world.put(a="1")
    [change] = world.plan(pinned=True).changes()
    with world.house(write=False) as house:
        wired = house.mappings[0]
        small_body(wired, change, "token", pinned=True)
        with pytest.raises(StalePlanError, match="changed after the plan"):
            small_body(wired, replace(change, executable=True), "token", pinned=True)
        small_body(wired, replace(change, executable=True), "token", pinned=False)


# --- permissions and globs


def test_a_permission_for_a_mapping_that_is_not_there_names_the_one_that_is(world: World) -> None:
    for name, hint in (("dosc", "did you mean `docs`?"), ("zzz", "the spec has: docs")):
        with pytest.raises(UsageError, match="no mapping") as refusal:
            world.plan(allowed=(f"deletes:{name}",))
        assert refusal.value.hint == hint


def test_a_glob_that_matches_nothing_is_told(world: World) -> None:
    world.put(a="1")
    world.plan(reach=Reach(paths=("nothing/*",)))
    (told,) = [event.text for event in world.events if isinstance(event, Warn)]
    assert told.startswith("no path matches --path nothing/*: paths are those that `reconcile ls` shows")
    world.events.clear()
    world.plan(reach=Reach(paths=("a",)))
    assert not [event for event in world.events if isinstance(event, Warn)]


def test_a_winner_settles_conflicts_and_nothing_else(world: World) -> None:
    world.put(a="1", b="1", c="1")
    world.settled()
    for side in (world.src, world.out):
        world.write("a", f"changed in {side.name}", side)
    world.write("b", "drifted", world.out)
    world.put(c="edited")
    for winner, action in (("source", Action.UPDATE), ("target", Action.ACCEPT)):
        plan = world.plan(winner=winner)
        with world.house(write=False) as house:
            settling = settled_conflicts(house)(plan)
        assert [(change.key, change.action) for change in plan.changes() if change.id in settling] == [("a", action)]


def test_without_a_look_at_the_target_the_records_speak(world: World) -> None:
    world.put(a="1", b="2")
    world.settled()
    (world.out / "a").unlink()
    world.put(b="22")
    assert world.told(world.plan(kind="cached")) == ["update b"]
    assert world.told() == ["create a", "update b"]


def test_many_rows_are_looked_into_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "BATCH", 2)
    names = [f"n{number}" for number in range(5)]
    for name in names:
        world.write(name, "same")
        world.write(name, "same", world.out)
    assert world.told() == [f"adopt {name}" for name in names]


# --- what this machine remembers


def test_a_mount_point_that_is_gone_or_the_same_hides_nothing(world: World) -> None:
    make(world.src, {"disk/a": "1", "gone/b": "2"})
    device = (world.src / "disk").stat().st_dev
    with world.house(write=True) as house:
        memory = house.mappings[0].memory
        assert memory is not None
        memory.walked.root, memory.walked.mounts = (device, 1), {"disk": device, "no/such": 7, "gone": 7}
        memory.all_is_well()
        assert [problem.key for problem in memory.lost_mounts()] == ["gone"]


def test_a_wait_ends_with_the_word_to_stop() -> None:
    stop = threading.Event()
    clock = RealClock(stop)
    clock.sleep(0.0)
    stop.set()
    began = time.monotonic()
    with pytest.raises(StoppedError):
        clock.sleep(60)
    assert time.monotonic() - began < 5
