"""`gc`: what has done its duty goes, what may still be needed stays, and nothing but ours is ever touched."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
import uuid

import pytest

from reconcile.core.entry import ANY, Digest, Entry, Problem, Version
from reconcile.core.errors import DeniedError, FencedError, LockedError
from reconcile.core.outcome import Run
from reconcile.flow.clock import RealClock
from reconcile.flow.collecting import Collected, collect, foresee
from reconcile.flow.surveying import Survey
from reconcile.ports import Body
from reconcile.state.lease import acquire, break_lease, hold, show
from reconcile.stores.wrap import Wrapper
from tests.flow.failing import failing
from tests.flow.world import World

DAY_S = 86_400.0


class Later(RealClock):
    """So many days from now."""

    def __init__(self, days: float) -> None:
        self._ahead_s = days * DAY_S

    def now(self) -> float:
        return super().now() + self._ahead_s


@pytest.fixture(params=["local", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """A target whose run 2 took `a` and `gone` away and kept both."""
    name = "" if request.param == "local" else f"memory://{uuid.uuid4().hex}"
    world = World(tmp_path, name, options={"keep": "always", "guard": {"max_delete": "off"}})
    world.put(a="first", gone="to be deleted", sub__b="steady")
    world.settled()
    world.put(a="second")
    world.remove("gone")
    world.settled()
    return world


def gc(world: World, days: float = 31, *, older: float = 30) -> Collected:
    with world.house(write=True) as house:
        return collect(house, Later(days), older_than_s=older * DAY_S)


def told(collected: Collected) -> dict[str, int]:
    return {kind: tally.count for kind, tally in collected.gone.items()}


def why(collected: Collected) -> dict[str, int]:
    return {f"{kind}: {why}": tally.count for (_, kind, why), tally in collected.left.items()}


def ours(world: World) -> list[str]:
    """What of ours lies in the target, our note of directories apart."""
    with world.house(write=False) as house:
        found = house.mappings[0].target.list(".reconcile")
        return sorted(one.key for one in found if one.key != ".reconcile/dirs")


def plant(world: World, key: str, data: bytes = b"planted") -> Entry:
    with world.house(write=True) as house:
        body = Body(size_bytes=len(data), open=lambda: BytesIO(data), data=data)
        return house.mappings[0].target.write(key, body, expect=ANY)


KEPT = [".reconcile/undo/2/a", ".reconcile/undo/2/gone"]


def test_kept_bytes_go_when_their_run_was_over_long_ago(world: World) -> None:
    assert ours(world) == KEPT
    young = gc(world, 29)
    assert (told(young), why(young), young.exit_code) == ({}, {"kept: not old enough": 2}, 0)
    assert ours(world) == KEPT
    data = world.there()
    old = gc(world, 31)
    assert told(old) == {"kept": 2}
    assert old.gone["kept"].size_bytes == len("first") + len("to be deleted")
    assert (why(old), old.exit_code) == ({}, 0)
    assert ours(world) == []
    assert world.there() == data
    assert told(gc(world, 31)) == {}


def test_a_look_tells_the_same_and_removes_nothing(world: World) -> None:
    with world.house(write=False) as house:
        foreseen = foresee(house, Later(31), older_than_s=30 * DAY_S)
    assert told(foreseen) == {"kept": 2}
    assert ours(world) == KEPT
    assert told(gc(world)) == told(foreseen)


def test_the_directories_of_what_went_go_too(tmp_path: Path) -> None:
    world = World(tmp_path, options={"keep": "always"})
    world.put(deep__er__a="1")
    world.settled()
    world.put(deep__er__a="22")
    world.settled()
    (world.out / ".reconcile/park/1/left/behind").mkdir(parents=True)
    assert told(gc(world)) == {"kept": 1, "directories": 1}
    assert sorted(path.name for path in (world.out / ".reconcile").iterdir()) == ["dirs"]


@pytest.mark.parametrize("key", [".reconcile/undo/9/a", ".reconcile/undo/2/stranger", ".reconcile/park/9/a"])
def test_what_no_run_of_ours_tells_of_stays(world: World, key: str) -> None:
    """Another state may share the target, and its runs have numbers like ours."""
    plant(world, key)
    collected = gc(world, 10_000)
    assert told(collected) == {"kept": 2}
    [reason] = why(collected)
    assert "does not know" in reason or "no action" in reason
    assert ours(world) == [key]
    with world.house(write=False) as house:
        assert foresee(house, Later(10_000), older_than_s=0).exit_code == 0


def test_what_another_state_kept_under_our_name_stays_while_it_is_young(world: World) -> None:
    """Run 2 of another state keeps its own `a` where ours was, 30 days after ours: ours is old, they are not."""

    class Restored(Wrapper):
        def list(self, under: str = "", *, after: str | None = None, until: str | None = None):  # type: ignore[no-untyped-def]
            for item in super().list(under, after=after, until=until):
                young = isinstance(item, Entry) and item.key == KEPT[0]
                yield type(item)(**{**_fields(item), "mtime_ns": int(Later(30).now() * 1e9)}) if young else item

    world.around = Restored
    assert told(gc(world, 31)) == {"kept": 1}
    world.around = None
    assert ours(world) == [KEPT[0]]


def _fields(item: Entry | Problem) -> dict[str, object]:
    return {name: getattr(item, name) for name in item.__struct_fields__}


def test_a_run_that_is_not_over_keeps_all_it_has(world: World) -> None:
    """The newest run was killed: only the next one can say that it is over."""
    with world.house(write=True) as house:
        lease = acquire(house.state, "apply", clock=RealClock())
        number = house.state.begin(Run(0, "apply", RealClock().now(), mappings=["docs"]), lease)
        lease.release()
    plant(world, f".reconcile/park/{number}/a")
    plant(world, f".reconcile/undo/{number}/a")
    collected = gc(world, 10_000, older=0)
    assert told(collected) == {"kept": 2}
    assert why(collected) == {
        f"kept: of run {number}, which is not over": 1,
        f"parked: of run {number}, which is not over": 1,
    }
    assert ours(world) == [f".reconcile/park/{number}/a", f".reconcile/undo/{number}/a"]


def test_what_is_parked_goes_only_if_its_content_stands(world: World) -> None:
    plant(world, ".reconcile/park/2/copied", b"steady")
    plant(world, ".reconcile/park/2/nowhere", b"the only copy")
    collected = gc(world)
    assert told(collected) == {"kept": 2, "parked": 1}
    assert why(collected) == {"parked: nothing else is known to hold its content": 1}
    assert ours(world) == [".reconcile/park/2/nowhere"]


def test_a_record_without_its_file_is_no_copy(world: World) -> None:
    plant(world, ".reconcile/park/2/b", b"steady")
    with world.house(write=True) as house:
        assert list(house.mappings[0].target.delete([("sub/b", ANY)])) == [None]
    assert told(gc(world)) == {"kept": 2}
    assert ours(world) == [".reconcile/park/2/b"]


def test_what_was_accepted_is_no_copy_of_what_its_source_holds(world: World) -> None:
    plant(world, ".reconcile/park/2/b", b"steady")
    world.options["drift"] = "keep"
    plant(world, "sub/b", b"theirs")
    world.settled()
    assert told(gc(world)) == {"kept": 2}
    assert ours(world) == [".reconcile/park/2/b"]


def test_dead_writes_go_by_the_clock_of_the_store(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(sub__b="steady")
    world.settled()
    half = world.write("sub/.reconcile-tmp-00ff", "half a fi", world.out)
    young = gc(world, 0.9, older=0)
    assert (told(young), why(young)) == ({}, {"unfinished: not old enough": 1}), "its writer may be alive"
    assert half.exists()
    assert told(gc(world, 1.1, older=0)) == {"unfinished": 1}
    assert not half.exists()


def test_forgotten_probes_go_by_the_clock_of_the_store(tmp_path: Path) -> None:
    world = World(tmp_path, f"memory://{uuid.uuid4().hex}")
    probe, stranger = f".reconcile/probe-{'0f' * 8}-1", ".reconcile/probe-of-nobody"
    plant(world, probe)
    plant(world, stranger)
    assert told(gc(world, 0.9, older=0)) == {}
    assert told(gc(world, 1.1, older=0)) == {"probes": 1}
    assert ours(world) == [stranger]


def test_a_target_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert told(gc(world)) == {}
    assert not world.out.exists()


def test_what_was_kept_for_a_change_that_failed_goes_too(tmp_path: Path) -> None:
    world = World(tmp_path, options={"keep": "always"})
    world.put(a="1")
    world.settled()
    world.put(a="22")
    stores = failing(world, "write")
    failed = world.apply()
    world.around = None
    assert [store.fired for store in stores] == [1]
    assert [(one.outcome, one.kept) for one in failed.outcomes] == [("failed", ".reconcile/undo/2/a")]
    assert told(gc(world)) == {"kept": 1}
    assert ours(world) == []


def test_a_failure_is_told_and_the_rest_goes_on(world: World) -> None:
    denied = []

    class Stubborn(Wrapper):
        def delete(self, items):  # type: ignore[no-untyped-def]
            answers = list(super().delete([item for item in items if item[0] != KEPT[0]]))
            for at, (key, _) in enumerate(items):
                if key == KEPT[0]:
                    denied.append(key)
                    answers.insert(at, DeniedError("may not", op="delete", path=key))
            return answers

    world.around = Stubborn
    collected = gc(world)
    assert denied
    assert (told(collected), collected.exit_code) == ({"kept": 1}, 7)
    assert [problem.key for _, problem in collected.problems] == [KEPT[0]]
    assert ours(world) == [KEPT[0]]


def test_a_target_that_cannot_be_listed_is_told(world: World) -> None:
    class Shut(Wrapper):
        def list(self, under: str = "", *, after: str | None = None, until: str | None = None):  # type: ignore[no-untyped-def]
            raise DeniedError("may not", op="list", path=under)

    world.around = Shut
    collected = gc(world)
    assert (told(collected), collected.exit_code) == ({}, 7)


def test_not_while_another_holds_the_lock(world: World) -> None:
    with world.house(write=True) as house:
        hold(house.state, "audit", clock=RealClock())
    with pytest.raises(LockedError):
        gc(world)
    assert ours(world) == KEPT


@pytest.mark.hazard("R36")
def test_who_slept_over_the_end_of_the_lease_removes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was judged before may be the only copy by now: another has had the lease since."""

    def slept(self: Survey) -> Iterator[object]:
        yield from look(self)
        with world.house(write=True) as house:
            break_lease(house.state, show(house.state).id)
        monkeypatch.setattr("reconcile.state.heartbeat.STALE_S", 0.0)

    look = Survey.run
    monkeypatch.setattr(Survey, "run", slept)
    with pytest.raises(FencedError, match="nothing more was written"):
        gc(world)
    assert ours(world) == KEPT


