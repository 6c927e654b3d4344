"""Decorators of the Store port: the same store, seen through something. They can be put around each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, Final, TypeVar

from reconcile.core.entry import Entry, Version
from reconcile.core.errors import FencedError, RefusedError
from reconcile.ports import Clock, Store
from reconcile.stores.retry import Retrying
from reconcile.stores.wrapper import Wrapper

__all__ = ["Fenced", "ReadOnly", "Retrying", "Throttled", "Traced", "Wrapper", "lease_lost"]

T = TypeVar("T")


_LOOKS: Final = frozenset(
    (
        *("list", "stat", "read", "prove", "foresee", "token", "version_id", "versions", "leftovers", "confirmed"),
        *("made_from", "inside", "has_root", "put_aside", "lasts"),
    )
)


class ReadOnly(Wrapper):
    """A store that cannot be changed: planning has no other, so that it need not promise to leave it alone."""

    def _call(self, verb: str, key: str, run: Callable[[], T]) -> T:
        if verb not in _LOOKS:
            raise RefusedError("may only be looked at here", op=verb, path=key)
        return run()


def lease_lost(op: str, path: str = "") -> FencedError:
    """The error of whoever was about to write under a lease that is another's."""
    hint = "reconcile lock show tells who holds it now"
    return FencedError("the lease was lost; nothing more was written", op=op, path=path, hint=hint)


class Fenced(Wrapper):
    """A store that is changed only as long as a lease is ours: before each change it is asked whether that is `lost`.

    An action may take several changes; whoever was stopped between them finds a world that is another's by now.
    """

    def __init__(self, inner: Store, lost: Callable[[], bool]) -> None:
        super().__init__(inner)
        self._lost = lost

    def _call(self, verb: str, key: str, run: Callable[[], T]) -> T:
        if verb not in _LOOKS and self._lost():
            raise lease_lost(verb, key)
        return run()

    def move(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """One change where it is one step; else two."""
        return super().move(entry, key, expect=expect) if self.traits.move_atomic else self._moved(entry, key, expect)


class Throttled(Wrapper):
    """A store that is called at most `per_second` times a second, by all threads together."""

    def __init__(self, inner: Store, clock: Clock, per_second: float) -> None:
        super().__init__(inner)
        self._clock = clock
        self._gap_s = 1 / per_second
        self._next = clock.monotonic()
        self._lock = Lock()

    def _call(self, verb: str, key: str, run: Callable[[], T]) -> T:  # noqa: ARG002 - every call counts the same
        with self._lock:
            now = self._clock.monotonic()
            turn = max(self._next, now)
            self._next = turn + self._gap_s
        if turn > now:
            self._clock.sleep(turn - now)
        return run()


class Traced(Wrapper):
    """A store whose calls are heard: `heard(verb, key, seconds)` after each, also a failed one."""

    def __init__(self, inner: Store, clock: Clock, heard: Callable[[str, str, float], Any]) -> None:
        super().__init__(inner)
        self._clock = clock
        self._heard = heard

    def _call(self, verb: str, key: str, run: Callable[[], T]) -> T:
        began = self._clock.monotonic()
        try:
            return run()
        finally:
            self._heard(verb, key, self._clock.monotonic() - began)

    def _stream(self, verb: str, key: str, run: Callable[[], Iterator[T]]) -> Iterator[T]:
        """From the first bit asked for to the last one given."""
        began = self._clock.monotonic()
        try:
            yield from run()
        finally:
            self._heard(verb, key, self._clock.monotonic() - began)
