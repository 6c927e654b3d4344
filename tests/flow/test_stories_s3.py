"""The same stories on object stores: our own, lenient about conditions, and SeaweedFS; some on Moto, too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconcile.abilities import Probed
from reconcile.flow.clock import RealClock
from reconcile.stores.objects.store import ObjectStore
from reconcile.stores.wrap import Traced
from tests.fakes.s3 import FakeS3
from tests.flow import test_stories
from tests.flow.world import World
from tests.servers import KEY_ID, SECRET, Server, lenient_s3, moto_s3, seaweed_s3

__all__ = ["lenient_s3", "moto_s3", "seaweed_s3"]

STORIES = {name: story for name, story in vars(test_stories).items() if name.startswith("test_")}


def test_our_own_is_as_lenient_as_moto(lenient_s3: FakeS3, moto_s3: Server) -> None:
    found = []
    for server in (lenient_s3, moto_s3):
        store = ObjectStore.open(f"s3://{server.bucket()}/team", server.options())
        assert isinstance(store, Probed)
        found.append(store.probe())
        store.close()
    assert found[0] == found[1]


@pytest.fixture(params=["lenient_s3", "moto_s3", "seaweed_s3"])
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    server = request.getfixturevalue(request.param)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return World(tmp_path, f"s3://{server.bucket()}/team")


@pytest.mark.parametrize("world", ["lenient_s3", "seaweed_s3"], indirect=True)
@pytest.mark.parametrize("name", [name for name in STORIES if "circle" not in name])
def test_story(world: World, name: str) -> None:
    STORIES[name](world)


@pytest.mark.parametrize("size", [2, 3])
def test_circle(world: World, size: int) -> None:
    test_stories.test_a_circle_of_renames(world, size)


def test_an_adoption_writes_nothing(world: World) -> None:
    """What is equal already is recorded without a probe, a mark or any other write: read-only credentials will do."""
    world.put(a="1", b="2")
    world.settled()
    for file in (world.root / "state").iterdir():
        file.unlink()
    for file in Path(os.environ["XDG_CACHE_HOME"], "reconcile").glob("state-*"):
        file.unlink()
    seen: list[str] = []
    world.around = lambda store: Traced(store, RealClock(), lambda verb, _key, _s: seen.append(verb))
    assert world.apply().counts == {"adopt": 2}
    assert set(seen) <= {"foresee", "list", "prove", "stat"}
    assert world.plan().mappings[0].conditions == "unproven"
