"""What those who look, collect, compare and watch rarely meet."""

from __future__ import annotations

from dataclasses import replace as with_other
from pathlib import Path
import threading
from types import SimpleNamespace
from typing import Any
import uuid

from msgspec.structs import replace
import pytest

from reconcile.core.change import Reason
from reconcile.core.entry import Entry, Kind, Leftover, Problem
from reconcile.core.errors import (
    StateError,
    StoreError,
    UsageError,
)
from reconcile.core.outcome import Outcome, Run
from reconcile.flow import looking
from reconcile.flow.adhoc import state_directory
from reconcile.flow.clock import RealClock
from reconcile.flow.collecting import collect, foresee
from reconcile.flow.learnt import known_order
from reconcile.flow.looking import status, why
from reconcile.flow.mending import push, reset
from reconcile.flow.planning import PlanOptions, make_plan
from reconcile.flow.reading import LocalReader, Stoppable
from reconcile.flow.rollback import RollbackHooks, RollbackOptions, rollback
from reconcile.flow.standing import forget
from reconcile.flow.verifying import verify
from reconcile.ports import Hashes, Traits
from reconcile.spec.load import build
from reconcile.stores.wrapper import Wrapper
from tests.flow.failing import Failing, Tidy, failing
from tests.flow.small_trees import make
from tests.flow.undo_kit import put_there
from tests.flow.world import World

DAY_S = 86_400.0


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, f"memory://{uuid.uuid4().hex}", options={"guard": {"max_delete": "off"}})


def later(days: float) -> Any:
    clock = RealClock()
    return SimpleNamespace(now=lambda: clock.now() + days * DAY_S, monotonic=clock.monotonic, sleep=clock.sleep)


class Listing(Wrapper):
    """A store whose listings are changed on their way."""

    def __init__(self, inner: Any, change: Any, **traits: Any) -> None:
        super().__init__(inner)
        self._change, self._traits = change, traits

    @property
    def traits(self) -> Traits:
        return replace(self.inner.traits, **self._traits)

    def list(self, under: str = "", *, after: str | None = None, until: str | None = None):  # type: ignore[no-untyped-def]
        return self._change(under, self.inner.list(under, after=after, until=until))


# --- gc


