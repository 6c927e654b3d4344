"""R9: change detection. A content that changed with any change in size, mtime (in either direction), ctime or inode is
found; racily clean files are read again. The one blind spot, all of them forged, is found by `--checksum`.
"""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import time

import pytest

from reconcile.core.fingerprint import GRANULE_NS, local_version
from tests.flow.world import World

TEXT, EDITED = "content 1", "content 2"
HOUR_NS = 3_600 * 10**9


@pytest.fixture
def world(tmp_path: Path) -> World:
    """One file, settled, whose digest this machine remembers."""
    world = World(tmp_path)
    world.put(a=TEXT)
    time.sleep(2 * GRANULE_NS / 10**9)  # younger than this, nothing is remembered
    world.settled()
    world.plan()
    return world


def with_mtime(shift_ns: int) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        before = path.stat()
        path.write_text(EDITED)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + shift_ns))

    return edit


def replaced(path: Path) -> None:
    """Another inode under the name, of the same size and mtime."""
    before = path.stat()
    other = path.with_name("other")
    other.write_text(EDITED)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def grown(path: Path) -> None:
    path.write_text(EDITED + "!")


EDITS: dict[str, Callable[[Path], None]] = {
    "another size": grown,
    "a newer time": with_mtime(HOUR_NS),
    "an older time": with_mtime(-HOUR_NS),
    "the same time, so ctime alone": with_mtime(0),
    "another inode": replaced,
}


@pytest.mark.hazard("L06")
@pytest.mark.hazard("L07")
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_an_edit_is_found(world: World, edit: Callable[[Path], None]) -> None:
    edit(world.src / "a")
    assert world.told() == ["update a"]
    world.settled()
    assert world.there() == world.here()


@pytest.mark.hazard("L05")
def test_what_is_younger_than_the_clock_can_tell_is_read_again(world: World) -> None:
    """A file whose times are those of the reading, or lie ahead, could change unseen: not remembered."""
    path = world.src / "a"
    path.write_text("content 3")
    ahead = time.time_ns() + HOUR_NS
    os.utime(path, ns=(ahead, ahead))
    world.settled()
    with world.house(write=False) as house:
        prints = {key: version for key, version, _ in house.mappings[0].memory.prints.cursor()}
    seen = path.stat()
    assert prints.get("a") != local_version(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)


@pytest.mark.hazard("L07")
@pytest.mark.parametrize("mtime_ns", [-1, -5 * 10**9, -(10**18), 2**33 * 10**9], ids=str)
def test_a_time_before_1970_or_far_ahead_is_a_time_as_any_other(world: World, mtime_ns: int) -> None:
    path = world.src / "a"
    path.write_text("of another age")
    os.utime(path, ns=(mtime_ns, mtime_ns))
    world.settled()
    assert world.there() == {"a": "of another age"}
    os.utime(world.out / "a", ns=(mtime_ns, mtime_ns))
    world.put(a="of today")
    world.settled()
    assert world.there() == {"a": "of today"}


@pytest.mark.hazard("L08")
def test_a_touch_is_no_change(world: World) -> None:
    os.utime(world.src / "a")
    assert world.told() == []


def test_the_blind_spot_is_found_by_checksum(world: World) -> None:
    """No system call sets ctime, so the memory is forged: it takes the edited file for the one it knows."""
    path = world.src / "a"
    path.write_text(EDITED)
    seen = path.stat()
    version = local_version(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)
    with world.house(write=False) as house:
        [record] = house.state.records(house.mappings[0].scope.id)
        house.mappings[0].memory.prints.remember("a", version, record.digest)
    assert world.told() == [], "all of them forged: nothing can be seen"
    assert world.told(world.plan(checksum=True)) == ["update a"]
