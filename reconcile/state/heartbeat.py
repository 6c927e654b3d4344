"""A thread that renews a lease, and says so when it is lost."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from reconcile.core.errors import FencedError, StateError
from reconcile.ports import Lease


class Heartbeat:
    """Renews a lease every `every_s` seconds while it is entered; `lost` is set once the lease is another's.

    Renewals have a thread of their own, so that a slow store cannot make us look dead. A renewal that fails for another
    reason (a busy or full disk) is tried again; the fence, not the heartbeat, keeps the state safe.
    """

    def __init__(self, lease: Lease, every_s: float = 5.0) -> None:
        self.lost = threading.Event()
        self.run = 0
        self.done = 0.0
        self._lease = lease
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self._lease.renew(run=self.run, done=self.done)
            except FencedError:
                self.lost.set()
                return
            except StateError:
                continue