def test_a_look_ahead_tells_of_old_copies_of_the_state(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(a="1")
    world.settled()
    world.write("state/reconcile.db.replaced-1", "damaged once", tmp_path)
    with world.house(write=False) as house:
        assert foresee(house, later(90), older_than_s=DAY_S).gone["generations"].count == 1


def test_what_gc_cannot_look_at_or_into_is_told(world: World) -> None:
    for content in ("1", "22"):
        make(world.src, {"a": content})
        world.apply()
    put_there(world, ".reconcile/park/2/x", "parked")

    class Odd(Tidy):
        def list(self, under: str = "", *, after: str | None = None, until: str | None = None):  # type: ignore[no-untyped-def]
            yield from super().list(under, after=after, until=until)
            if under:
                yield Problem(f"{under}/z", "503")

        def leftovers(self):  # type: ignore[no-untyped-def]
            return [Problem("u", "uploads cannot be listed"), Leftover(".reconcile-tmp-00ff", "mark", 0)]

    made = failing(world, "read discard", ".reconcile/park/2/x", ".reconcile-tmp-00ff", kind=Odd)
    with world.house(write=True) as house:
        collected = collect(house, later(90), older_than_s=DAY_S)
    assert made[-1].fired == 2
    assert {problem.key for _, problem in collected.problems} == {
        ".reconcile/z", "u", ".reconcile/park/2/x", ".reconcile-tmp-00ff",
    }  # fmt: skip


def test_caches_that_nobody_used_for_long_go(world: World, own_home: Path) -> None:
    world.put(a="1")
    world.settled()
    cache = own_home / ".cache" / "reconcile"
    (cache / "state-old.db").write_bytes(b"12345")
    with world.house(write=True) as house:
        collected = collect(house, later(90), older_than_s=DAY_S)
    assert (collected.gone["caches"].count, collected.gone["caches"].size_bytes) == (1, 5)
    assert not (cache / "state-old.db").exists()


# --- status and why


def runs(*told: tuple[int, int, float, dict[int, str]]) -> Any:
    """Runs (number, exit code, end, how its actions ended), and a state that remembers them."""
    known = [
        Run(number, "apply", 1.0, ended, exit_code=code, failed=len(ends), mappings=["docs"])
        for number, code, ended, ends in told
    ]
    endings = {number: ends for number, _, _, ends in told}

    def outcomes(run: int) -> list[Outcome]:
        return [Outcome(at, "docs", "create", "k", end) for at, end in endings[run].items()]  # type: ignore[arg-type]

    return known, SimpleNamespace(outcomes=outcomes)


@pytest.mark.parametrize(
    ("told", "since"),
    [
        ([(3, 7, 30.0, {1: "failed"}), (2, 7, 20.0, {1: "failed"}), (1, 0, 10.0, {})], 20.0),
        ([(3, 7, 30.0, {1: "failed"}), (2, 7, 20.0, {1: "failed"})], 20.0),
        ([(3, 7, 30.0, {1: "conflict"}), (2, 7, 20.0, {1: "failed"})], 0.0),
        ([(3, 130, 30.0, {}), (2, 0, 20.0, {})], 30.0),
        ([(3, 7, 0.0, {}), (2, 7, 20.0, {1: "failed"})], 0.0),
    ],
)
def test_without_the_cache_runs_tell_since_when_it_fails(told: Any, since: float) -> None:
    known, state = runs(*told)
    assert looking._told_by(state, "docs", known).failing_since == since


def test_why_tells_what_cannot_be_asked_and_what_is_refused(world: World) -> None:
    world.put(**{f"n{number}": "x" for number in range(12)})
    world.settled()
    world.options["guard"] = {"max_delete": "10%"}
    for number in range(8):
        world.remove(f"n{number}")
    failing(world, "stat", "n9")
    with world.house(write=False) as house:
        [told] = why(house, "n9", world.events.append)
    assert any("guard refuses the whole mapping" in note for note in told.notes)
    assert "stat: may not" in told.notes
    with world.house(write=True) as house:
        forget(house)
        assert status(house, 1.0).mappings[0].records == 12


# --- mending by hand


def test_a_state_is_not_pushed_from_nowhere(tmp_path: Path) -> None:
    spec = build({"mappings": {"docs": {"source": ".", "target": "memory://x"}}}, root=tmp_path)
    with pytest.raises(UsageError, match="no such file"):
        push(spec, str(tmp_path / "nowhere"), RealClock(), force=False)


def test_a_target_whose_notes_cannot_be_listed_is_not_reset(world: World) -> None:
    world.put(a="1")
    world.settled()
    world.around = lambda store: Listing(store, lambda under, _: iter([Problem(under, "503")]))
    with world.house(write=True) as house, pytest.raises(StateError, match="503"):
        reset(house, RealClock())
    with world.house(write=False) as house:
        assert len(house.state.scopes()) == 1


def test_without_a_home_there_is_no_place_for_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(UsageError, match="no home directory") as refusal:
        state_directory()
    assert "XDG_STATE_HOME" in refusal.value.hint


# --- reading


def test_a_reader_that_is_stopped_breaks_off_in_the_middle(tmp_path: Path, world: World) -> None:
    world.put(a="content")
    stop = threading.Event()
    with world.house(write=False) as house:
        reader = Stoppable(house.mappings[0].reader, stop)
        entry = reader.stat("a")
        assert entry is not None
        with reader.stream("a", entry.version, lambda _digest: None) as stream:
            assert stream.readable()
            assert stream.read(3) == b"con"
            stop.set()
            with pytest.raises(StoreError, match="stopped before all of it was sent"):
                stream.read()
        stop.clear()
        with reader.stream("a", entry.version, lambda _digest: None) as stream:
            assert stream.read(None) == b"content"


def test_a_link_that_is_followed_is_what_it_leads_to(world: World) -> None:
    world.put(a="content")
    (world.src / "inside").symlink_to("a")
    (world.src / "outside").symlink_to("/etc/hostname")
    with world.house(write=False) as house:
        store = house.mappings[0].source
        told = [LocalReader(str(world.src), store, follow=True).stat(name) for name in ("inside", "outside", "a")]
        assert [one.kind for one in told if one is not None] == [Kind.FILE, Kind.SYMLINK, Kind.FILE]


# --- comparing


def test_a_deleted_file_whose_target_was_changed_is_a_conflict_without_a_look_at_the_source(world: World) -> None:
    world.put(a="one", b="two")
    world.settled()
    world.remove("a")
    put_there(world, "a", "eno")
    plan = world.plan()
    assert [(conflict.key, conflict.reason) for conflict in plan.conflicts] == [("a", Reason.DELETED_CHANGED)]


def test_what_was_just_written_is_read_where_nothing_else_tells(world: World) -> None:
    """A store that returns no version, and proves nothing: a record that is not settled is compared by its content."""

    class Mute(Failing):
        def prove(self, entry: Entry, hashes: Hashes) -> bool | None:
            return None

    world.put(a="1")
    world.around = lambda store: Mute(store, "", returns_version=False)
    assert world.apply().exit_code == 0
    with world.house(write=False) as house:
        [record] = house.state.records(house.mappings[0].scope.id)
        assert not record.settled
    made = failing(world, "", kind=Mute, returns_version=False)
    assert world.told() == []
    assert made


def test_a_listing_in_no_order_is_verified_all_the_same(world: World) -> None:
    world.put(a="1", b="2", c="3")
    world.settled()
    world.around = lambda store: Listing(store, lambda _, items: reversed(list(items)), order="bytes")
    with world.house(write=False) as house:
        found = verify(house, world.events.append)
    assert (found.checked, found.differences, found.problems) == (3, [], [])


def test_a_house_that_learns_nothing_plans_and_undoes(world: World) -> None:
    for content in ("1", "22"):
        make(world.src, {"a": content})
        world.apply()
    with world.house(write=True) as house:
        house.mappings = [with_other(wired, learnt=None) for wired in house.mappings]
        assert house.mappings[0].conditions == ""
        assert list(make_plan(house, PlanOptions(), world.events.append).changes()) == []
        hooks = RollbackHooks(world.events.append, lambda _plan: True, RealClock(), threading.Event())
        assert rollback(house, RollbackOptions(2, hold=False), hooks).exit_code == 0
    assert world.there() == {"a": "1"}


def test_two_that_stand_in_the_way_of_one_are_told_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    make(world.src, {"d": "a file now"})
    for name in ("d/x", "d/y"):
        world.write(name, "a stranger's", world.out)
    plan = world.plan()
    assert [(conflict.key, conflict.reason) for conflict in plan.conflicts] == [("d", Reason.IN_THE_WAY)]


def test_an_order_that_was_shown_is_believed_the_next_time(world: World) -> None:
    with world.house(write=True) as house:
        assert known_order(house.cache, "s3://bucket") == ""
        house.cache.put("order:s3://bucket", b"bytes")
        house.cache.put("order:s3://other", b"none")
        assert [known_order(house.cache, f"s3://{name}") for name in ("bucket", "other")] == ["bytes", ""]
