"""The states and plans of every released version: read for ever, or refused and left as they are."""

from __future__ import annotations

from contextlib import closing, suppress
from functools import partial
from pathlib import Path
import shutil
import sqlite3

from msgspec import json, to_builtins
import pytest

from reconcile import __version__
from reconcile.core.errors import LockedError, NewerStateError, StalePlanError
from reconcile.scan.filters import Filter, Rules
from reconcile.scan.walk import walk
from reconcile.state import migrations
from reconcile.state.lease import acquire, break_lease, show
from reconcile.state.planfile import load_plan
from reconcile.state.shared import open_shared
from reconcile.state.store import open_state
from reconcile.stores.local import LocalStore
from tests.state.state_kit import FakeClock, bytes_of, everything, told_by

HERE = Path(__file__).parent
STATES = sorted(path.parent for path in HERE.glob("states/*/*/reconcile.db"))
SHARED = sorted(HERE.glob("states/*/shared"))
PLANS = sorted(HERE.glob("plans/*/*.plan"))


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def same(now, then) -> bool:
    """Whether all that was told then is told now; more may be told of a thing, and what said nothing may be gone."""
    if isinstance(then, dict):
        return all(same(now[name], value) if name in now else not value for name, value in then.items())
    if isinstance(then, list):
        return len(now) == len(then) and all(map(same, now, then))
    return now == then


def tells_the_same(told, folder: Path) -> bool:
    """Whether what a reader told then is told now; a reader of today may ask for more things."""
    then = json.decode((folder / "told.json").read_bytes())
    return same(json.decode(json.encode(to_builtins(told)))[: len(then)], then)


def test_every_release_left_something() -> None:
    for kind in ("states", "plans"):
        assert __version__ in {path.name for path in (HERE / kind).iterdir()}
    assert len(STATES) >= 4
    assert len(PLANS) >= 3
    assert SHARED


@pytest.fixture
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a golden state, in a place where it may be changed."""
    folder = tmp_path / "state"
    shutil.copytree(request.param, folder)
    return folder / "reconcile.db"


@pytest.mark.hazard("P17")
@pytest.mark.parametrize("path", STATES, indirect=True, ids=named)
def test_a_state_is_read(path: Path) -> None:
    assert tells_the_same(everything(path), path.parent)


@pytest.mark.parametrize("path", STATES, indirect=True, ids=named)
def test_a_state_is_written_and_what_it_was_is_kept(path: Path) -> None:
    with closing(sqlite3.connect(path)) as before:
        (version,) = before.execute("PRAGMA user_version").fetchone()
    with closing(open_state(str(path), write=True)) as state:
        assert tells_the_same(told_by(state), path.parent)
        assert migrations.version_of(state.database._connection) == len(migrations.MIGRATIONS)
        holder = show(state)
        if holder is not None:  # of another machine
            with pytest.raises(LockedError):
                acquire(state, "apply", clock=FakeClock())
            break_lease(state, holder.id)
        acquire(state, "apply", clock=FakeClock()).release()
    assert path.with_name(f"reconcile.db.schema-{version}").exists() == (version < len(migrations.MIGRATIONS))


@pytest.mark.parametrize("folder", SHARED, ids=named)
def test_a_shared_state_is_read_and_written(folder: Path, tmp_path: Path) -> None:
    root = str(shutil.copytree(folder, tmp_path / "shared"))
    store = LocalStore(root, walk=partial(walk, root, selection=Filter(Rules())))
    for write in (False, True):
        with closing(open_shared(store, write=write)) as state:
            assert tells_the_same(told_by(state), folder)
    with closing(open_shared(store, write=True)) as state:
        break_lease(state, show(state).id)
        acquire(state, "apply", clock=FakeClock()).release()


@pytest.mark.hazard("T05")
@pytest.mark.parametrize("path", STATES, indirect=True, ids=named)
def test_a_state_of_the_next_version_is_refused_and_left_as_it_is(path: Path) -> None:
    if path.with_name("reconcile.db-wal").exists():
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(migrations.MIGRATIONS) + 1}")
    before = bytes_of(path.parent)
    for write in (False, True):
        with pytest.raises(NewerStateError, match="newer version"):
            open_state(str(path), write=write)
        assert bytes_of(path.parent) == before


@pytest.mark.hazard("P17")
@pytest.mark.parametrize("plan", PLANS, ids=named)
def test_a_plan_is_read_or_refused(plan: Path) -> None:
    """Its own version reads it; a later one may refuse what it would no longer do in the same way."""
    before = plan.read_bytes()
    if plan.parent.name == __version__:
        told = list(load_plan(str(plan)).changes())
        assert len(told) == {"empty": 0, "every_action": 8, "unclean": 2}[plan.stem]
    else:
        with suppress(StalePlanError):
            load_plan(str(plan))
    assert plan.read_bytes() == before
