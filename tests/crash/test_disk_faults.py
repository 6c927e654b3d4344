"""Every step of every kind that a run takes on its disk fails once, with every error a disk can answer, before it is
taken or after it: whatever failed is told, nothing is lost or half, no record lies, and the next run makes it good.

The world of every kind of action is small, so that thousands of runs fit into a minute; SQLite's own I/O is among the
steps. What every operation of the store does alone is in `test_store_faults`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
import errno
from functools import partial
from hashlib import sha256
from io import BytesIO
import os
from pathlib import Path
import random

import pytest

from reconcile.core.entry import ABSENT, Digest, Entry, Problem
from reconcile.core.errors import StoreError
from reconcile.ports import Body
from reconcile.scan.filters import Filter, Rules
from reconcile.scan.system import Calls
from reconcile.scan.walk import walk
from reconcile.state import alive
from reconcile.stores.local import LocalStore
from tests.crash import deeds
from tests.crash.deeds import Files
from tests.crash.everything import ready
from tests.crash.faulty import ERRNOS, Fault, Trial, failing
from tests.flow.small_trees import files_below, make
from tests.flow.world import World

EVERYWHERE = (errno.EIO, errno.ENOSPC)
"""These at every eighth step; of the others a part each."""
BEFORE = {
    "edited": "old text",
    "gone/last": "to be deleted",
    "old": "moved about",
    "swap-a": "one",
    "swap-b": "other",
    "file": "becomes a directory",
}
AFTER = {
    "edited": "new text",
    "new/old": "moved about",
    "swap-a": "other",
    "swap-b": "one",
    "file/one": "in it",
    "fresh/new": "quite new",
}


@pytest.fixture(autouse=True)
def the_dead_hold_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that failed to give its lease back is this very process, which lives; its user's would be gone."""
    monkeypatch.setattr(alive, "life", lambda _: "dead")


def due(root: Path) -> World:
    """A small world where every kind of change of the disk is due."""
    root.mkdir()
    world = World(root, options={"guard": {"max_delete": "off"}, "concurrency": 1})
    make(world.src, BEFORE)
    world.apply()
    make(world.src, AFTER)
    return world


@pytest.fixture(scope="module")
def made() -> dict[Trial, int]:
    """The one trial for all errors, with how many steps it has: it is put back before each of them."""
    return {}


