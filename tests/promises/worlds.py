"""One small world on a directory and on S3, for promises that hold on both; its clock makes nobody wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.s3 import FakeS3
from tests.flow.world import World
from tests.stores.fakes import OwnClock


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    """An S3 that breaks as it is told; bodies of more than 64 bytes go there in parts."""
    monkeypatch.setattr("reconcile.stores.objects.store.SMALL_BYTES", 64)
    monkeypatch.setattr("reconcile.stores.objects.s3_multipart.PART_BYTES", 64)
    with FakeS3() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        yield server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails for ever is asked three times."""
    monkeypatch.setattr("reconcile.stores.patience.ATTEMPTS", 3)


@pytest.fixture
def remote(s3: FakeS3, tmp_path: Path) -> World:
    """A world whose target is that S3."""
    return World(tmp_path, "s3://bucket/team", {"guard": {"max_delete": "off"}, "concurrency": 2}, clock=OwnClock())


@pytest.fixture
def local(tmp_path: Path) -> World:
    """A world whose target is a directory."""
    return World(tmp_path, "", {"guard": {"max_delete": "off"}}, clock=OwnClock())


def changes(server: FakeS3) -> list[str]:
    """What was asked of a server that changes something."""
    return [f"{one.op} {one.key}" for one in server.log if one.op not in ("list", "head", "get")]
