"""Everything that writes a state, each from a small world of its own; what a reader finds after each of its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import count
import os
from pathlib import Path
import shutil
from typing import Any

import pytest

from reconcile.core.entry import Version
from reconcile.core.errors import ReconcileError
from reconcile.core.outcome import Outcome
from reconcile.core.record import Scope
from reconcile.ports import HOOKS, Fold, Intent, Lease, Run
from reconcile.scan.filters import Filter, Rules
from reconcile.scan.walk import walk
from reconcile.state import mending
from reconcile.state.lease import acquire, break_lease, hold, show
from reconcile.state.pushing import push
from reconcile.state.shared import open_shared
from reconcile.state.store import SqliteState, open_state
from reconcile.stores.local import LocalStore
from tests.crash import sqlite_io
from tests.crash.blackouts import REFUSED, read_state
from tests.crash.writelog import Contents, contents
from tests.state.state_kit import DATA, DOCS, FakeClock, made, record

OLD = Path(__file__).parents[1] / "golden" / "states" / "0.1.0" / "whole"
OTHER = Scope("papers", "./docs", "s3://acme/docs")
DRAWING = [
    import_module(f"reconcile.{name}")
    for name in ("state.files", "state.lease", "state.log", "state.opening", "state.shared", "stores.draft")
]
"""All that a state is written by and that draws by lot, but for SQLite."""
Files = dict[str, bytes]


@dataclass(frozen=True)
class Deed:
    """`do` writes the state of a folder that `ready` made; `read` gives it as a reader finds it.

    A reader looks at what is `shown`: at names that begin so. Of a `costly` one fewer faults are taken with every
    commit.
    """

    ready: Callable[[Path], object]
    do: Callable[[Path], object]
    read: Callable[[Path], Contents | None] = lambda folder: read_state(state_of(folder))
    shown: str = ""
    costly: bool = False


def state_of(folder: Path) -> Path:
    """Where the state of a folder lies."""
    return folder / "reconcile.db"


# --- what there is at first


def made_state(folder: Path) -> None:
    """A few records, and no generation yet."""
    made(state_of(folder), keys=["a", "b/c", "d"])
    for generation in folder.glob("*.g*"):
        generation.unlink()


def generations_state(folder: Path) -> None:
    made(state_of(folder), keys=["a", "b/c", "d"])


def damaged_state(folder: Path) -> None:
    generations_state(folder)
    os.truncate(state_of(folder), state_of(folder).stat().st_size // 2)


def old_state(folder: Path) -> None:
    for path in OLD.glob("reconcile.db*"):
        shutil.copy(path, folder / path.name)


def held_state(folder: Path) -> None:
    made_state(folder)
    with closing(open_state(str(state_of(folder)), write=True)) as state:
        hold(state, "frozen", clock=FakeClock())


def shared_state(folder: Path) -> None:
    (folder / "shared").mkdir()
    with shared(folder) as state:
        a_run(state, acquire(state, "apply", clock=FakeClock()))


# --- what is done


def a_run(state: SqliteState, lease: Lease) -> None:
    """All that a run tells its state."""
    state.open_scope(DATA, lease)
    state.open_scope(DOCS, lease)
    run = state.begin(Run(0, "apply", 1.0), lease)
    state.journal.intend(
        [Intent(run, 1, DOCS.id, "a", "update", Version("")), Intent(run, 2, DOCS.id, "d", "delete", Version(""))]
    )
    folds = [Fold(DOCS.id, 1, put=record("a", "two")), Fold(DOCS.id, 2, drop="d")]
    outcomes = [Outcome(1, "docs", "update", "a", "done"), Outcome(2, "docs", "delete", "d", "done")]
    state.fold(run, folds, outcomes, lease)
    state.end(Run(run, "apply", 1.0, 2.0, exit_code=0), [DOCS.id], lease)
    lease.release()


def under_lease(work: Callable[[SqliteState, Lease], object], folder: Path) -> None:
    with closing(open_state(str(state_of(folder)), write=True)) as state:
        lease = acquire(state, "apply", clock=FakeClock())
        work(state, lease)
        lease.release()


def renews(_state: SqliteState, lease: Lease) -> None:
    lease.renew(run=1, done=0.5)


def moves_scope(state: SqliteState, lease: Lease) -> None:
    if any(scope.id == DOCS.id and count for scope, _, count in state.scopes()):
        mending.move_scope(state, DOCS.id, OTHER, lease)


def removes(state: SqliteState, lease: Lease) -> None:
    mending.remove(state, DOCS.id, lambda key: key == "a", lease)


def holds(folder: Path) -> None:
    with closing(open_state(str(state_of(folder)), write=True)) as state:
        if show(state) is None:
            hold(state, "frozen", clock=FakeClock())


def unlocks(folder: Path) -> None:
    with closing(open_state(str(state_of(folder)), write=True)) as state:
        holder = show(state)
        if holder is not None:
            break_lease(state, holder.id)


def opens(folder: Path) -> None:
    open_state(str(state_of(folder)), write=True).close()


def pushes(folder: Path) -> None:
    """The oldest generation there is."""
    source = min(folder.glob("*.g*"))
    push(str(state_of(folder)), str(source), clock=FakeClock(), force=True)


@contextmanager
def shared(folder: Path, machine: str = "ours", *, write: bool = True) -> Iterator[SqliteState]:
    """The shared state of a folder, opened on a machine that has its cache there too."""
    root = str(folder / "shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECONCILE_CACHE_DIR", str(folder / machine))
        store = LocalStore(root, walk=partial(walk, root, selection=Filter(Rules())))
        with closing(store), closing(open_shared(store, write=write)) as state:
            yield state


def read_shared(folder: Path) -> Contents:
    """As a machine finds it that saw nothing of it before."""
    try:
        with shared(folder, "another", write=False) as state, state.database.reading() as connection:
            return contents(connection)
    finally:
        shutil.rmtree(folder / "another")


def shared_run(folder: Path) -> None:
    with shared(folder) as state:
        a_run(state, acquire(state, "apply", clock=FakeClock()))


DEEDS = {
    "the first": Deed(lambda _folder: None, opens),
    "a run": Deed(made_state, partial(under_lease, a_run)),
    "a beat": Deed(made_state, partial(under_lease, renews)),
    "state mv": Deed(made_state, partial(under_lease, moves_scope)),
    "state rm": Deed(made_state, partial(under_lease, removes)),
    "reset": Deed(made_state, partial(under_lease, mending.reset)),
    "hold": Deed(made_state, holds),
    "unlock": Deed(held_state, unlocks),
    "migration": Deed(old_state, opens),
    "push": Deed(generations_state, pushes),
    "push over damage": Deed(damaged_state, pushes),
    "a shared run": Deed(shared_state, shared_run, read_shared, shown="shared/", costly=True),
}


# --- looking


def files_of(folder: Path) -> Files:
    """All that lies below a folder, but for SQLite's index of its log: nothing in it counts."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def put(files: Files, folder: Path) -> None:
    """The folder holds these, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def seen(deed: Deed, folder: Path) -> Contents | None:
    """What a reader finds, whoever holds the lease, and whatever a new family is called."""
    found = deed.read(folder)
    if not found or found == REFUSED:
        return found
    meta = [(serial, last_run) for _, _, serial, last_run, *_ in found["meta"]]
    return {**{table: rows for table, rows in found.items() if table != "lease"}, "meta": meta}


def known(deed: Deed, folder: Path) -> Any:
    """What the state says of the target."""
    found = seen(deed, folder)
    assert found is not None
    return found["records"]


def after_each_step(deed: Deed, folder: Path) -> list[Files]:
    """What lies there before, and after each step of the deed, in turn."""
    found = [files_of(folder)]

    def look(_step: str, _told: tuple[Any, ...], done: bool) -> None:
        if done and (files := files_of(folder)) != found[-1]:
            found.append(files)

    HOOKS.append(look)
    try:
        with sqlite_io.heard(look):
            deed.do(folder)
    finally:
        HOOKS.remove(look)
    return [*found, files_of(folder)]


@contextmanager
def same_lots() -> Iterator[None]:
    """While inside, whatever is drawn by lot is what was drawn any other time inside: each number is new there."""
    numbers = count(1)
    with pytest.MonkeyPatch.context() as patch, sqlite_io.same_chance():
        for module in DRAWING:
            patch.setattr(module, "token_hex", lambda size_bytes: f"{next(numbers):0{2 * size_bytes}x}")
        yield


def failure(deed: Deed, folder: Path) -> ReconcileError | None:
    """What the deed ended with."""
    try:
        deed.do(folder)
    except ReconcileError as error:
        return error
    return None
