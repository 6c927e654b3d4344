"""What DBFS does in two steps, and what notebooks are called."""

from __future__ import annotations

from contextlib import suppress

from msgspec import structs
import pytest

from reconcile.core.entry import ABSENT, Problem
from reconcile.core.errors import BusyError, ChangedError, DeniedError, RefusedError
from reconcile.stores.wrap import Retrying
from reconcile.testing.samples import body_of, content, listed, stream_of
from tests.fakes.databricks import Emulator
from tests.fakes.databricks import faults as broken
from tests.stores.databricks_kit import ALL, emulator, opened
from tests.stores.fakes import OwnClock

__all__ = ["emulator"]

# --- what DBFS does in two steps


@pytest.mark.hazard("R33")
def test_a_replacement_that_fails_leaves_the_old_file(emulator: Emulator) -> None:
    store = opened(emulator, "dbfs:/landing")
    store.write("a", body_of(b"old"), expect=ABSENT)
    old = store.stat("a")
    fault = emulator.faults.add(broken.refuse(400, "IO_ERROR"), "POST", "/api/2.0/dbfs/move", nth=2)
    with pytest.raises(RefusedError):
        store.write("a", body_of(b"newer"), expect=old.version)
    assert fault.fired == 1
    assert emulator.tree("dbfs:") == {"dbfs:/landing/a": b"old"}


@pytest.mark.hazard("R33")
def test_who_dies_between_two_moves_gets_the_old_file_back(emulator: Emulator) -> None:
    store = opened(emulator, "dbfs:/landing")
    store.write("a", body_of(b"old"), expect=ABSENT)
    old = store.stat("a")
    emulator.faults.add(broken.lose_before(), "POST", "/api/2.0/dbfs/(move|delete)", nth=2, times=None)
    with pytest.raises(BusyError):
        store.write("a", body_of(b"newer", token="0123"), expect=old.version)
    emulator.faults.heal()
    assert emulator.paths("dbfs:") == ["dbfs:/landing/.reconcile-tmp-0123", "dbfs:/landing/.reconcile-tmp-0123-old"]
    assert listed(store) == []
    store.discard("a", "0123")
    assert emulator.tree("dbfs:") == {"dbfs:/landing/a": b"old"}


@pytest.mark.hazard("R33")
@pytest.mark.parametrize("dies_at", [1, 2])
def test_who_dies_while_replacing_what_is_to_be_kept_loses_nothing(emulator: Emulator, dies_at: int) -> None:
    store = opened(emulator, "dbfs:/landing")
    store.write("a", body_of(b"old"), expect=ABSENT)
    old = store.stat("a")
    lost = broken.lose_after() if dies_at == 2 else broken.lose_before()
    fault = emulator.faults.add(lost, "POST", "/api/2.0/dbfs/(move|delete)", nth=2, times=None)
    with suppress(BusyError):
        store.write(
            "a", structs.replace(body_of(b"newer", token="0123"), aside=".reconcile/undo/1/a"), expect=old.version
        )
    assert fault.fired
    emulator.faults.heal()
    store.discard("a", "0123")
    assert emulator.tree("dbfs:")["dbfs:/landing/.reconcile/undo/1/a"] == b"old"


def test_where_what_is_kept_of_another_stands_nothing_is_touched(emulator: Emulator) -> None:
    store = opened(emulator, "dbfs:/landing")
    store.write("a", body_of(b"old"), expect=ABSENT)
    emulator.put("dbfs:/landing/.reconcile/undo/1/a", b"another's")
    before = emulator.tree("dbfs:")
    with pytest.raises(ChangedError):
        store.write(
            "a", structs.replace(body_of(b"newer"), aside=".reconcile/undo/1/a"), expect=store.stat("a").version
        )
    assert emulator.tree("dbfs:") == before


def test_a_replacement_that_cannot_be_put_back_says_where_it_is(emulator: Emulator) -> None:
    store = opened(emulator, "dbfs:/landing")
    store.write("a", body_of(b"old"), expect=ABSENT)
    there = store.stat("a")
    emulator.faults.add(broken.refuse(403, "PERMISSION_DENIED"), "POST", "/api/2.0/dbfs/move", nth=2, times=None)
    with pytest.raises(DeniedError) as refused:
        store.write("a", structs.replace(body_of(b"newer"), aside=".reconcile/undo/1/a"), expect=there.version)
    assert "/landing/.reconcile/undo/1/a" in refused.value.hint


def test_a_half_written_file_never_has_a_name(emulator: Emulator, monkeypatch) -> None:
    monkeypatch.setattr("reconcile.stores.databricks.dbfs.BLOCK_BYTES", 10)
    monkeypatch.setattr("reconcile.stores.databricks.dbfs_blocks.BLOCK_BYTES", 10)
    store = opened(emulator, "dbfs:/landing")
    emulator.faults.add(broken.lose_before(), "POST", "/api/2.0/dbfs/add-block", nth=3)
    with pytest.raises(BusyError):
        store.write("a", stream_of(b"x" * 100), expect=ABSENT)
    assert emulator.paths("dbfs:") == []
    assert emulator.dbfs.open_handles() == 0


