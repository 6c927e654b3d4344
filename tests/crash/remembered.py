"""What a state says after a death, read as somebody else would read it: from a copy, or on another machine."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing
from hashlib import sha256
import json
from pathlib import Path
import shutil

import pytest

from reconcile.core.record import Record
from reconcile.ports import StateStore
from reconcile.state.store import open_state
from tests.crash.mortal import Work, lives
from tests.crash.places import Place
from tests.flow.world import World

Told = tuple[str, str, str]
"""Key, version and digest (hexadecimal) of a record."""


def records(world: World, place: Place, told: Callable[[Work], str] = lives) -> list[Told]:
    """All records; looking changes nothing. `told` does what opens a shared state."""
    copy = place.root / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    if place.shared:
        return [(key, version, digest) for key, version, digest in json.loads(told(lambda: _there(world, copy)))]
    state = Path(place.state)
    if not state.exists():
        return []
    shutil.copytree(state.parent, copy)
    return _told(open_state(str(copy / state.name)))


def _there(world: World, cache: Path) -> str:
    """As a machine without any copy reads the log."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECONCILE_CACHE_DIR", str(cache))
        with world.house(write=False) as house:
            return json.dumps(_told(house.state))


def _told(state: StateStore) -> list[Told]:
    with closing(state):
        found: list[Record] = [record for scope, _, _ in state.scopes() for record in state.records(scope.id)]
    return [(record.key, record.version, record.digest.hex()) for record in found]


def check(told: Collection[Told], place: Place, ever: Collection[bytes], *, accepts: bool = False) -> None:
    """Every record names a content that was once there whole, and at its version the very one that is there.

    Where a run `accepts` what others wrote, the version is theirs and the content stays that of the source.
    """
    now = place.contents()
    known = {sha256(data).hexdigest() for data in ever}
    for key, version, digest in told:
        assert digest in known, f"{key} is recorded with a content that nobody ever had"
        if place.version(key) == version and not accepts:
            assert digest == sha256(now[key]).hexdigest(), f"{key} is recorded with another content"
