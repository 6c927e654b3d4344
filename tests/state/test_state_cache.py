"""The cache: what it knows is right, and nothing that happens to it is an error."""

from __future__ import annotations

from contextlib import closing
import os
import stat
import threading

import pytest

from reconcile.ports import Cache, Fingerprints
from reconcile.state.cache import cache_directory, open_cache, remove_cache

D1, D2 = b"1" * 32, b"2" * 32


@pytest.fixture
def cache():
    with closing(open_cache("state-1")) as opened:
        yield opened


@pytest.fixture
def file():
    return cache_directory() / "state-1.db"


def test_it_lives_where_caches_live(monkeypatch, tmp_path, own_home):
    assert cache_directory() == own_home / ".cache" / "reconcile"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_directory() == own_home / ".cache" / "reconcile"
    monkeypatch.setenv("RECONCILE_CACHE_DIR", str(tmp_path / "mine"))
    open_cache("../a b").close()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [".._a_b.db"]


def test_it_is_the_users_alone(cache, file):
    cache.put("x", b"1")
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()} == {0o600}


def test_values_are_remembered(cache):
    port: Cache = cache
    assert port.get("spec") is None
    port.put("spec", b"\0one")
    port.put("spec", b"two")
    port.close()
    with closing(open_cache("state-1")) as again:
        assert again.get("spec") == b"two"
    with closing(open_cache("state-2")) as other:
        assert other.get("spec") is None


def test_a_digest_is_known_at_its_version_only(cache):
    prints: Fingerprints = cache.fingerprints("/root")
    prints.remember("b", "v1", D1)
    prints.remember("a", "v1", D2)
    for _ in range(2):
        assert prints.digest("b", "v1") == D1
        assert prints.digest("b", "v2") is None
        assert prints.digest("c", "v1") is None
        cache.flush()
    prints.remember("b", "v2", D2)
    assert prints.digest("b", "v1") is None
    assert prints.digest("b", "v2") == D2
    assert list(prints.cursor()) == [("a", "v1", D2), ("b", "v2", D2)]
    assert list(cache.fingerprints("/other").cursor()) == []


def test_fingerprints_come_in_byte_order_and_survive(cache):
    prints = cache.fingerprints("/root")
    names = ["ä", "a/b", "a", "a-b", "\U0001f600", "z"]
    for name in names:
        prints.remember(name, "v", D1)
    cache.close()
    with closing(open_cache("state-1")) as again:
        assert [key for key, _, _ in again.fingerprints("/root").cursor()] == sorted(names, key=str.encode)


def test_a_reading_goes_on_while_others_write(cache):
    prints = cache.fingerprints("/root")
    for n in range(12_000):
        prints.remember(f"{n:05}", "v", D1)
    reading = prints.cursor()
    next(reading)
    writers = [threading.Thread(target=prints.remember, args=(f"x{n}", "v", D1)) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    cache.flush()
    assert sum(1 for _ in reading) == 11_999


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_cache_is_begun_again(file, content):
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with closing(open_cache("state-1")) as cache:
        assert cache.get("x") is None
        cache.put("x", b"1")
        assert cache.get("x") == b"1"


def test_a_cache_damaged_while_it_is_used_costs_only_what_it_knew(cache, file):
    prints = cache.fingerprints("/root")
    for n in range(2_000):
        prints.remember(f"{n}", "v", D1)
    cache.close()
    content = file.read_bytes()
    file.write_bytes(content[:8192] + b"\xa5" * (len(content) - 8192))
    with closing(open_cache("state-1")) as again:
        prints = again.fingerprints("/root")
        assert prints.digest("77", "v") in (None, D1)
        list(prints.cursor())
        prints.remember("1", "v", D2)
        again.put("x", b"1")
        again.flush()


def test_a_flipped_digest_is_no_digest(cache, file):
    prints = cache.fingerprints("/root")
    prints.remember("a", "v", D1)
    cache.put("x", b"value-of-x")
    cache.close()
    content = file.read_bytes()
    file.write_bytes(content.replace(D1, b"3" * 32).replace(b"value-of-x", b"value-of-y"))
    with closing(open_cache("state-1")) as again:
        assert again.fingerprints("/root").digest("a", "v") is None
        assert list(again.fingerprints("/root").cursor()) == []
        assert again.get("x") is None


def test_without_a_place_it_is_done_without(monkeypatch, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("RECONCILE_CACHE_DIR", str(tmp_path / "file" / "below"))
    with closing(open_cache("x")) as cache:
        cache.put("x", b"1")
        assert cache.get("x") is None
        prints = cache.fingerprints("/root")
        prints.remember("a", "v", D1)
        assert prints.digest("a", "v") == D1
        assert list(prints.cursor()) == []
    assert os.listdir(tmp_path) == ["file"]


def test_two_processes_may_share_it(cache):
    with closing(open_cache("state-1")) as other:
        other.put("x", b"1")
        cache.put("y", b"2")
        assert (cache.get("x"), other.get("y")) == (b"1", b"2")
    cache.close()
    cache.put("late", b"1")
    assert cache.get("x") is None


def test_the_fingerprints_of_other_roots_are_forgotten(cache):
    for root in ("file:///kept", "file:///gone", "file:///gone too"):
        cache.fingerprints(root).remember("a", "v1", D1)
    cache.flush()
    assert cache.prune({"file:///kept"}) == 2
    assert cache.fingerprints("file:///kept").digest("a", "v1") == D1
    assert list(cache.cursor("file:///gone")) == []
    assert cache.prune({"file:///kept"}) == 0


def test_caches_that_nothing_was_written_to_for_long_are_forgotten(cache):
    for name in ("old", "young"):
        open_cache(name).close()
    old = cache_directory() / "old.db"
    os.utime(old, (1, 1))
    assert list(cache.forgotten(1_000_000.0)) == [old]
    remove_cache(old)
    assert not old.exists()
    assert list(cache.forgotten(1_000_000.0)) == []
    assert (cache_directory() / "young.db").exists()
