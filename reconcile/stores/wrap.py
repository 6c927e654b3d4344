"""Decorators of the Store port: the same store, seen through something. They can be put around each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, TypeVar

from reconcile.core.errors import RefusedError
from reconcile.ports import Clock, Store
from reconcile.stores.retry import Retrying
from reconcile.stores.wrapper import Wrapper

__all__ = ["ReadOnly", "Retrying", "Throttled", "Traced", "Wrapper"]

T = TypeVar("T")


class ReadOnly(Wrapper):
    """A store that cannot be changed: planning has no other, so that it need not promise to leave it alone."""

    _LOOKS = frozenset(
        (
            *("list", "stat", "read", "prove", "foresee", "token", "version_id", "versions", "leftovers", "confirmed"),
            *("made_from", "inside", "has_root", "put_aside", "lasts"),
        )
    )

    def _call(self, verb: str, key: str, run: Callable[[], T]) -> T:
        if verb not in self._LOOKS:
            raise RefusedError("may only be looked at here", op=verb, path=key)
        return run()


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
