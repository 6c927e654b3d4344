"""The room where runs die, one for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.room import Room


@pytest.fixture(scope="session")
def room() -> Iterator[Room]:
    with Room() as opened:
        yield opened
