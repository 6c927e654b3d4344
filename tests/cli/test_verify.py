"""`verify`: reads the target, compares it with the state, and says which it was: different (8) or unreadable (7)."""

from __future__ import annotations

import shutil

import pytest

from reconcile.core.errors import BusyError
from reconcile.stores.local import LocalStore


@pytest.fixture
def applied(place):
    place.applied()
    return place


def test_all_as_recorded(applied):
    told = applied.ok("verify")
    assert told.out == "Verified: 3 paths as recorded; 25 B read.\n"
    document = applied.ok("verify", "--json").json
    assert (document["checked"], document["bytes"], document["differences"]) == (3, 25, [])


def test_nothing_recorded_nothing_to_verify(place):
    assert place.ok("verify").out.startswith("Verified: 0 paths as recorded")
    assert not (place.root / "state").exists()


@pytest.mark.hazard("R12")
def test_every_kind_of_difference_is_named(applied):
    applied.write("there/a.txt", "alphA")
    (applied.root / "there/b.txt").unlink()
    (applied.root / "there/sub/c.txt").unlink()
    (applied.root / "there/sub/c.txt").symlink_to("elsewhere")
    applied.write("there/theirs.txt", "not ours, so nothing is known of it")
    told = applied("verify")
    assert told.code == 8
    assert "a.txt  holds other bytes: sha256 " in told.out
    assert "b.txt  is gone from the target" in told.out
    assert "sub/c.txt  is no file any more, but a symlink" in told.out
    assert told.last == "Verified: 3 of 3 paths differ from the state; 5 B read. Next: reconcile plan"
    assert [one["key"] for one in applied("verify", "--json").json["differences"]] == ["a.txt", "b.txt", "sub/c.txt"]


def test_the_same_size_and_the_same_times_do_not_deceive_it(applied):
    """Only reading tells: the plan believes what the file system says of a file."""
    import os

    path = applied.root / "there/a.txt"
    seen = path.stat()
    path.write_text("ALPHA", encoding="utf-8")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert applied("verify").code == 8


def test_only_a_part(applied):
    applied.write("there/a.txt", "changed")
    assert applied.ok("verify", "--path", "sub").last == "Verified: 1 path as recorded; 16 B read."
    assert applied("verify", "--path", "a*").code == 8
    assert applied("verify", "--mapping", "papers").code == 1


@pytest.mark.hazard("R15")
def test_what_cannot_be_read_is_not_called_different(applied, monkeypatch):
    read, asked = LocalStore.read, []

    def refuse(self, key, **rest):
        asked.append(key)
        if key == "b.txt":
            raise BusyError("cut off", op="read", path=key)
        return read(self, key, **rest)

    monkeypatch.setattr(LocalStore, "read", refuse)
    applied.write("there/a.txt", "alphA")
    told = applied("verify")
    assert "b.txt" in asked
    assert told.code == 7
    assert "? docs: b.txt  cut off." in told.out
    assert "1 of 2 paths differ" in told.last
    assert [one["problem"]["key"] for one in applied("verify", "--json").json["problems"]] == ["b.txt"]


@pytest.mark.hazard("R01")
def test_a_target_that_is_gone_has_lost_everything(applied):
    shutil.rmtree(applied.root / "there")
    told = applied("verify")
    assert told.code == 8
    assert told.out.count("is gone from the target") == 3
