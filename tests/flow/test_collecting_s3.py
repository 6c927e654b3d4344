"""Uploads on S3 that died: the journal knows ours, and nobody else's is ever given up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconcile.stores.objects import s3_multipart
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import lose_before, refuse
from tests.flow.test_collecting import gc, told, why
from tests.flow.world import World

LARGE = "more than ten bytes, and in parts"


@pytest.fixture
def s3() -> Iterator[FakeS3]:
    with FakeS3() as server:
        yield server


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: FakeS3) -> World:
    for name, value in (("ENDPOINT_URL", s3.endpoint), ("ACCESS_KEY_ID", "fake"), ("SECRET_ACCESS_KEY", "fake")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    for module in ("reconcile.flow.step", "reconcile.stores.objects.store"):
        monkeypatch.setattr(f"{module}.SMALL_BYTES", 10)
    monkeypatch.setattr(s3_multipart, "PART_BYTES", 10)
    world = World(tmp_path, "s3://bucket/p", clock=Hasty())
    world.put(a=LARGE)
    return world


class Hasty:
    """Nobody waits for a server that is told to fail."""

    def now(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        pass


@pytest.mark.hazard("R31")
def test_an_upload_of_ours_that_died_is_given_up_by_the_next_run(world: World, s3: FakeS3) -> None:
    """Neither its parts nor its end arrive, nor that it was given up."""
    part = s3.fault("part", lose_before(), times=99)
    abort = s3.fault("abort", lose_before(), times=99)
    assert world.apply().exit_code == 7
    assert part.fired
    assert abort.fired
    assert s3.uploads
    last = list(s3.uploads)[-1]
    part.times = abort.times = 0
    gc(world)
    assert last not in s3.uploads
    world.settled()
    assert s3.objects["p/a"].data == LARGE.encode()


@pytest.mark.hazard("R31")
def test_what_others_began_is_told_and_left(world: World, s3: FakeS3) -> None:
    world.settled()
    s3.uploads["theirs"] = ("p/a", {}, {})
    s3.uploads["elsewhere"] = ("q/a", {}, {})
    s3.uploads["a copy of ours"] = ("p/.reconcile/undo/7/a", {}, {})
    collected = gc(world, 0, older=0)
    assert told(collected) == {"unfinished": 1}
    assert why(collected) == {"unfinished: no run of this state is known to have begun it": 1}
    assert set(s3.uploads) == {"theirs", "elsewhere"}


def test_who_may_not_list_uploads_is_told(world: World, s3: FakeS3) -> None:
    world.settled()
    fault = s3.fault("uploads", refuse(403, "AccessDenied"))
    collected = gc(world)
    assert fault.fired == 1
    assert (collected.exit_code, len(collected.problems)) == (7, 1)
