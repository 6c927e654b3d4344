"""What a failure leaves behind: who waits for it, who is told, and what the next run makes of it."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
import uuid

from msgspec.structs import replace
import pytest

from reconcile.core.entry import ANY
from reconcile.core.errors import BusyError, DeniedError, FencedError
from reconcile.flow import applying
from reconcile.ports import Body
from reconcile.state.heartbeat import Heartbeat
from reconcile.stores.wrapper import Wrapper
from tests.flow.test_faults import Faulty
from tests.flow.watchers import Counting, everything, mutations
from tests.flow.world import World


@pytest.fixture(params=["local", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    url = "" if request.param == "local" else f"memory://{uuid.uuid4().hex}"
    return World(tmp_path, url, {"concurrency": 1})


def failing(at: int, error: Exception, *, late: bool = False, fired: list[Faulty]) -> Callable[[Any], Faulty]:
    """Put around a target: its call `at` fails; it is in `fired` afterwards."""

    def around(store: Any) -> Faulty:
        fired.append(Faulty(store, at, error, late))  # type: ignore[arg-type]
        return fired[-1]

    return around


@pytest.mark.hazard("O01")
@pytest.mark.hazard("O02")
def test_an_action_that_failed_is_exit_code_7(world: World) -> None:
    world.put(a="1", b="2")
    fired: list[Faulty] = []
    world.around = failing(1, DeniedError("no", op="test"), fired=fired)
    result = world.apply()
    assert fired[-1].fired
    assert (result.exit_code, result.failure_count, result.success_count) == (7, 1, 1)


@pytest.mark.hazard("P18")
def test_what_depends_on_a_failure_is_held_back(tmp_path: Path) -> None:
    """The second mapping is tried only when the first is done."""
    world = World(tmp_path, f"memory://{uuid.uuid4().hex}", {"depends_on": ["first"]})
    first = World(tmp_path / "first", f"memory://{uuid.uuid4().hex}")
    world.more = {"first": {"source": str(first.src), "target": first.target}}
    world.put(a="1")
    first.put(b="2")
    fired: list[Faulty] = []

    def around(store: Any) -> Any:
        fails = failing(0, DeniedError("no", op="test"), fired=fired)
        return fails(store) if store.url == first.target else store

    world.around = around
    result = world.apply()
    world.around = None
    assert fired[-1].fired
    assert {outcome.key: outcome.outcome for outcome in result.outcomes} == {"a": "held", "b": "failed"}
    assert world.there() == {}
    world.settled()
    assert world.there() == {"a": "1"}


@pytest.mark.hazard("T15")
@pytest.mark.parametrize("error", [BusyError("lost", op="test"), KeyboardInterrupt()], ids=["lost reply", "end"])
def test_a_write_without_an_answer_and_another_edit_is_no_conflict(world: World, error: BaseException) -> None:
    """Only what was announced before it was done tells that the strange version there is our own."""
    world.put(a="one")
    world.settled()
    world.put(a="two two")
    fired: list[Faulty] = []
    world.around = lambda store: failing(at_write(store), error, late=True, fired=fired)(store)  # type: ignore[arg-type]
    if isinstance(error, BusyError):
        assert world.apply().exit_code == 7
    else:
        with pytest.raises(KeyboardInterrupt):
            world.apply()
    world.around = None
    assert fired[-1].fired == "write a"
    assert world.there() == {"a": "two two"}
    world.put(a="three three three")
    world.settled()
    assert world.there() == {"a": "three three three"}


def at_write(store: Any) -> int:
    """Which mutating call of an update the write is: after the copy that is kept."""
    return 1 if store.traits.keeps in ("link", "copy") else 0


class Corrupting(Wrapper):
    """Keeps other bytes than it is sent, and says nothing."""

    def write(self, key: str, body: Any, *, expect: Any) -> Any:
        with body.open() as stream:
            wrong = bytes(len(stream.read()))
        return self.inner.write(key, replace(body, open=lambda: BytesIO(wrong), data=None), expect=expect)


@pytest.mark.hazard("R11")
@pytest.mark.hazard("R12")
def test_bytes_that_are_not_what_was_sent_are_told_and_left_with_the_old_ones_kept(world: World) -> None:
    """rclone deleted what failed its check, and with it the last good copy."""
    world.options["verify_writes"] = True
    world.put(a="good old")
    world.settled()
    world.put(a="new text")
    world.around = Corrupting
    result = world.apply()
    world.around = None
    assert result.exit_code == 7
    assert "other bytes" in result.outcomes[0].error
    with world.house(write=False) as house:
        held = everything(house.mappings[0].target)
    assert held["a"] == bytes(8), "nobody deletes it"
    assert b"good old" in held.values()


@pytest.mark.hazard("R36")
def test_who_lost_the_lease_begins_nothing_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss is heard at the first write; what has not begun by then never does."""
    world.put(**{f"f{number:03}": "text" for number in range(200)})
    beats: list[Heartbeat] = []
    calls: list[tuple[str, str]] = []

    class Heard(Heartbeat):
        def __init__(self, lease: Any) -> None:
            super().__init__(lease)
            beats.append(self)

    class Losing(Counting):
        def write(self, key: str, body: Any, *, expect: Any) -> Any:
            beats[-1].lost.set()
            return super().write(key, body, expect=expect)

    monkeypatch.setattr(applying, "Heartbeat", Heard)
    world.around = lambda store: Losing(store, calls)
    with pytest.raises(FencedError):
        world.apply()
    assert len([call for call in mutations(calls) if call[0] == "write"]) == 1


