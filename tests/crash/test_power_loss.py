"""The power fails in the middle of a run: whatever reached the disk, nothing is lost, nothing half, and no record lies;
one apply, without help, makes it good.

Each image of a disk is made by chance from the recorded operations of a real run (`power.py`). The same seed means the
same chance, and nearly the same moment: threads take turns as they like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
import os
from pathlib import Path
import random

import pytest

from reconcile.core.errors import StalePlanError, UsageError
from reconcile.flow.clock import RealClock
from reconcile.state import migrations
from reconcile.state.files import beside
from reconcile.state.generations import generations
from reconcile.state.lease import acquire
from reconcile.state.mending import remove, reset
from reconcile.state.planfile import load_plan, save_plan
from reconcile.state.pushing import push
from reconcile.state.store import open_state
from reconcile.stores.disk import Disk
from tests.crash import sqlite_io
from tests.crash.blackouts import REFUSED, Machine, Recorded, read_state
from tests.crash.everything import AFTER, BEFORE, PARTS, check_recovered, on_disk, ready
from tests.crash.power import Image, synced_at
from tests.crash.writelog import Names, Sync, Write
from tests.flow.small_trees import make
from tests.flow.world import World

pytestmark = [
    pytest.mark.skipif(bool(sqlite_io.WHY_NOT), reason=sqlite_io.WHY_NOT),
    pytest.mark.hazard("T17"),
]
TODAY = tuple(migrations.MIGRATIONS)
LATER = "CREATE TABLE later (id INTEGER PRIMARY KEY);\n"
SEEDS = Path(__file__).parents[1] / "seeds" / "power_loss.txt"
TURNED = {"file": "was a directory", "directory/one": "was a file", "new": "too", "fresh": "too", "log/1": "x"}


FEW = ("file/one", "new/deep/name", "directory", "fresh/empty", "log", "same-1")


def fresh(root: Path, names: Iterable[str] = AFTER) -> World:
    """Nothing was ever applied."""
    root.mkdir()
    world = World(root, options={"guard": {"max_delete": "off"}})
    make(world.src, {name: AFTER[name] for name in names})
    return world


def little(root: Path) -> World:
    """A state with a few records and generations, of a world in order."""
    root.mkdir()
    world = World(root)
    make(world.src, {"a": "1", "b/c": "2", "d": "3"})
    world.apply()
    return world


def changed(root: Path) -> World:
    """The same, with two changes to plan."""
    world = little(root)
    make(world.src, {"a": "other", "b/c": "2", "d": "3", "e": "new"})
    return world


def killed(root: Path) -> World:
    """As `little`, but the last commits are in the log of the state, as who did them was killed."""
    world = little(root)
    path = root / "state" / "reconcile.db"
    log = beside(path, "-wal")
    with closing(open_state(str(path), write=True)) as state:
        acquire(state, "apply", clock=RealClock()).release()
        left = {file: file.read_bytes() for file in (path, log)}
    for file, data in left.items():
        file.write_bytes(data)
    return world


def damaged(root: Path) -> World:
    """That, but the state is cut in half; its log is not."""
    world = killed(root)
    path = root / "state" / "reconcile.db"
    os.truncate(path, path.stat().st_size // 2)
    return world


def lost(root: Path) -> World:
    """That, but the state is gone; what lay beside it is not."""
    world = killed(root)
    (root / "state" / "reconcile.db").unlink()
    return world


# --- what is done until the power fails


def apply(world: World) -> None:
    assert world.apply().exit_code == 0


def push_generation(world: World) -> None:
    path = world.root / "state" / "reconcile.db"
    push(str(path), str(generations(path)[0][1]), clock=RealClock(), force=True)


def open_anew(world: World) -> None:
    open_state(str(world.root / "state" / "reconcile.db"), write=True).close()


def mend(world: World) -> None:
    """A record is forgotten; then all of them."""
    state = open_state(str(world.root / "state" / "reconcile.db"), write=True)
    lease = acquire(state, "state rm", clock=RealClock())
    remove(state, state.scopes()[0][0].id, lambda key: key == "a", lease)
    reset(state, lease)
    lease.release()
    state.close()


def plan_into_a_file(world: World) -> None:
    save_plan(world.plan(), str(world.root / "plan"))


# --- what must hold then; each returns how many images it looked at


def judge_apply(machine: Machine, recorded: Recorded, chance: random.Random) -> int:
    machine.check(recorded, machine.lose_power(recorded, chance))
    check_recovered(machine.world)
    return 1


def judge_first(machine: Machine, recorded: Recorded, chance: random.Random) -> int:
    """Also what turns around later: no directory that came back may then stand in the way."""
    machine.check(recorded, machine.lose_power(recorded, chance))
    world, tree = machine.world, machine.world.here()
    world.settled()
    assert on_disk(world) == tree
    if chance.random() < 0.2:
        make(world.src, TURNED)
        world.settled()
        assert on_disk(world) == TURNED
        make(world.src, tree)
    return 1


def judge_recovery(machine: Machine, recorded: Recorded, chance: random.Random) -> int:
    """The power fails in the run, in the recovery, and in the recovery from that."""
    machine.check(recorded, machine.lose_power(recorded, chance))
    for _ in range(2):
        recorded = machine.record(partial(apply, machine.world))
        for _ in range(8):
            judge_apply(machine, recorded, chance)
        machine.lose_power(recorded, chance)
    return 1 + 2 * 8


def judge_state(machine: Machine, recorded: Recorded, chance: random.Random) -> int:
    """A run goes on with what is there, once a damaged state was replaced by what the refusal offers."""
    machine.check(recorded, machine.lose_power(recorded, chance))
    if read_state(machine.state) == REFUSED:
        push_generation(machine.world)
    machine.world.settled()
    return 1


def judge_replaced(machine: Machine, recorded: Recorded, chance: random.Random) -> int:
    """As that; and what was damaged is kept, whole, before anything takes its place."""
    machine.check(recorded, machine.lose_power(recorded, chance))
    if read_state(machine.state) == REFUSED:
        push_generation(machine.world)
    was = beside_state(recorded)
    kept = [path.read_bytes() for path in machine.state.parent.glob("reconcile.db.replaced-*")]
    assert was["reconcile.db"] in kept
    assert was["reconcile.db-wal"] in kept
    machine.world.settled()
    return 1


def judge_begun(machine: Machine, recorded: Recorded, chance: random.Random) -> int:
    """A run goes on; and every copy of what was lost is kept, out of the way of what begins in its place."""
    machine.check(recorded, machine.lose_power(recorded, chance))
    kept = "replaced-" if machine.state.exists() else ""
    found = [path.read_bytes() for path in machine.state.parent.glob(f"reconcile.db.{kept}*")]
    copies = {name: data for name, data in beside_state(recorded).items() if name.startswith("reconcile.db.g")}
    assert [name for name, data in copies.items() if data not in found] == []
    machine.world.settled()
    assert on_disk(machine.world) == machine.world.here()
    return 1


def beside_state(recorded: Recorded) -> dict[str, bytes]:
    """The state and what lay beside it when the run began."""
    base = Image(recorded.log.base)
    names = base.directory(base.directory(0)["state"])
    return {name: base.nodes[number].data for name, number in names.items()}


def judge_plan_file(machine: Machine, recorded: Recorded, chance: random.Random) -> int:
    """The whole plan, or a refusal; never a part of it."""
    machine.check(recorded, machine.lose_power(recorded, chance))
    path = machine.world.root / "plan"
    if path.exists():
        with suppress(UsageError, StalePlanError):
            assert len(list(load_plan(str(path)).changes())) == 2
    return 1


Story = tuple[Callable[[Path], World], Callable[[World], object], Callable[[Machine, Recorded, random.Random], int]]
STORIES: dict[str, Story] = {
    "apply": (ready, apply, judge_apply),
    "first": (fresh, apply, judge_first),
    "recovery": (ready, apply, judge_recovery),
    "push": (little, push_generation, judge_state),
    "push over a damaged state": (damaged, push_generation, judge_replaced),
    "begin without the lost state": (lost, open_anew, judge_begun),
    "migration": (little, open_anew, judge_state),
    "mend": (little, mend, judge_state),
    "plan": (changed, plan_into_a_file, judge_plan_file),
}
_PARTS: dict[str, Callable[[Path], World]] = {part: partial(ready, part=part) for part in PARTS}
SMALLER: dict[str, Story] = {
    **{f"apply {part}": (prepare, apply, judge_apply) for part, prepare in _PARTS.items()},
    **{f"recovery {part}": (prepare, apply, judge_recovery) for part, prepare in _PARTS.items()},
    "first of a few": (partial(fresh, names=FEW), apply, judge_first),
}
"""Worlds with a few changes, made good in half the time; together they hold what the large ones do."""
ALL = STORIES | SMALLER


@dataclass
class Stage:
    """A story whose run is recorded, to be judged as often as wanted: each loss begins with the disk as it was."""

    name: str
    machine: Machine
    recorded: Recorded
    spoilt: bool = False

    @classmethod
    def of(cls, name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
        prepare, work, _ = ALL[name]
        surround(root, monkeypatch)
        machine = Machine(prepare(root))
        surround(root, monkeypatch, later=name == "migration")
        return cls(name, machine, machine.record(lambda: work(machine.world)))

    def play(self, seeds: Sequence[int], monkeypatch: pytest.MonkeyPatch) -> int:
        """Judges what each seed makes of it. Returns how many images there were."""
        surround(self.machine.world.root, monkeypatch, later=self.name == "migration")
        images, tree = 0, self.machine.world.here()
        for seed in seeds:
            try:
                images += ALL[self.name][2](self.machine, self.recorded, random.Random(seed))
                assert self.machine.world.here() == tree, "the source is not what it was"
            except Exception as error:
                self.spoilt = True
                raise AssertionError(f"{error!r}\nkeep it in {SEEDS}:\n{self.name}: {seed}") from error
        return images


def surround(root: Path, monkeypatch: pytest.MonkeyPatch, *, later: bool = False) -> None:
    """The cache loses the power with the rest, and may lie torn in any way: it is never synced."""
    monkeypatch.setenv("RECONCILE_CACHE_DIR", str(root / "cache"))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*TODAY, LATER) if later else TODAY)


@pytest.fixture(scope="session")
def recorded() -> dict[object, Stage]:
    """Runs that were recorded already, for all tests of this process: stories may begin with the same."""
    return {}


@pytest.fixture
def staged(
    recorded: dict[object, Stage], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Stage]:
    """A story, recorded."""

    def stage(name: str) -> Stage:
        run = ALL[name][:2]
        if run not in recorded or recorded[run].spoilt:
            recorded[run] = Stage.of(name, tmp_path_factory.mktemp("power") / "world", monkeypatch)
        recorded[run].name = name
        return recorded[run]

    return stage


PER_COMMIT = [
    *(("apply", first, 40) for first in (0, 40)),
    *((f"apply {part}", first, 45) for part in PARTS for first in (0, 45)),
    *(("recovery", first, 1) for first in range(3)),
    *((f"recovery {part}", 0, 3) for part in PARTS),
    ("first", 0, 50),
    *(("first of a few", first, 50) for first in (0, 50, 100)),
    *((name, 0, 50) for name in list(STORIES)[3:]),
]


@pytest.mark.parametrize(("name", "first", "count"), PER_COMMIT)
def test_the_power_fails(
    staged: Callable[[str], Stage], monkeypatch: pytest.MonkeyPatch, name: str, first: int, count: int
) -> None:
    images = staged(name).play(range(first, first + count), monkeypatch)
    assert images == count * (17 if "recovery" in name else 1)


def test_what_is_replaced_is_kept_for_good_before_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copies have their names on the disk before the log is taken away, and that is, before the new state comes."""
    log = Stage.of("push over a damaged state", tmp_path / "world", monkeypatch).recorded.log
    lasts = synced_at(log)
    made, gone = {}, {}
    for at, one in enumerate(log.operations):
        for _, name, old, new in one.changes if isinstance(one, Names) else ():
            (made if new is not None else gone)[name] = at
            assert old is None or new is None or name == "reconcile.db", "nothing else is replaced"
    kept = [lasts[made[f"reconcile.db.replaced-1{suffix}"]] for suffix in ("", "-wal")]
    assert max(kept) < gone["reconcile.db-wal"]
    assert max(lasts[gone["reconcile.db-wal"]], lasts[gone["reconcile.db.head"]]) < made["reconcile.db"]


