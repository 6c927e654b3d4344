"""What every part of the suite stands on: one fresh store for each test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from reconcile.ports import Store


class Contract:
    """Subclass it, give `open`, and pytest does the rest."""

    large_bytes = 9 << 20
    """The size of the largest body sent."""

    racers = 8
    """How many writers race."""

    def open(self) -> Store:
        """A new, empty store."""
        raise NotImplementedError

    def missing(self) -> Store | None:
        """A store whose container is yet to be made; None where that cannot be."""
        return None

    def leftovers(self) -> Sequence[str]:
        """What unfinished writes left behind, where the suite may look behind the store."""
        return ()

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """The store under test."""
        store = self.open()
        yield store
        store.close()