def test_what_goes_goes_last(world: World) -> None:
    """Whatever the order of the keys; an object that failed to come finds the others still there."""
    world.put(a="1", b="22", z="333")
    world.settled()
    for name in ("a", "b", "z"):
        world.remove(name)
    world.put(c="other", y="others")
    calls: list[tuple[str, str]] = []
    world.around = lambda store: Counting(store, calls)
    world.options["guard"] = {"max_delete": "off"}
    assert world.apply().exit_code == 0
    kinds = [verb == "write" for verb, _ in mutations(calls)]
    assert kinds.count(True) == 2
    assert kinds.count(False) >= 3
    assert kinds == sorted(kinds, reverse=True), calls


@pytest.mark.hazard("T15")
@pytest.mark.hazard("T30")
def test_what_was_announced_and_never_done_is_not_recorded(world: World) -> None:
    """The run ends between its announcement and each of its deeds: nothing says that they were done but the target."""
    for at in range(6):
        world.put(a="old", b="old")
        world.settled()
        world.remove("a")
        world.put(b="new")
        fired: list[Faulty] = []
        world.around = failing(at, KeyboardInterrupt(), fired=fired)  # type: ignore[arg-type]
        try:
            world.apply()
        except KeyboardInterrupt:
            assert fired[-1].fired
        world.around = None
        if not fired[-1].fired:
            break
        world.settled()
        assert world.there() == {"b": "new"}
    assert at >= 3


@pytest.mark.hazard("T30")
def test_a_strangers_bytes_in_the_place_of_announced_ones_are_not_ours(world: World) -> None:
    """As many bytes, another content: it waits for a person."""
    world.put(a="old")
    world.settled()
    world.put(a="new")
    fired: list[Faulty] = []
    world.around = lambda store: failing(at_write(store), KeyboardInterrupt(), fired=fired)(store)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        world.apply()
    world.around = None
    assert fired[-1].fired == "write a"
    with world.house(write=True) as house:
        house.mappings[0].target.write("a", Body(size_bytes=3, open=lambda: BytesIO(b"its")), expect=ANY)
    result = world.apply()
    assert [conflict.key for conflict in result.conflicts] == ["a"]
    assert world.there() == {"a": "its"}
