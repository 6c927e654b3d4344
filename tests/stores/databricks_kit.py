"""An emulated workspace for the tests of its stores, and the ways to open one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconcile.stores.registry import open_store
from tests.fakes.databricks import Emulator

VOLUME = "volume:/Volumes/main/default/landing"
ALL = (VOLUME, "dbfs:/landing", "workspace:/Workspace/Shared/landing")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        emulator.catalog.add("main", "default", "landing")
        yield emulator


def opened(emulator: Emulator, url: str = VOLUME, **words: object) -> Any:
    told = {"host": emulator.url, "token": emulator.token} if not words else {"host": emulator.url, **words}
    return open_store(url, options={**told, "concurrency": 4})


def principal(emulator: Emulator) -> dict[str, str]:
    return {"client_id": emulator.identity.client_id, "client_secret": emulator.identity.client_secret}
