"""Whole runs against an S3 that is not there yet, forbids, or keeps other bytes: every one of them ends in sync."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconcile.core.change import Reason
from reconcile.core.errors import NotFoundError
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import keep, refuse
from tests.flow.world import World
from tests.servers import KEY_ID, REGION, SECRET, Server, moto_s3

__all__ = ["moto_s3"]


def reach(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    words = {"ENDPOINT_URL": endpoint, "ACCESS_KEY_ID": KEY_ID, "SECRET_ACCESS_KEY": SECRET, "REGION": REGION}
    for word, value in words.items():
        monkeypatch.setenv(f"AWS_{word}", value)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    with FakeS3() as server:
        reach(monkeypatch, server.endpoint)
        yield server


@pytest.fixture
def world(s3: FakeS3, tmp_path: Path) -> World:
    return World(tmp_path, "s3://bucket/team")


def test_a_missing_bucket_is_made_where_that_is_allowed(
    moto_s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach(monkeypatch, moto_s3.endpoint)
    name = f"made-{tmp_path.name}".replace("_", "-")[:60]
    world = World(tmp_path, f"s3://{name}/team")
    world.put(a="1")
    with pytest.raises(NotFoundError, match="does not exist"):
        world.plan()
    world.options["create_target"] = True
    assert world.plan().mappings[0].creates == [f"bucket {name}"]
    world.settled()
    assert world.there() == {"a": "1"}


@pytest.mark.hazard("R16")
def test_without_the_right_to_delete_all_else_is_done(s3: FakeS3, world: World) -> None:
    fault = s3.fault("delete", refuse(403, "AccessDenied"), times=10_000)
    bulk = s3.fault("bulk", refuse(403, "AccessDenied"), times=10_000)
    world.put(a="1", b="2")
    world.settled()
    world.put(a="one")
    world.remove("b")
    assert world.apply().exit_code == 7
    assert world.there() == {"a": "one", "b": "2"}
    assert fault.fired
    assert bulk.fired
    fault.times = bulk.times = 0
    world.settled()
    assert world.there() == {"a": "one"}


@pytest.mark.hazard("R11", "R12", "R13")
@pytest.mark.parametrize("change", [lambda _: b"", lambda data: data[:1], lambda data: b"X" + data[1:]])
def test_other_bytes_are_never_taken_for_what_was_sent(s3: FakeS3, world: World, change) -> None:
    world.put(old="before")
    world.settled()
    world.put(old="after", new="content")
    fault = s3.fault("put", keep(change), times=2)
    assert world.apply().exit_code == 7
    assert fault.fired == 2
    assert world.apply().exit_code == 3
    assert world.plan().exit_code() in (0, 3)
    world.options["conflict"] = "source"
    world.settled()
    assert world.there() == {"old": "after", "new": "content"}


@pytest.mark.hazard("T01")
def test_what_was_read_once_and_found_to_differ_is_known_from_then_on(s3: FakeS3, world: World) -> None:
    """A first meeting of one size and no digest: the plan knows what apply found out, and holds back nothing else."""
    s3.put("team/a", b"theirs")
    world.put(a="ours!!", b="1")
    assert world.told() == ["adopt a", "create b"]
    assert world.apply().exit_code == 3
    world.remove("b")
    asked = len(s3.ops("get"))
    plan = world.plan()
    assert world.told(plan) == ["delete b"]
    assert [(one.key, one.reason) for one in plan.conflicts] == [("a", Reason.NEVER_MET)]
    assert world.apply().exit_code == 3
    assert (sorted(world.there()), len(s3.ops("get"))) == (["a"], asked + 1), "it was read by this test alone"
    s3.put("team/a", b"others")
    assert world.told() == ["adopt a"], "it was never read as it is now"
    s3.put("team/a", b"theirs")
    world.put(a="theirs")
    world.settled()
