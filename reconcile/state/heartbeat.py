"""A thread that renews a lease, and says so when it is lost."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Final, Self

from reconcile.core.errors import FencedError, StateError
from reconcile.ports import Lease

EVERY_S: Final = 5.0
"""How often a lease is renewed."""

STALE_S: Final = 2.0
"""Nothing is published under a lease that was last seen to be ours longer ago than this."""


class Heartbeat:
    """Renews a lease every `every_s` seconds while it is entered; `lost` is set once the lease is another's.

    Renewals have a thread of their own, so that a slow store cannot make us look dead. A renewal that fails for another
    reason (a busy or full disk) is tried again; the fence, not the heartbeat, keeps the state safe.

    A process that was stopped, or a machine that slept, has missed its beats without knowing: who is about to publish
    asks `is_set`, which looks for itself when the last beat is old.
    """

    def __init__(self, lease: Lease, every_s: float = EVERY_S) -> None:
        self.lost = threading.Event()
        self.run = 0
        self.done = 0.0
        self._lease = lease
        self._every_s = every_s
        self._beaten_s = _awake_or_not_s()
        self._one_at_a_time = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def is_set(self) -> bool:
        """Whether the lease is lost, as far as anybody knew `STALE_S` ago."""
        if self._is_stale() and not self.lost.is_set():
            with self._one_at_a_time:
                if self._is_stale():
                    self._renew()
        return self.lost.is_set()

    def _is_stale(self) -> bool:
        return _awake_or_not_s() - self._beaten_s > STALE_S

    def _beat(self) -> None:
        while not self.lost.is_set() and not self._stop.wait(self._every_s):
            self._renew()

    def _renew(self) -> None:
        began_s = _awake_or_not_s()
        try:
            self._lease.renew(run=self.run, done=self.done)
        except FencedError:
            self.lost.set()
        except StateError:
            return
        self._beaten_s = began_s


def _awake_or_not_s() -> float:
    """Seconds that never go back, and that pass while the process is stopped or the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
