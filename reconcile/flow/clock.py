"""The real clock."""

from __future__ import annotations

import threading
import time

from reconcile.core.errors import StoppedError


class RealClock:
    """`ports.Clock` as the machine has it. A set `stop` ends every waiting: `StoppedError`."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Waits, unless told to stop."""
        if self._stop.wait(seconds):
            raise StoppedError("stopped while waiting")
