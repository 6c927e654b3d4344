"""A store of which some calls fail, put around the target of a little world."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from reconcile.core.entry import Leftover
from reconcile.core.errors import DeniedError
from reconcile.ports import Traits
from reconcile.stores.wrapper import Wrapper
from tests.flow.world import World


class Failing(Wrapper):
    """A store of which some calls fail, on some keys (all when none are named), as often as it is told."""

    def __init__(self, inner: Any, calls: str, *keys: str, error: Exception | None = None, **traits: Any) -> None:
        super().__init__(inner)
        self.calls, self.keys, self.fired = calls.split(), keys, 0
        self._error = error or DeniedError("may not", op=calls, hint="ask")
        self._traits = traits

    @property
    def traits(self) -> Traits:
        return replace(self.inner.traits, **self._traits)

    def _maybe(self, call: str, key: str) -> None:
        if call in self.calls and (not self.keys or key in self.keys):
            self.fired += 1
            raise self._error

    def stat(self, key):  # type: ignore[no-untyped-def]
        self._maybe("stat", key)
        return self.inner.stat(key)

    def read(self, key, **how):  # type: ignore[no-untyped-def]
        self._maybe("read", key)
        return self.inner.read(key, **how)

    def write(self, key, body, **how):  # type: ignore[no-untyped-def]
        self._maybe("write", key)
        return self.inner.write(key, body, **how)

    def delete(self, items):  # type: ignore[no-untyped-def]
        items = list(items)
        self._maybe("delete", items[0][0])
        return self.inner.delete(items)

    def ensure(self, *, dry: bool = False):  # type: ignore[no-untyped-def]
        if not dry:
            self._maybe("ensure", "")
        return self.inner.ensure(dry=dry)


class Tidy(Failing):
    """A store in which writes may be left half done."""

    def discard(self, key: str, mark: str) -> None:
        self._maybe("discard", key)

    def leftovers(self) -> list[Leftover]:
        return []


def failing(world: World, calls: str, *keys: str, kind: type[Failing] = Failing, **how: Any) -> list[Failing]:
    made: list[Failing] = []

    def around(store: Any) -> Failing:
        made.append(kind(store, calls, *keys, **how))
        return made[-1]

    world.around = around
    return made
