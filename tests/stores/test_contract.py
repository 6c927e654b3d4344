"""The contract on every store and every wrapper of this house."""

from reconcile.stores.memory import MemoryStore
from reconcile.testing import store_contract

TestMemory = store_contract(MemoryStore)
