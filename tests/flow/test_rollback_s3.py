"""The stories of rollbacks on object stores: copies inside the bucket, or the bucket's own versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.s3 import FakeS3
from tests.flow import test_rollback
from tests.flow.small_trees import make
from tests.flow.undo_kit import became, undo, why
from tests.flow.world import World
from tests.servers import KEY_ID, SECRET, Server, lenient_s3, moto_s3, seaweed_s3

__all__ = ["lenient_s3", "moto_s3", "seaweed_s3"]

STORIES = {name: story for name, story in vars(test_rollback).items() if name.startswith("test_")}
ELSEWHERE = {"test_a_kept_copy_that_was_damaged_is_not_brought_back"}
GONE = {
    "test_what_is_gone_for_good_is_told",
    "test_a_strangers_bytes_that_were_kept_and_are_gone_cannot_come_back",
}


class Bucket:
    """A world in a bucket, and what its server says of it."""

    def __init__(self, server: Server | FakeS3, root: Path, *, versions: bool) -> None:
        self.name = server.bucket()
        if versions:
            self.client: Any = server.client
            self.versioning("Enabled")
        self.world = World(root, f"s3://{self.name}/team", {"guard": {"max_delete": "off"}})

    def versioning(self, status: str) -> None:
        self.client.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": status})

    def aside(self) -> set[str]:
        """Names of the copies that were kept aside."""
        found = self.client.list_objects_v2(Bucket=self.name, Prefix="team/.reconcile/undo/")
        return {one["Key"].removeprefix("team/") for one in found.get("Contents", ())}


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return monkeypatch


def bucket(request: pytest.FixtureRequest, kind: str, root: Path, env: pytest.MonkeyPatch) -> Bucket:
    name, _, versions = kind.partition("+")
    server = request.getfixturevalue(name)
    env.setenv("AWS_ENDPOINT_URL", server.endpoint)
    return Bucket(server, root, versions=bool(versions))


@pytest.fixture(params=["lenient_s3", "moto_s3+versions", "seaweed_s3"])
def world(request: pytest.FixtureRequest, tmp_path: Path, credentials: pytest.MonkeyPatch) -> World:
    return bucket(request, request.param, tmp_path, credentials).world


@pytest.fixture
def versioned(request: pytest.FixtureRequest, tmp_path: Path, credentials: pytest.MonkeyPatch) -> Bucket:
    return bucket(request, "moto_s3+versions", tmp_path, credentials)


@pytest.mark.parametrize("name", sorted(STORIES.keys() - ELSEWHERE))
def test_story(world: World, request: pytest.FixtureRequest, name: str) -> None:
    if name in GONE and "versions" in request.node.name:
        return  # there nothing is gone: see below
    STORIES[name](world)


def test_what_the_bucket_keeps_need_not_be_kept_by_us(versioned: Bucket) -> None:
    world = versioned.world
    world.options["keep"] = "never"
    there = test_rollback.changed(world, {"a": "1", "b": "2"}, {"a": "11", "c": "3"})
    assert undo(world).exit_code == 0
    assert world.there() == there


@pytest.mark.hazard("R27")
def test_a_bucket_that_keeps_versions_needs_no_copies(versioned: Bucket) -> None:
    world = versioned.world
    make(world.src, {"a": "1", "b": "2"})
    world.apply()
    make(world.src, {"a": "11"})
    kept = [one.kept for one in world.apply().outcomes]
    assert len(kept) == 2
    assert all("?versionId=" in one for one in kept)
    assert versioned.aside() == set()
    assert became(undo(world)) == {"a": "restored", "b": "restored"}
    assert world.there() == {"a": "1", "b": "2"}


def test_a_version_that_expired_is_named(versioned: Bucket) -> None:
    world = versioned.world
    make(world.src, {"a": "1"})
    world.apply()
    make(world.src, {"a": "11"})
    (outcome,) = world.apply().outcomes
    version_id = outcome.kept.partition("?versionId=")[2]
    versioned.client.delete_object(Bucket=versioned.name, Key="team/a", VersionId=version_id)
    result = undo(world)
    assert became(result) == {"a": "cannot"}
    assert why(result) == {"a": f"the bucket no longer keeps version {version_id}"}
    assert world.there() == {"a": "11"}


def test_what_no_version_is_kept_of_is_copied_aside(versioned: Bucket) -> None:
    """Versions were suspended after the probe: what was written since has no version of its own."""
    world = versioned.world
    make(world.src, {"a": "1", "b": "2"})
    world.apply()
    versioned.versioning("Suspended")
    make(world.src, {"a": "11", "b": "2"})
    world.apply()
    make(world.src, {"a": "111", "b": "2"})
    world.apply()
    assert versioned.aside() == {".reconcile/undo/3/a"}
    assert undo(world).exit_code == 0
    assert world.there() == {"a": "11", "b": "2"}


def test_what_was_accepted_comes_back_as_the_version_it_was(versioned: Bucket) -> None:
    """The digest beside it is that of the source; the version is the one that stood there."""
    world = versioned.world
    make(world.src, {"a": "1", "b": "2"})
    world.apply()
    versioned.client.put_object(Bucket=versioned.name, Key="team/a", Body=b"theirs")
    world.options["drift"] = "keep"
    assert world.apply().exit_code == 0
    make(world.src, {"a": "11", "b": "2"})
    world.apply()
    assert became(undo(world)) == {"a": "restored"}
    assert world.there() == {"a": "theirs", "b": "2"}
    make(world.src, {"a": "1", "b": "2"})
    assert world.told() == []