def test_no_run_is_begun_and_the_lock_is_free_again(world: World) -> None:
    gc(world)
    with world.house(write=True) as house:
        assert [run.id for run in house.state.runs()] == [2, 1]
        acquire(house.state, "apply", clock=RealClock()).release()


def test_the_kept_bytes_of_a_mapping_that_was_renamed_go_too(world: World) -> None:
    world.mapping = "renamed"
    assert told(gc(world)) == {"kept": 2}


def test_two_mappings_are_looked_at_one_by_one(tmp_path: Path) -> None:
    """What one mapping's run says it kept proves nothing about the target of another."""
    world = World(tmp_path, options={"keep": "always"})
    world.write("x/a", "1", tmp_path)
    world.more = {"other": {"source": str(tmp_path / "x"), "target": str(tmp_path / "there"), "keep": "always"}}
    world.put(a="1")
    world.settled()
    world.put(a="22")
    world.settled()
    world.write(".reconcile/undo/2/a", "not ours", tmp_path / "there")
    assert told(gc(world)) == {"kept": 1}
    assert (tmp_path / "there/.reconcile/undo/2/a").read_text() == "not ours"


def test_old_copies_of_the_state_and_what_no_mapping_reads_go_too(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(a="1")
    world.settled()
    with world.house(write=True) as house:
        prints = house.cache.fingerprints("file:///elsewhere")
        prints.remember("a", Version("1-2-3-4"), Digest(bytes(32)))
    aside = world.write("state/reconcile.db.replaced-1", "damaged once", tmp_path)
    assert told(gc(world, 29)) == {"fingerprints": 1}
    assert aside.exists()
    old = gc(world, 31)
    assert told(old)["generations"] == 1
    assert not aside.exists()
    world.settled()
