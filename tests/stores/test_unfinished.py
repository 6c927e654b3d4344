"""What unfinished writes leave in a directory is found wherever it is, and taken away by its mark."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from reconcile.abilities import Tidy
from reconcile.core.entry import Leftover, Problem
from reconcile.stores.local import LocalStore
from reconcile.stores.wrap import ReadOnly
from reconcile.testing.samples import put, stream_of


@pytest.fixture
def store(tmp_path):
    (tmp_path / "root").mkdir()
    return LocalStore(str(tmp_path / "root"))


def planted(store: LocalStore, key: str, size: int = 3) -> Path:
    path = Path(store.url.removeprefix("file://")) / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def test_they_are_found_at_every_depth_and_nothing_else_is(store):
    put(store, "a/b/live", b"1")
    marks = [".reconcile-tmp-1", "a/.reconcile-tmp-22", "a/b/.reconcile-tmp-333", ".reconcile/undo/7/.reconcile-tmp-4"]
    for at, key in enumerate(marks):
        planted(store, key, at)
    planted(store, ".git/.reconcile-tmp-5")  # nobody ever writes there
    (planted(store, "a/x").parent / ".reconcile-tmp-d").mkdir()
    (planted(store, "a/x").parent / ".reconcile-tmp-l").symlink_to("x")
    found = sorted(store.leftovers(), key=lambda one: one.key)
    assert [(one.key, one.mark, one.size_bytes) for one in found] == sorted(
        (key, key.rpartition("-")[2], at) for at, key in enumerate(marks)
    )
    for one in found:
        store.discard(one.key, one.mark)
    assert list(store.leftovers()) == []
    assert (Path(store.url.removeprefix("file://")) / "a/b/live").exists()


def test_a_write_under_way_tells_its_mark_before_its_first_byte(store):
    told = []

    def begun(mark: str) -> None:
        told.append((mark, list(store.leftovers())))

    body = stream_of(b"some")
    store.write("a/b", type(body)(size_bytes=4, open=body.open, token="0a0b", begun=begun), expect="")
    assert told == [("0a0b", [])]


def test_when_it_began_is_told_by_the_file(store):
    path = planted(store, ".reconcile-tmp-1")
    os.utime(path, (1, 1))  # as a copy of old times has it: the change time is not to be forged
    [found] = store.leftovers()
    assert isinstance(found, Leftover)
    assert found.began_ns == path.stat().st_ctime_ns


def test_what_cannot_be_looked_into_is_told(store, monkeypatch):
    put(store, "shut/a", b"1")
    planted(store, "x/.reconcile-tmp-1")
    look, denied = os.scandir, []

    def scandir(directory):
        if os.readlink(f"/proc/self/fd/{directory}").endswith("/shut"):
            denied.append(directory)
            raise PermissionError(errno.EACCES, "denied")
        return look(directory)

    monkeypatch.setattr(os, "scandir", scandir)
    found = {type(one): one.key for one in store.leftovers()}
    assert denied
    assert found == {Problem: "shut", Leftover: "x/.reconcile-tmp-1"}


def test_a_store_that_may_only_be_looked_at_takes_nothing_away(store):
    path = planted(store, ".reconcile-tmp-1")
    looked_at = ReadOnly(store)
    assert isinstance(looked_at, Tidy)
    assert [one.mark for one in looked_at.leftovers()] == ["1"]
    with pytest.raises(Exception, match="looked at"):
        looked_at.discard(".reconcile-tmp-1", "1")
    assert path.exists()
