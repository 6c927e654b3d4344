"""Decorators of a target that watch what a run does to it: they count, forbid, or say at once what was lost."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any, TypeVar
from urllib.parse import urlsplit

from reconcile.core.path import CONTROL_DIR, has_control
from reconcile.ports import Store
from reconcile.stores.memory import MemoryStore
from reconcile.stores.wrapper import Wrapper
from tests.flow.small_trees import files_below

T = TypeVar("T")
UNDO = f"{CONTROL_DIR}/undo/"
MUTATING = frozenset({"write", "copy", "move", "delete", "ensure", "restore", "probe"})


class Counting(Wrapper):
    """Remembers every call as (verb, key)."""

    def __init__(self, inner: Store, calls: list[tuple[str, str]]) -> None:
        super().__init__(inner)
        self._calls = calls

    def _call(self, verb: str, key: str, run: Callable[[], T]) -> T:
        self._calls.append((verb, key))
        return run()


def mutations(calls: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [call for call in calls if call[0] in MUTATING]


def holdings(store: Any) -> dict[str, bytes]:
    """All content that is there, also what is kept aside; nothing half written, nor our notes."""
    return {key: data for key, data in everything(store).items() if not has_control(key) or key.startswith(UNDO)}


def everything(store: Any) -> dict[str, bytes]:
    """All that is there, our notes and what is half written too."""
    while isinstance(store, Wrapper):
        store = store.inner
    if isinstance(store, MemoryStore):
        return {name: item.data for name, item in store._shelf.items.items()}
    return files_below(urlsplit(store.url).path)


class Keeper(Wrapper):
    """After every change of the target, says what should never have happened.

    No content that stood in the target when the run began is gone from it, undo directory included, unless the source
    has it. A key that is only written to holds one of the contents it may hold. What is nobody's is not touched.
    """

    def __init__(self, inner: Store, *, here: Callable[[], dict[str, bytes]], foreign: dict[str, bytes]) -> None:
        super().__init__(inner)
        self._lock = RLock()
        self._here = here
        self._foreign = foreign
        self._before = holdings(inner)

    def _call(self, verb: str, key: str, run: Callable[[], T]) -> T:
        if verb not in MUTATING:
            return run()
        with self._lock:
            try:
                return run()
            finally:
                self._check(f"after {verb} {key}")

    def _check(self, when: str) -> None:
        now, here = holdings(self.inner), self._here()
        lost = set(self._before.values()) - set(now.values()) - set(here.values())
        assert not lost, f"{when}: the last copy of {lost} is gone"
        for key, data in now.items():
            if not has_control(key):
                known = {self._before.get(key), here.get(key), *self._before.values()}
                assert data in known, f"{when}: {key} holds {data!r}, neither old nor new"
        touched = {key for key, data in self._foreign.items() if now.get(key) != data}
        assert not touched, f"{when}: {touched} are not ours"
