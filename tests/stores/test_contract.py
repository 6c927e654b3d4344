"""The contract on the stores of this house that need no server."""

from functools import partial
import os

import pytest

from reconcile.scan.filters import Filter, Rules
from reconcile.scan.walk import walk
from reconcile.stores import confine
from reconcile.stores.local import LocalStore
from reconcile.stores.memory import MemoryStore
from reconcile.stores.wrap import Fenced, Retrying, Throttled, Traced
from reconcile.testing import StoreContract, store_contract
from reconcile.testing.samples import content, listed, put
from tests.stores.fakes import OwnClock

TestMemory = store_contract(MemoryStore)


def local_store(root):
    return LocalStore(str(root), walk=partial(walk, str(root), selection=Filter(Rules())))


class TestLocal(StoreContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path):
        self.root = tmp_path / "root"
        self.root.mkdir()

    def open(self):
        return local_store(self.root)

    def missing(self):
        return local_store(self.root / "yet" / "to be made")

    def leftovers(self):
        return [name for _, _, files in os.walk(self.root) for name in files if name.startswith(".reconcile-tmp-")]


def nothing_heard(verb, key, seconds):
    pass


TestRetrying = store_contract(lambda: Retrying(MemoryStore(), clock=OwnClock()))
TestFenced = store_contract(lambda: Fenced(MemoryStore(), lambda: False))
TestThrottled = store_contract(lambda: Throttled(MemoryStore(), OwnClock(), per_second=100))
TestTraced = store_contract(lambda: Traced(MemoryStore(), OwnClock(), nothing_heard))
TestAllAround = store_contract(
    lambda: Traced(Throttled(Retrying(MemoryStore(), clock=OwnClock()), OwnClock(), 9), OwnClock(), nothing_heard)
)


class TestLocalWithoutHandles(TestLocal):
    """As on systems that have no handles of directories."""

    @pytest.fixture(autouse=True)
    def _no_handles(self, monkeypatch):
        monkeypatch.setattr(confine, "HAS_HANDLES", False)


class TestRetryingLocal(TestLocal):
    def open(self):
        return Retrying(super().open(), clock=OwnClock())


def test_stores_of_one_name_share_their_objects():
    here, there, other = MemoryStore("shared-a"), MemoryStore("shared-a"), MemoryStore("shared-b")
    put(here, "a", b"1")
    assert content(there, "a") == b"1"
    assert listed(other) == []


def test_a_prefix_is_a_store_of_its_own():
    whole, part = MemoryStore("prefixed"), MemoryStore("prefixed/docs")
    put(whole, "docs2/x", b"1")
    put(part, "a/b", b"1")
    assert listed(part) == ["a/b"]
    assert listed(whole) == ["docs/a/b", "docs2/x"]
    assert part.url == "memory://prefixed/docs"
