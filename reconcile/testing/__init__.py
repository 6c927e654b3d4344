"""The public contract suite of the Store port: every store, every wrapper and every plug-in holds these promises.

A plug-in runs it with pytest, in one of two ways::

    TestMine = store_contract(lambda: MyStore("mine://fresh-prefix"))

    class TestMine(StoreContract):
        def open(self) -> Store:
            return MyStore("mine://fresh-prefix")

`open` is called once for each test and gives an empty store. Each test is named by the promise it checks; promises a
store does not make (`traits`) are skipped. ``pytest.register_assert_rewrite("reconcile.testing")`` in a `conftest.py`
lets failing assertions explain themselves.
"""

from __future__ import annotations

from collections.abc import Callable

from reconcile.ports import Store
from reconcile.testing.changing import Changing
from reconcile.testing.looking import Looking
from reconcile.testing.naming import Naming
from reconcile.testing.writing import Writing


class StoreContract(Looking, Writing, Changing, Naming):
    """Subclass it, give `open`, and pytest does the rest."""


def store_contract(make: Callable[[], Store]) -> type[StoreContract]:
    """The contract of the stores that `make` gives, as a test class for pytest."""

    class TestStore(StoreContract):
        def open(self) -> Store:
            return make()

    return TestStore