def test_a_block_that_came_twice_is_noticed(emulator: Emulator, monkeypatch) -> None:
    monkeypatch.setattr("reconcile.stores.databricks.dbfs.BLOCK_BYTES", 10)
    monkeypatch.setattr("reconcile.stores.databricks.dbfs_blocks.BLOCK_BYTES", 10)
    store = Retrying(opened(emulator, "dbfs:/landing"), clock=OwnClock())
    fault = emulator.faults.add(broken.lose_after(), "POST", "/api/2.0/dbfs/add-block", nth=3)
    store.write("a", stream_of(b"x" * 100), expect=ABSENT)
    assert fault.fired == 1
    assert emulator.tree("dbfs:") == {"dbfs:/landing/a": b"x" * 100}


def test_what_dead_writes_left_is_told(emulator: Emulator) -> None:
    store = opened(emulator, "dbfs:/landing")
    for name in ("sub/.reconcile-tmp-01", ".reconcile-tmp-02-old", "data"):
        emulator.put(f"dbfs:/landing/{name}")
    found = [*store.leftovers()]
    assert sorted(item.key for item in found) == [".reconcile-tmp-02-old", "sub/.reconcile-tmp-01"]
    [left] = [item for item in found if not isinstance(item, Problem)]
    store.discard(left.key, left.mark)
    assert emulator.paths("dbfs:") == ["dbfs:/landing/.reconcile-tmp-02-old", "dbfs:/landing/data"]


# --- what a service quotes


@pytest.mark.hazard("S01")
@pytest.mark.parametrize("url", ALL)
def test_a_token_that_comes_back_in_an_error_is_told_to_nobody(emulator: Emulator, url: str) -> None:
    store = opened(emulator, url)
    fault = emulator.faults.add(
        broken.refuse(403, "PERMISSION_DENIED", f"Token {emulator.token} may not do this"), "GET", "/api/", times=None
    )
    with pytest.raises(DeniedError) as refused:
        [*store.list()]
    assert fault.fired
    assert "*** may not do this" in str(refused.value)
    assert emulator.token not in str(refused.value)


# --- notebooks

NOTEBOOK = b"# Databricks notebook source\nprint(1)\n"
JUPYTER = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


def test_notebooks_keep_their_names_here(emulator: Emulator) -> None:
    store = opened(emulator, "workspace:/Workspace/Shared/landing")
    files = {
        "etl/load.py": NOTEBOOK,
        "etl/plain.py": b"print(1)\n",
        "etl/query.sql": b"-- Databricks notebook source\nselect 1\n",
        "model.r": b"# Databricks notebook source\n1\n",
        "app.scala": b"// Databricks notebook source\n1\n",
        "capital.R": b"# Databricks notebook source\n1\n",
        "look.ipynb": JUPYTER,
    }
    for key, data in files.items():
        store.write(key, body_of(data), expect=ABSENT)
    assert sorted(listed(store)) == sorted(files)
    assert {key: content(store, key) for key in files} == files
    assert sorted(emulator.paths("/Workspace/Shared")) == [
        f"/Workspace/Shared/landing/{name}"
        for name in sorted(["etl/load", "etl/plain.py", "etl/query", "model", "app", "capital.R", "look"])
    ]
    for entry in [*store.list()]:
        assert store.stat(entry.key) == entry
        assert store.delete([(entry.key, entry.version)]) == [None]
    assert emulator.paths("/Workspace/Shared") == []


def test_a_file_becomes_a_notebook_and_a_file_again(emulator: Emulator) -> None:
    store = opened(emulator, "workspace:/Workspace/Shared/landing")
    version = ABSENT
    for data in (b"print(1)\n", NOTEBOOK, b"print(2)\n"):
        store.write("a.py", body_of(data), expect=version)
        version = store.stat("a.py").version
        assert content(store, "a.py") == data
        assert listed(store) == ["a.py"]


def test_two_that_would_be_one_notebook_do_not_overwrite_each_other(emulator: Emulator) -> None:
    store = opened(emulator, "workspace:/Workspace/Shared/landing")
    store.write("a.py", body_of(NOTEBOOK), expect=ABSENT)
    with pytest.raises(ChangedError):
        store.write("a.sql", body_of(b"-- Databricks notebook source\nselect 1"), expect=ABSENT)
    assert content(store, "a.py") == NOTEBOOK
    emulator.put("/Workspace/Shared/landing/a.py", b"print(3)")
    [problem] = store.list()
    assert isinstance(problem, Problem)
    assert problem.covers("a.py")
