"""R20: no write, delete, chmod or open-for-write outside the root, whatever the remote names, symlinks or races are.

A canary tree stands outside; every part of every stat of it, and every byte, must be the same at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
import subprocess
import sys

from msgspec.structs import replace
import pytest

from reconcile.core.change import Action, Change, Reason
from reconcile.core.entry import ABSENT, Digest
from reconcile.core.errors import ReconcileError
from reconcile.core.fingerprint import local_version
from reconcile.core.plan import Plan
from reconcile.core.record import Record
from reconcile.flow.clock import RealClock
from reconcile.ports import Fold, Run
from reconcile.state.lease import acquire
from tests.flow.world import World

NAMES = ("a", "b", "in/deep/a", "in/deep/b")


class Canary:
    """A tree outside of everything, with the names that are written inside; `unharmed` tells whether it still is."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in NAMES:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"canary {name}")
        self._before = self._look()

    def _look(self) -> dict[str, object]:
        paths = [self.root, *sorted(self.root.rglob("*"))]
        return {str(path): (marks(path), path.read_bytes() if path.is_file() else b"") for path in paths}

    def check(self) -> None:
        assert self._look() == self._before


def marks(path: Path) -> tuple[int, ...]:
    """All of a stat but the time of the last reading: content, mode, links and names all leave a mark in it."""
    seen = path.lstat()
    return (seen.st_ino, seen.st_mode, seen.st_nlink, seen.st_uid, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    return Canary(tmp_path / "outside")


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path, options={"guard": {"max_delete": "off"}})
    for name in NAMES:
        world.write(name, f"one {name}")
    return world


@contextmanager
def swapping(one: Path, other: Path) -> Iterator[None]:
    """Another process that makes two names change places, in one step, as fast as it can."""
    loop = (
        "import ctypes, sys\n"
        "swap = ctypes.CDLL(None).renameat2\n"
        "one, other = (name.encode() for name in sys.argv[1:])\n"
        "print(swap(-100, one, -100, other, 2), flush=True)\n"
        "while True: swap(-100, one, -100, other, 2)\n"
    )
    with subprocess.Popen([sys.executable, "-c", loop, str(one), str(other)], stdout=subprocess.PIPE) as racer:
        try:
            assert racer.stdout is not None
            assert racer.stdout.readline() == b"0\n", "the race is on"
            yield
        finally:
            racer.kill()


@pytest.mark.hazard("S06")
@pytest.mark.parametrize("place", ["in", "a", "in/deep", "in/deep/a", ".reconcile", ".reconcile/undo"])
def test_a_link_in_the_target_is_never_gone_through(world: World, canary: Canary, place: str) -> None:
    world.settled()
    planted = world.out / place
    planted.parent.mkdir(exist_ok=True)
    if planted.exists():
        planted.rename(world.out / "before")
    planted.symlink_to(canary.root / place if (canary.root / place).exists() else canary.root)
    for text in ("two", "three"):
        for name in NAMES:
            world.write(name, f"{text} {name}")
        assert world.apply().exit_code != 0
        canary.check()
    for name in NAMES:
        world.remove(name)
    world.apply()
    canary.check()


def race(world: World, canary: Canary, tries: int) -> dict[str, int]:
    """Applies edits, moves and deletes below a directory that comes and goes, so many actions at least."""
    (world.out / "planted").symlink_to(canary.root / "in")
    endings: dict[str, int] = {}
    with swapping(world.out / "in", world.out / "planted"):
        for turn in count():
            for number in range(200):
                world.write(f"in/deep/{number}", f"turn {turn} {number}")
            world.write(f"in/deep/{'a' if turn % 2 else 'b'}", "comes and goes")
            world.remove(f"in/deep/{'b' if turn % 2 else 'a'}")
            with suppress(ReconcileError):  # the link may stand there while the plan is made
                for outcome in world.apply().outcomes:
                    endings[outcome.outcome] = endings.get(outcome.outcome, 0) + 1
            if sum(endings.values()) >= tries:
                return endings
    raise AssertionError


@pytest.mark.hazard("S05")
def test_no_race_for_a_directory_is_won(world: World, canary: Canary) -> None:
    world.settled()
    endings = race(world, canary, 2_000)
    canary.check()
    assert endings["done"] > 100
    assert sum(endings.values()) - endings["done"] > 100, "the link was met"


@pytest.mark.campaign
@pytest.mark.hazard("S05")
def test_no_race_is_won_in_a_hundred_thousand_tries(world: World, canary: Canary) -> None:
    world.settled()
    race(world, canary, 100_000)
    canary.check()


OUTSIDE = (
    "../outside/a",
    "in/../../outside/a",
    "/etc/reconcile-canary",
    "nul\0",
    ".git/hooks/update",
    ".ssh/authorized_keys",
)


@pytest.mark.hazard("R23", "S07")
@pytest.mark.parametrize("key", OUTSIDE)
@pytest.mark.parametrize("action", [Action.CREATE, Action.UPDATE, Action.DELETE, Action.MOVE])
def test_a_plan_that_names_what_is_outside_is_not_done(world: World, canary: Canary, key: str, action: Action) -> None:
    made = world.plan()
    forged = Change(1, "docs", action, key, Reason.NEW, path="a", size=5, expect=ABSENT, from_key="in/deep/a")
    into = [forged, replace(forged, key="taken", from_key=key)] if action is Action.MOVE else [forged]
    with suppress(ReconcileError):
        assert world.apply(Plan(made.header, lambda _mapping: into)).exit_code != 0
    canary.check()
    assert not list(world.out.rglob("[!.]*"))


@pytest.mark.hazard("R23", "S07")
@pytest.mark.parametrize("key", OUTSIDE)
def test_a_state_that_names_what_is_outside_leads_nowhere(world: World, canary: Canary, key: str) -> None:
    world.settled()
    with world.house(write=True) as house:
        held = acquire(house.state, "apply", timeout_s=0, clock=RealClock())
        scope = house.mappings[0].scope
        seen = (canary.root / "a").stat()
        version = local_version(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)
        lie = Record(key, seen.st_size, Digest(bytes(32)), version)
        run = house.state.begin(Run(0, "apply", 0.0), held)
        house.state.fold(run, [Fold(scope.id, 0, put=lie)], [], held)
        held.release()
        assert house.state.record(scope.id, key) == lie
    world.remove("a")
    for call in (world.apply, partial(world.apply, kind="destroy")):
        with suppress(ReconcileError):
            call()
        canary.check()


@pytest.mark.hazard("L11", "S05")
def test_a_followed_link_never_brings_in_what_is_outside(tmp_path: Path, canary: Canary) -> None:
    """The other side: what is read, while a directory of the source and a link out of it change places."""
    world = World(tmp_path, options={"symlinks": "follow", "guard": {"max_delete": "off"}})
    (tmp_path / "src" / "planted").symlink_to(canary.root)
    world.write("ours/a", "inside")
    (tmp_path / "src" / "alias").symlink_to("ours")
    arrived: set[str] = set()
    with swapping(world.src / "ours", world.src / "planted"):
        for turn in range(30):
            (tmp_path / "src" / f"new{turn}").symlink_to("ours/a")
            with suppress(ReconcileError):
                world.apply()
            arrived |= set(world.there().values())
    assert arrived == {"inside"}
