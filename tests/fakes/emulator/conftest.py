"""An emulator with one volume, and the real SDK on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.fakes.databricks import Emulator

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

VOLUME = "/Volumes/main/default/landing"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A workspace with the volume `main.default.landing`."""
    with Emulator() as emulator:
        emulator.catalog.add("main", "default", "landing")
        yield emulator


@pytest.fixture
def client(emulator: Emulator) -> WorkspaceClient:
    """The SDK, as it comes."""
    from databricks.sdk import WorkspaceClient

    return WorkspaceClient(config=emulator.config())
