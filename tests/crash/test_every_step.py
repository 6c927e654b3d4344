"""Death at the steps of an apply that does everything, and in the recoveries from it: the next run makes it good."""

from __future__ import annotations

from hashlib import sha256
from itertools import count
import os
from pathlib import Path
import random
import shutil

import pytest

from reconcile.core.entry import Entry
from tests.crash.mortal import dies
from tests.flow.small_trees import make
from tests.flow.watchers import holdings
from tests.flow.world import World

BEFORE = {
    "edited": "old text",
    "gone": "to be deleted",
    "old-name": "moved about",
    "log": "log 0",
    "log.1": "log 1",
    "log.2": "log 2",
    "swap-a": "one side",
    "swap-b": "the other side",
    "file": "becomes a directory",
    "directory/one": "becomes a file",
    "directory/two": "with it",
    "drifted": "as it was",
    "lost": "will vanish there",
    "mode": "made executable",
    "steady": "stays",
    "same-1": "twins",
    "same-2": "twins",
    "gone-both": "gone on both sides",
}
AFTER = {
    "edited": "new text",
    "new/deep/name": "moved about",
    "log": "log 3",
    "log.1": "log 0",
    "log.2": "log 1",
    "log.3": "log 2",
    "swap-a": "the other side",
    "swap-b": "one side",
    "file/one": "in it",
    "file/two": "and more",
    "directory": "file now",
    "drifted": "as it was",
    "lost": "will vanish there",
    "mode": "made executable",
    "steady": "stays",
    "same-1": "twins",
    "same-3": "twins",
    "fresh/empty": "",
    "fresh/new": "quite new",
    "adopted": "there already",
}
DUE = {"create", "update", "delete", "move", "adopt", "forget"}


def ready(root: Path) -> World:
    """A world where every kind of action is due."""
    root.mkdir()
    world = World(root, options={"guard": {"max_delete": "off"}})
    make(world.src, BEFORE)
    world.apply()
    make(world.src, AFTER)
    (world.src / "mode").chmod(0o755)
    (world.out / "drifted").write_text("an edit there")
    (world.out / "lost").unlink()
    (world.out / "gone-both").unlink()
    world.write("adopted", "there already", world.out)
    world.write("stranger", "not ours", world.out)
    return world


def there(world: World) -> dict[str, bytes]:
    with world.house(write=False) as house:
        return holdings(house.mappings[0].target)


def check_after_death(world: World, before: dict[str, bytes]) -> None:
    """Nothing is lost, nothing is half, nobody else's is touched, and no record tells a lie."""
    now = there(world)
    here = {name: text.encode() for name, text in world.here().items()}
    assert set(before.values()) - set(now.values()) - set(here.values()) == set()
    assert {key: data for key, data in now.items() if data not in {*before.values(), *here.values()}} == {}
    assert now["stranger"] == b"not ours"
    with world.house(write=False) as house:
        wired = house.mappings[0]
        entries = {item.key: item for item in wired.target.list() if isinstance(item, Entry)}
        for record in house.state.records(wired.scope.id):
            entry = entries.get(record.key)
            if entry is not None and entry.version == record.version:
                assert record.digest == sha256(now[record.key]).digest(), record.key
                assert record.executable == entry.executable, record.key


def check_recovered(world: World) -> None:
    """One apply, without help, and all is as it should be; a second finds nothing."""
    world.settled()
    found = world.there()
    assert found.pop("stranger") == "not ours"
    assert found == AFTER
    assert os.access(world.out / "mode", os.X_OK)


def die_and_recover(root: Path, *moments: int) -> int:
    """Dies at each of the moments in turn, then recovers; returns how often it died."""
    world = ready(root)
    before = there(world)
    deaths = 0
    for moment in moments:
        if not dies(world.apply, moment):
            break
        deaths += 1
        check_after_death(world, before)
    check_recovered(world)
    shutil.rmtree(root)
    return deaths


def test_the_world_asks_for_every_kind_of_action(tmp_path: Path) -> None:
    world = ready(tmp_path / "world")
    plan = world.plan()
    assert {change.action.value for change in plan.changes()} == DUE
    assert sum(change.group > 0 for change in plan.changes()) >= 6
    check_recovered(world)


@pytest.mark.hazard("T15")
@pytest.mark.parametrize("first", range(4))
def test_death_at_a_step(tmp_path: Path, first: int) -> None:
    """A sample of all steps; the campaign beside it takes every one."""
    died = [die_and_recover(tmp_path / str(at), at) for at in range(first * 6, 500, 24)]
    assert 12 <= sum(died) < len(died), "the sample reaches from the first step to beyond the last"


@pytest.mark.campaign
@pytest.mark.hazard("T15")
def test_death_at_every_step(tmp_path: Path) -> None:
    died = next(at for at in count() if not die_and_recover(tmp_path / str(at), at))
    assert died > 300


@pytest.mark.hazard("T16")
@pytest.mark.parametrize("seed", range(2))
def test_death_in_recovery_and_again(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    moments = [[chance.randrange(400), *(chance.randrange(200) for _ in range(2))] for _ in range(10)]
    died = [die_and_recover(tmp_path / str(at), *several) for at, several in enumerate(moments)]
    assert max(died) == 3
    assert sum(died) >= 20
