"""What writes promise."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
import time

import pytest

from reconcile.abilities import Dated, Marked
from reconcile.core.entry import ABSENT, ANY, Digest, Entry, Version
from reconcile.core.errors import ChangedError, DamagedError, StoreError, UnstableError
from reconcile.ports import Body, Store
from reconcile.testing.base import Contract
from reconcile.testing.samples import BreakingStream, body_of, content, listed, put, stream_of


class Writing(Contract):
    """The whole body or nothing, and only where the expectation holds."""

    def test_what_was_written_is_read(self, store: Store) -> None:
        entry = store.write("some/new/place.txt", body_of(b"hello"), expect=ABSENT)
        assert (entry.key, entry.size) == ("some/new/place.txt", 5)
        assert entry.version
        assert content(store, "some/new/place.txt") == b"hello"

    def test_the_version_told_is_the_version_shown(self, store: Store) -> None:
        if not store.traits.returns_version:
            pytest.skip("the store tells no version")
        entry = store.write("a", body_of(b"1"), expect=ABSENT)
        assert store.stat("a") == entry
        assert [e.version for e in store.list() if isinstance(e, Entry)] == [entry.version]

    def test_a_create_never_replaces(self, store: Store) -> None:
        put(store, "a", b"old")
        with pytest.raises(ChangedError):
            store.write("a", body_of(b"newer"), expect=ABSENT)
        assert content(store, "a") == b"old"

    def test_an_update_replaces_the_version_it_saw(self, store: Store) -> None:
        old = put(store, "a", b"old")
        new = put(store, "a", b"newer", expect=old.version)
        assert new.version != old.version
        assert content(store, "a") == b"newer"

    def test_an_update_of_another_version_keeps_the_old_bytes(self, store: Store) -> None:
        first = put(store, "a", b"1")
        put(store, "a", b"22", expect=first.version)
        with pytest.raises(ChangedError):
            store.write("a", body_of(b"333"), expect=first.version)
        assert content(store, "a") == b"22"

    def test_an_update_of_what_vanished_creates_nothing(self, store: Store) -> None:
        gone = put(store, "a", b"1")
        assert store.delete([("a", gone.version)]) == [None]
        with pytest.raises(ChangedError):
            store.write("a", body_of(b"22"), expect=gone.version)
        assert store.stat("a") is None

    def test_any_expects_nothing(self, store: Store) -> None:
        put(store, "a", b"1", expect=ANY)
        put(store, "a", b"22", expect=ANY)
        assert content(store, "a") == b"22"

    @pytest.mark.parametrize("data", [b"", b"x", b"x" * 3_000_000], ids=["empty", "small", "large"])
    @pytest.mark.parametrize("known", [True, False], ids=["data", "stream"])
    def test_a_body_that_breaks_at_its_end_publishes_nothing(self, store: Store, data: bytes, known: bool) -> None:
        old = put(store, "old", b"old")
        body = stream_of(data, opened=BreakingStream)
        if known:
            body = Body(size_bytes=len(data), open=body.open, data=data, digest=Digest(sha256(data).digest()))
        for key, expect in (("new", ABSENT), ("old", old.version)):
            with pytest.raises(UnstableError):
                store.write(key, body, expect=expect)
        assert listed(store) == ["old"]
        assert content(store, "old") == b"old"
        assert list(self.leftovers()) == []

    @pytest.mark.parametrize("promised", [0, 3, 5, 5_000_000])
    def test_a_body_of_another_size_publishes_nothing(self, store: Store, promised: int) -> None:
        with pytest.raises(StoreError):
            store.write("a", stream_of(b"four", size_bytes=promised), expect=ABSENT)
        assert store.stat("a") is None
        assert list(self.leftovers()) == []

    def test_a_body_is_opened_afresh_for_every_write(self, store: Store) -> None:
        body = body_of(b"again and again")
        first = put(store, "a", b"1")
        with pytest.raises(ChangedError):
            store.write("a", body, expect=ABSENT)
        store.write("a", body, expect=first.version)
        store.write("b", body, expect=ABSENT)
        assert content(store, "a") == content(store, "b") == b"again and again"

    def test_nothing_is_something(self, store: Store) -> None:
        assert put(store, "empty", b"").size == 0
        assert content(store, "empty") == b""
        assert listed(store) == ["empty"]

    def test_large_streams_arrive_whole(self, store: Store) -> None:
        data = bytes(range(251)) * (self.large_bytes // 251)
        entry = store.write("large", stream_of(data), expect=ABSENT)
        assert entry.size == len(data)
        assert sha256(content(store, "large")).digest() == sha256(data).digest()
        assert b"".join(store.read("large", span=(1_000_000, 1_000_010))) == data[1_000_000:1_000_010]

    def test_the_executable_bit_is_kept(self, store: Store) -> None:
        if not store.traits.executable:
            pytest.skip("the store has no executable bit")
        assert store.write("run", body_of(b"1", executable=True), expect=ABSENT).executable
        assert not store.write("data", body_of(b"1"), expect=ABSENT).executable
        assert {e.key: e.executable for e in store.list() if isinstance(e, Entry)} == {"run": True, "data": False}

    def test_our_token_is_told(self, store: Store) -> None:
        if not isinstance(store, Marked):
            pytest.skip("the store keeps no token")
        assert store.token("a") is None
        entry = store.write("a", body_of(b"1", token="token-1"), expect=ABSENT)
        assert store.token("a") == (entry.version, "token-1")

    def test_what_a_write_told_is_confirmed_by_what_is_shown(self, store: Store) -> None:
        if not isinstance(store, Dated):
            pytest.skip("the store tells versions")
        told = store.write("a/b", body_of(b"12"), expect=ABSENT).version
        ends = time.monotonic() + 3 * store.traits.granule_ns / 1e9
        while (shown := store.confirmed([("a/b", told)])[0]) is None and time.monotonic() < ends:
            time.sleep(0.1)  # too fresh for what its times can tell
        there = store.stat("a/b")
        assert there is not None
        assert shown == there.version
        assert store.is_settled(there.version)
        put(store, "a/b", b"123", expect=there.version)
        assert [type(store.confirmed([("a/b", one)])[0]) for one in (told, there.version)] == [DamagedError] * 2
        assert list(store.confirmed([("never", told)])) == [None]

    def test_one_of_many_creators_wins(self, store: Store) -> None:
        if store.traits.write not in ("create", "match"):
            pytest.skip("the store cannot create atomically")
        self._race(store, ABSENT)

    def test_one_of_many_updaters_wins(self, store: Store) -> None:
        if store.traits.write != "match":
            pytest.skip("the store cannot compare versions atomically")
        self._race(store, put(store, "raced", b"old").version)

    def _race(self, store: Store, expect: Version) -> None:
        """Every racer writes bytes of its own length; the store must hold the winner's."""

        def write(racer: int) -> int | None:
            try:
                return store.write("raced", body_of(b"x" * (racer + 10)), expect=expect).size
            except ChangedError:
                return None

        with ThreadPoolExecutor(self.racers) as threads:
            winners = [size for size in threads.map(write, range(self.racers)) if size is not None]
        assert winners == [len(content(store, "raced"))]