def test_it_fails_a_thousand_times_with_every_commit() -> None:
    assert sum(count * (17 if "recovery" in name else 1) for name, _, count in PER_COMMIT) >= 1_000


def test_the_parts_hold_every_kind_of_change(tmp_path: Path) -> None:
    """What is due in the world where everything is due at once, is due in one of the small ones, and so is the rest."""
    due = [change for part, prepare in _PARTS.items() for change in prepare(tmp_path / part).told()]
    assert sorted(due) == sorted(ready(tmp_path / "whole").told())
    names = {name.split("/")[0] for name in {*BEFORE, *AFTER}}
    assert sorted(name for part in PARTS.values() for name in part) == sorted(names)


@pytest.mark.parametrize("line", SEEDS.read_text().splitlines())
def test_what_failed_once(staged: Callable[[str], Stage], monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    name, seed = line.split(": ")
    assert staged(name).play([int(seed)], monkeypatch)


def test_the_recorder_hears_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's writes into its log, and its syncs of it; our own files, names and syncs. Recording ends with a check
    that nothing stands on the disk which the log does not know of."""
    surround(tmp_path / "world", monkeypatch)
    machine = Machine(ready(tmp_path / "world"))
    operations = machine.record(machine.world.apply).log.operations
    named = [change for one in operations if isinstance(one, Names) for change in one.changes]
    assert {"reconcile.db-wal", "reconcile.db.head", "edited", "gone", "directory"} <= {change[1] for change in named}
    logs = {new for _, name, _, new in named if name == "reconcile.db-wal" and new is not None}
    assert sum(isinstance(one, Write) and one.node in logs for one in operations) > 20
    assert sum(isinstance(one, Sync) and one.node in logs for one in operations) > 10
    assert sum(isinstance(one, Sync) for one in operations) > 80


@pytest.mark.parametrize("sync", ["sync", "sync_directory"])
@pytest.mark.parametrize("name", ["apply", *(f"apply {part}" for part in PARTS), "first of a few"])
def test_what_was_not_synced_can_be_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, sync: str) -> None:
    """The images have teeth: without one kind of sync the same judgement fails."""
    monkeypatch.setattr(Disk, sync, lambda *_: None)
    with pytest.raises(AssertionError, match="keep it in"):
        Stage.of(name, tmp_path / "world", monkeypatch).play(range(90), monkeypatch)
