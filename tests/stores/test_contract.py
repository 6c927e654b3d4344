"""The contract on the stores of this house that need no server."""

from functools import partial
import os

import pytest

from reconcile.scan.filters import Filter, Rules
from reconcile.scan.walk import walk
from reconcile.stores.local import LocalStore
from reconcile.stores.memory import MemoryStore
from reconcile.testing import StoreContract, store_contract

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
