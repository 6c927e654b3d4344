"""What becomes of names."""

from __future__ import annotations

import unicodedata

import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import RefusedError
from reconcile.ports import Store
from reconcile.testing.base import Contract
from reconcile.testing.samples import NAMES, body_of, content, listed, put


class Naming(Contract):
    """A name is kept exactly or refused."""

    @pytest.mark.parametrize("name", NAMES)
    def test_a_name_is_kept_exactly_or_refused(self, store: Store, name: str) -> None:
        try:
            store.write(name, body_of(b"named"), expect=ABSENT)
        except RefusedError:
            assert listed(store) == []
            return
        assert listed(store) == [name]
        assert content(store, name) == b"named"
        entry = store.stat(name)
        assert entry is not None
        assert store.delete([(name, entry.version)]) == [None]
        assert listed(store) == []

    def test_names_that_look_alike_are_two(self, store: Store) -> None:
        if store.traits.key != "identity":
            pytest.skip("the store folds names")
        names = ["é", unicodedata.normalize("NFD", "é"), "a", "A"]
        for name in names:
            put(store, name, name.encode())
        assert sorted(listed(store)) == sorted(names)
        assert [content(store, name) for name in names] == [name.encode() for name in names]

    def test_a_name_may_be_as_long_as_promised(self, store: Store) -> None:
        limit = store.traits.max_name_bytes
        if not limit:
            pytest.skip("the store promises no limit")
        put(store, "a/" + "n" * limit, b"1")
        with pytest.raises(RefusedError):
            store.write("a/" + "n" * (limit + 1), body_of(b"1"), expect=ABSENT)

    @pytest.mark.parametrize("key", ["", "/abs", "../up", "a/../../up", "a/./b", "a//b", "a/", "nul\0"])
    def test_no_name_leaves_a_tree(self, store: Store, key: str) -> None:
        if not store.traits.tree:
            pytest.skip("keys are no paths there")
        with pytest.raises(RefusedError):
            store.write(key, body_of(b"1"), expect=ABSENT)
        assert listed(store) == []