@pytest.fixture
def trial(made: dict[Trial, int], tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A small world where every kind of change is due."""
    if not made:
        one = Trial(due(tmp_path_factory.mktemp("trial") / "world"))
        made[one] = one.steps()
    return next(iter(made))


def names(code: int) -> str:
    return errno.errorcode[code]


@pytest.mark.hazard("T18")
@pytest.mark.hazard("T20")
@pytest.mark.hazard("T21")
@pytest.mark.hazard("O02")
@pytest.mark.parametrize("code", ERRNOS, ids=names)
def test_a_fault_in_a_run(trial: Trial, made: dict[Trial, int], code: int) -> None:
    stride = 8 if code in EVERYWHERE else 32
    first = ERRNOS.index(code) % stride
    fired = [
        trial.fail(Fault(at, code, late=late)).fired
        for late in (False, True)
        for at in range(first, made[trial], stride)
    ]
    assert sum(map(bool, fired)) >= 0.9 * len(fired), "few of them are not taken when an earlier one takes longer"
    assert sum(map(bool, fired)) > 2 * 120 / stride


@pytest.mark.hazard("T18")
def test_a_fault_in_the_run_of_all_actions(tmp_path: Path) -> None:
    chance = random.Random(1)
    trial = Trial(ready(tmp_path / "world"))
    steps = trial.steps()
    faults = [Fault(chance.randrange(steps), chance.choice(ERRNOS), late=chance.random() < 0.5) for _ in range(30)]
    assert sum(bool(trial.fail(fault).fired) for fault in faults) >= 27


def test_a_rename_that_finds_its_own_work(tmp_path: Path) -> None:
    """A request to a mounted disk that is sent again is answered that the name is taken: by the first one."""
    trial = Trial(ready(tmp_path / "world"))
    trial.fail(whole := Fault(-1, only="disk.rename_new"))
    assert whole.count > 20
    for at in range(whole.count):
        assert trial.fail(Fault(at, errno.EEXIST, late=True, only="disk.rename_new")).fired


# --- one operation of the store


def body_of(data: bytes) -> Body:
    digest = Digest(sha256(data).digest())
    return Body(size_bytes=len(data), open=lambda: BytesIO(data), data=data, digest=digest)


def put(store: LocalStore, key: str, data: bytes = b"old") -> Entry:
    return store.write(key, body_of(data), expect=ABSENT)


def creates(store: LocalStore) -> None:
    store.write("new/deep/x", body_of(b"new"), expect=ABSENT)


def updates(store: LocalStore) -> None:
    there = store.stat("a/b")
    assert there is not None
    store.write("a/b", body_of(b"new"), expect=there.version)


def keeps(store: LocalStore) -> None:
    there = store.stat("a/b")
    assert there is not None
    store.copy(there, ".reconcile/undo/1/a/b", expect=ABSENT)


def copies(store: LocalStore) -> None:
    there = store.stat("a/b")
    assert there is not None
    store.copy(there, "copy/of", expect=ABSENT)


def moves(store: LocalStore) -> None:
    there = store.stat("a/b")
    assert there is not None
    store.move(there, "c/d", expect=ABSENT)


def deletes(store: LocalStore) -> None:
    there = store.stat("a/b")
    assert there is not None
    for error in store.delete([("a/b", there.version)]):
        if error is not None:
            raise error


def moves_over(store: LocalStore) -> None:
    there, other = store.stat("a/b"), put(store, "other", b"new")
    assert there is not None
    store.move(other, "a/b", expect=there.version)


def deletes_many(store: LocalStore) -> None:
    more = [(key, put(store, key).version) for key in ("a/c", "d/e/f", "d/e/g", "h/i")]
    for error in store.delete(more):
        if error is not None:
            raise error


def streams(store: LocalStore) -> None:
    """What is too large for memory."""
    there = store.stat("a/b")
    assert there is not None
    body = Body(size_bytes=3, open=lambda: BytesIO(b"new"), executable=True, token="00ff")
    store.write("a/b", body, expect=there.version)


def swaps(store: LocalStore) -> None:
    """Two files, one of which waits aside."""
    there, other = store.stat("a/b"), put(store, "c/d/e", b"new")
    assert there is not None
    parked = store.move(there, ".reconcile/park/1/a/b", expect=ABSENT)
    store.move(other, "a/b", expect=ABSENT)
    store.move(parked, "c/d/e", expect=ABSENT)


def restores(store: LocalStore) -> None:
    """What was kept before it was replaced comes back."""
    there = store.stat("a/b")
    assert there is not None
    store.copy(there, ".reconcile/undo/1/a/b", expect=ABSENT)
    now = store.write("a/b", body_of(b"new"), expect=there.version)
    kept = store.stat(".reconcile/undo/1/a/b")
    assert kept is not None
    store.copy(kept, "a/b", expect=now.version)


OPERATIONS = {
    act.__name__: act
    for act in (
        creates, updates, streams, keeps, copies, moves, moves_over, swaps, restores, deletes, deletes_many
    )
}  # fmt: skip


def contents(root: Path) -> dict[str, bytes]:
    """What a reader sees, without what is being written and our notes."""
    found = files_below(str(root))
    return {key: data for key, data in found.items() if ".reconcile-tmp" not in key and key[-4:] != "dirs"}


def first(root: Path) -> Files:
    """What a store leaves that has written one file."""
    root.mkdir()
    with closing(LocalStore(str(root))) as store:
        put(store, "a/b")
    return files_below(str(root))


def faulted(root: Path, before: Files, act: Callable[[LocalStore], None], fault: Fault) -> tuple[str, Files]:
    """The operation with a fault; how it ended, and what stood there then."""
    deeds.put(before, root)
    with closing(LocalStore(str(root))) as store, failing(fault):
        error = failure(act, store)
    assert error is None or (error.op and error.path), fault
    return str(error or ""), contents(root)


def failure(act: Callable[[LocalStore], None], store: LocalStore) -> StoreError | None:
    try:
        act(store)
    except StoreError as error:
        return error
    return None


@pytest.mark.hazard("T18")
@pytest.mark.hazard("T20")
@pytest.mark.hazard("T21")
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_fault_in_an_operation_of_the_store(tmp_path: Path, name: str) -> None:
    """Every name holds its whole old or its whole new content; without an error all is done."""
    act = OPERATIONS[name]
    whole, laid = Fault(-1), first(tmp_path / "first")
    told, after = faulted(tmp_path / "whole", laid, act, whole)
    assert told == ""
    before = {"a/b": b"old"}
    fired = 0
    for late in (False, True):
        for at in range(whole.count):
            for code in ERRNOS:
                fault = Fault(at, code, late=late)
                told, found = faulted(tmp_path / "faulted", laid, act, fault)
                assert set(found.values()) <= {b"old", b"new"}, f"{fault}: {found}"
                assert b"old" in found.values() or found in (before, after), f"{fault}: {found}"
                absent = code == errno.ENOENT  # what the system says is gone is taken for gone
                assert told or found == after or absent, f"{fault}: no error, and not done"
                fired += bool(fault.fired)
    assert fired >= whole.count * 2 * len(ERRNOS) * 0.9


# --- what is read


class Failing:
    """System calls of a scan, of which the one with this number fails."""

    def __init__(self, at: int, code: int) -> None:
        self._left, self._code = at, code
        self.fired = False
        self.calls = Calls(*(partial(self._call, getattr(Calls(), name)) for name in Calls.__struct_fields__))

    def _call(self, act: Callable[..., object], *told: object, **named: object) -> object:
        self._left -= 1
        if self._left == -1 and act is not os.close:
            self.fired = True
            raise OSError(self._code, os.strerror(self._code))
        return act(*told, **named)


def scanned(root: Path, calls: Calls) -> Iterator[Entry | Problem]:
    return walk(str(root), selection=Filter(Rules()), calls=calls)


@pytest.mark.parametrize("code", ERRNOS, ids=names)
def test_a_fault_while_reading_directories(tmp_path: Path, code: int) -> None:
    """What was not seen is covered by a problem, or the walk raises; only `ENOENT`, of a name, is absence."""
    make(tmp_path, {f"{above}{name}": "1" for above in ("", "b/", "b/d/", "g/", "h/i/j/") for name in "klmno"})
    whole = {item.key for item in scanned(tmp_path, Calls()) if isinstance(item, Entry)}
    fired = 0
    for at in range(90):
        failing_calls = Failing(at, code)
        try:
            found = list(scanned(tmp_path, failing_calls.calls))
        except StoreError:
            fired += 1
            continue
        fired += failing_calls.fired
        problems = [item for item in found if isinstance(item, Problem)]
        missing = whole - {item.key for item in found if isinstance(item, Entry)}
        assert not missing or code == errno.ENOENT or problems, (at, missing)
        for key in missing if code != errno.ENOENT else ():
            assert any(problem.covers(key) for problem in problems), (at, key)
    assert fired >= 40
