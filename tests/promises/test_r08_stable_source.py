"""R8: a stable source. We send only bytes that held still while they were read, and record the hash of what was sent.

A file that changes is told, or sent as it is now; never half of one and half of the other.
"""

from __future__ import annotations

from hashlib import sha256
import os
from pathlib import Path
import threading
from typing import Any
import uuid

from msgspec.structs import replace
import pytest

from reconcile.core.errors import StalePlanError
from reconcile.flow.planning import PlanOptions, make_plan
from reconcile.scan.hashing import SMALL_BYTES
from reconcile.stores.wrapper import Wrapper
from tests.flow.world import World

LARGE = SMALL_BYTES + 3


@pytest.fixture(params=["local", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(tmp_path, "" if request.param == "local" else f"memory://{uuid.uuid4().hex}")


class Meddling(Wrapper):
    """While the target takes a body, `meddle` happens to the source after its first bytes."""

    def __init__(self, inner: Any, meddle: Any, fired: list[str]) -> None:
        super().__init__(inner)
        self._meddle, self._fired = meddle, fired

    def write(self, key: str, body: Any, *, expect: Any) -> Any:
        def opened() -> Any:
            stream = body.open()
            read = stream.read

            def reading(size: int = -1) -> bytes:
                part = read(1_000 if not self._fired else size)
                if not self._fired:
                    self._fired.append(key)
                    self._meddle()
                return part

            stream.read = reading
            return stream

        return self.inner.write(key, replace(body, open=opened, data=None), expect=expect)


@pytest.mark.parametrize("how", ["edited", "grown", "cut", "replaced"])
def test_a_large_file_that_changes_on_its_way_is_not_published(world: World, how: str) -> None:
    path = world.write("big", b"old" + bytes(LARGE))
    world.settled()
    path.write_bytes(b"new" + bytes(LARGE))

    def meddle() -> None:
        if how == "replaced":
            other = world.write("other", b"xxx" + bytes(LARGE))
            os.replace(other, path)
        else:
            with path.open("r+b") as file:
                if how == "cut":
                    file.truncate(5_000)
                file.seek(0, os.SEEK_END if how == "grown" else os.SEEK_SET)
                file.write(b"mid")

    fired: list[str] = []
    world.around = lambda store: Meddling(store, meddle, fired)
    result = world.apply()
    world.around = None
    assert fired == ["big"]
    assert result.exit_code == 7
    assert [outcome.outcome for outcome in result.outcomes] == ["failed"]
    assert world.there()["big"][:3] == "old", "the old one is whole"
    world.settled()
    assert world.there()["big"].encode() == path.read_bytes()


def test_what_is_recorded_is_what_was_sent(world: World) -> None:
    """Edited between plan and apply: the new bytes go, under their own hash."""
    path = world.write("a", "planned")

    def late(_plan: object) -> bool:
        path.write_text("edited!")
        return True

    assert world.apply(approve=late).exit_code == 0
    assert world.there() == {"a": "edited!"}
    assert recorded(world) == {"a": sha256(b"edited!").digest()}
    assert world.told() == []


def test_a_saved_plan_sends_what_it_showed_or_nothing(world: World) -> None:
    path = world.write("a", "before")
    world.settled()
    path.write_text("planned")
    with world.house(write=False) as house:
        plan = make_plan(house, PlanOptions(pinned=True), world.events.append)
        path.write_text("edited!")
        with pytest.raises(StalePlanError):
            world.apply(plan)
    assert world.there() == {"a": "before"}


def test_a_file_that_is_replaced_without_a_pause_is_one_or_the_other(world: World) -> None:
    """Somebody puts A and B in its place in turn, each whole: no mixture arrives."""
    path = world.write("a", b"A" * 300_000)
    stop = threading.Event()

    def writer() -> None:
        while not stop.is_set():
            for letter in ("A", "B"):
                world.write("../other", letter * 300_000).replace(path)

    thread = threading.Thread(target=writer)
    thread.start()
    try:
        endings = [world.apply().exit_code for _ in range(5)]
    finally:
        stop.set()
        thread.join()
    assert set(endings) <= {0, 7}
    for text in world.there().values():
        assert text in ("A" * 300_000, "B" * 300_000)
        assert recorded(world)["a"] == sha256(text.encode()).digest()
    world.settled()


def recorded(world: World) -> dict[str, bytes]:
    with world.house(write=False) as house:
        return {record.key: record.digest for record in house.state.records(house.mappings[0].scope.id)}
