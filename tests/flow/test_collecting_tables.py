"""`gc` beside a SQLite database: the file that a killed load filled goes, if it is ours and nobody is filling it."""

from __future__ import annotations

from contextlib import closing
import os
from pathlib import Path
import sqlite3
import time

import pytest

from reconcile.flow.collecting import Collected, collect, foresee
from reconcile.stores.tables import sqlite
from reconcile.stores.tables.sqlite_bulk import MARK, SUFFIX
from tests.flow.test_collecting import Later, why
from tests.flow.test_collecting import told as gone
from tests.flow.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """One table; beside its database lies what a load left that was killed."""
    world = World(tmp_path, f"sqlite:///{tmp_path}/t.db", mapping="tables")
    world.put(**{"people.csv": "id\n1\n"})
    world.settled()
    left(tmp_path, MARK)
    return world


def left(root: Path, mark: int) -> Path:
    """A file as a load fills it, untouched for two days."""
    path = root / f"t.db{SUFFIX}"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as client:
        client.execute(f"PRAGMA application_id = {mark}")
        client.execute("CREATE TABLE rows (c0)")
        client.commit()
    os.utime(path, (time.time() - 2 * 86_400,) * 2)
    return path


def gc(world: World, older_days: float = 0, *, dry: bool = False) -> Collected:
    with world.house(write=not dry) as house:
        if dry:
            return foresee(house, Later(0), older_than_s=older_days * 86_400)
        return collect(house, Later(0), older_than_s=older_days * 86_400)


def test_what_a_killed_load_left_beside_the_database_goes(world: World) -> None:
    path = world.root / f"t.db{SUFFIX}"
    seen = gc(world, dry=True)
    assert (gone(seen), seen.gone["unfinished"].size_bytes, path.exists()) == ({"unfinished": 1}, 8_192, True)
    young = gc(world, 3)
    assert (gone(young), why(young)) == ({}, {"unfinished: not old enough": 1})
    assert gone(gc(world)) == {"unfinished": 1}
    assert not path.exists()
    assert gone(gc(world)) == {}
    world.settled()


def test_what_somebody_else_called_so_stays(world: World) -> None:
    path = left(world.root, 7)
    assert (gone(gc(world)), path.exists()) == ({}, True)
    path.write_bytes(b"")
    assert (gone(gc(world)), path.exists()) == ({}, True)


def test_what_a_load_is_filling_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(world.root / "t.db", isolation_level=None)) as loader:
        loader.execute("BEGIN IMMEDIATE")
        collected = gc(world)
        assert ["is locked by another program" in problem.reason for _, problem in collected.problems] == [True]
        assert (collected.exit_code, (world.root / f"t.db{SUFFIX}").exists()) == (7, True)
        loader.execute("ROLLBACK")
    assert gone(gc(world)) == {"unfinished": 1}
