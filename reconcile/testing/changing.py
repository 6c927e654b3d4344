"""What deletes, copies and moves promise."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconcile.core.entry import ABSENT, ANY, Entry
from reconcile.core.errors import ChangedError
from reconcile.ports import Store
from reconcile.testing.base import Contract
from reconcile.testing.samples import content, listed, put


class Changing(Contract):
    """Only the version that was seen is touched."""

    def test_a_delete_takes_the_version_it_saw(self, store: Store) -> None:
        entry = put(store, "a", b"1")
        assert store.delete([("a", entry.version)]) == [None]
        assert store.stat("a") is None

    def test_deletes_answer_in_turn(self, store: Store) -> None:
        stale = put(store, "changed", b"1")
        kept = put(store, "changed", b"22", expect=stale.version)
        fresh = put(store, "fresh", b"1")
        answers = store.delete(
            [("absent", ANY), ("changed", stale.version), ("fresh", fresh.version), ("gone", fresh.version)]
        )
        assert [type(answer) for answer in answers] == [type(None), ChangedError, type(None), type(None)]
        assert listed(store) == ["changed"]
        assert store.stat("changed") == kept

    def test_no_deletes_are_no_answers(self, store: Store) -> None:
        assert list(store.delete([])) == []

    @pytest.fixture
    def copying(self, store: Store) -> Store:
        """The store, where it copies."""
        if store.traits.copy == "none":
            pytest.skip("the store cannot copy")
        return store

    @pytest.fixture
    def moving(self, store: Store) -> Store:
        """The store, where it moves."""
        if store.traits.move == "none":
            pytest.skip("the store cannot move")
        return store

    def test_a_copy_holds_the_same_bytes_under_its_own_version(self, copying: Store) -> None:
        source = put(copying, "a", b"bytes")
        copy = copying.copy(source, "b/c", expect=ABSENT)
        assert (copy.key, copy.size) == ("b/c", 5)
        _check_told(copying, copy)
        assert content(copying, "a") == content(copying, "b/c") == b"bytes"
        put(copying, "a", b"newer", expect=ANY)
        assert content(copying, "b/c") == b"bytes"

    def test_a_move_leaves_nothing_behind(self, moving: Store) -> None:
        moved = moving.move(put(moving, "a", b"bytes"), "b/c", expect=ABSENT)
        assert (moved.key, moved.size) == ("b/c", 5)
        _check_told(moving, moved)
        assert listed(moving) == ["b/c"]
        assert content(moving, "b/c") == b"bytes"

    def test_a_copy_takes_the_version_it_saw(self, copying: Store) -> None:
        self._refuses_changed_source(copying, copying.copy)

    def test_a_move_takes_the_version_it_saw(self, moving: Store) -> None:
        self._refuses_changed_source(moving, moving.move)

    def test_a_copy_replaces_what_it_expects(self, copying: Store) -> None:
        self._replaces_what_it_expects(copying, copying.copy)

    def test_a_move_replaces_what_it_expects(self, moving: Store) -> None:
        self._replaces_what_it_expects(moving, moving.move)

    def _refuses_changed_source(self, store: Store, act: Callable[..., Entry]) -> None:
        seen = put(store, "a", b"1")
        put(store, "a", b"22", expect=seen.version)
        with pytest.raises(ChangedError):
            act(seen, "b", expect=ABSENT)
        assert listed(store) == ["a"]
        assert content(store, "a") == b"22"

    def _replaces_what_it_expects(self, store: Store, act: Callable[..., Entry]) -> None:
        source, old = put(store, "a", b"1"), put(store, "b", b"22")
        for wrong in (ABSENT, source.version):
            with pytest.raises(ChangedError):
                act(source, "b", expect=wrong)
        assert (content(store, "a"), content(store, "b")) == (b"1", b"22")
        act(source, "b", expect=old.version)
        assert content(store, "b") == b"1"


def _check_told(store: Store, entry: Entry) -> None:
    """A version that was told is the version shown."""
    shown = store.stat(entry.key)
    assert shown is not None
    assert shown.version == entry.version or not store.traits.returns_version
