"""What listings, looks and reads promise."""

from __future__ import annotations

from hashlib import md5, sha256

import pytest

from reconcile.core.entry import ABSENT, Digest, Entry
from reconcile.core.errors import ChangedError, NotFoundError
from reconcile.ports import Hashes, Store
from reconcile.testing.base import Contract
from reconcile.testing.samples import content, listed, put


class Looking(Contract):
    """Nothing is missed, nothing is made up."""

    def test_an_empty_store_lists_nothing(self, store: Store) -> None:
        assert listed(store) == []
        assert listed(store, "never/made") == []

    def test_a_listing_is_complete_and_in_its_promised_order(self, store: Store) -> None:
        keys = ["B", "a", "x-b", "x.c", "x/a", "x/a-b/c", "x/a/b", "x0", "é", "\N{SLICE OF PIZZA}"]
        keys.remove("x/a" if store.traits.tree else "B")
        for key in reversed(keys):
            put(store, key, b"1")
        found = listed(store)
        assert sorted(found) == sorted(keys)
        if store.traits.order == "bytes":
            assert found == sorted(keys)

    def test_a_directory_is_not_its_siblings(self, store: Store) -> None:
        for key in ("data/a", "data/b/c", "data-old/d", "data.txt", "data2/e"):
            put(store, key, b"1")
        assert sorted(listed(store, "data")) == ["data/a", "data/b/c"]
        assert listed(store, "dat") == []

    def test_a_listing_starts_after_and_ends_at(self, store: Store) -> None:
        keys = ["a", "b/c", "b/d", "e"]
        for key in keys:
            put(store, key, b"1")
        bounds = [None, *keys, "b", "b/cc", "z"]
        for after in bounds:
            for until in bounds:
                wanted = [k for k in keys if (after is None or k > after) and (until is None or k <= until)]
                assert sorted(listed(store, after=after, until=until)) == wanted
        assert listed(store, "b", after="b/c") == ["b/d"]

    def test_control_names_are_never_listed(self, store: Store) -> None:
        put(store, ".reconcile/undo/1", b"kept")
        put(store, "shown", b"1")
        assert listed(store) == ["shown"]
        assert content(store, ".reconcile/undo/1") == b"kept"

    def test_our_own_directory_is_listed_for_who_asks_for_it(self, store: Store) -> None:
        for key in (".reconcile/undo/7/a/b", ".reconcile/undo/7/c", ".reconcile/undo/71/a", ".reconcile/park/7/a"):
            put(store, key, key.encode())
        put(store, "a", b"1")
        assert sorted(listed(store, ".reconcile")) == [
            ".reconcile/park/7/a",
            ".reconcile/undo/7/a/b",
            ".reconcile/undo/7/c",
            ".reconcile/undo/71/a",
        ]
        assert sorted(listed(store, ".reconcile/undo/7")) == [".reconcile/undo/7/a/b", ".reconcile/undo/7/c"]
        assert listed(store, "a/.reconcile") == []

    def test_what_lies_in_our_own_directory_tells_when_it_came_there(self, store: Store) -> None:
        old = put(store, "a", b"1")
        kept = ".reconcile/undo/7/a"
        if store.traits.copy == "none":
            pytest.skip("the store does not copy")
        store.copy(old, kept, expect=ABSENT)
        [found] = store.list(".reconcile/undo")
        assert isinstance(found, Entry)
        assert found.mtime_ns >= old.mtime_ns
        [gone] = store.delete([(kept, found.version)])
        assert gone is None
        assert listed(store, ".reconcile") == []

    def test_a_listing_shows_what_stat_shows(self, store: Store) -> None:
        put(store, "a/b", b"12345")
        [entry] = store.list()
        assert isinstance(entry, Entry)
        shown = store.stat("a/b")
        assert shown is not None
        assert (entry.key, entry.size, entry.version) == ("a/b", 5, shown.version)

    def test_absence_is_told_from_presence(self, store: Store) -> None:
        assert store.stat("a") is None
        assert store.stat("no/such/directory") is None
        put(store, "a", b"1")
        assert store.stat("a") is not None

    def test_reading_what_is_not_there_says_so(self, store: Store) -> None:
        with pytest.raises(NotFoundError):
            content(store, "never")

    def test_a_span_gives_exactly_its_bytes(self, store: Store) -> None:
        put(store, "a", b"0123456789")
        for span in ((0, 10), (0, 1), (3, 7), (9, 10)):
            assert b"".join(store.read("a", span=span)) == b"0123456789"[slice(*span)]

    def test_a_version_is_read_or_refused(self, store: Store) -> None:
        old = put(store, "a", b"old")
        assert b"".join(store.read("a", version=old.version)) == b"old"
        put(store, "a", b"newer", expect=old.version)
        with pytest.raises(ChangedError):
            b"".join(store.read("a", version=old.version))

    def test_a_proof_is_never_wrong(self, store: Store) -> None:
        entry = put(store, "a", b"bytes")
        for data, truth in ((b"bytes", True), (b"other", False)):
            hashes = Hashes(Digest(sha256(data).digest()), md5(data, usedforsecurity=False).digest())
            proven = store.prove(entry, hashes)
            assert proven is truth or (proven is None and not store.traits.proves)

    def test_what_is_there_needs_no_making(self, store: Store) -> None:
        assert list(store.ensure(dry=True)) == []
        assert list(store.ensure()) == []

    def test_a_missing_container_is_not_an_empty_one(self) -> None:
        store = self.missing()
        if store is None:
            pytest.skip("its container is never missing")
        would_be_made = store.ensure(dry=True)
        assert would_be_made
        with pytest.raises(NotFoundError):
            list(store.list())
        assert store.ensure() == would_be_made
        assert listed(store) == []
        assert list(store.ensure()) == []
        store.close()

    def test_it_may_be_closed_twice(self, store: Store) -> None:
        assert store.url
        store.close()
