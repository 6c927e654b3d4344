"""When a busy store is asked again: one patience for all who call the same service, so that a storm calms."""

from __future__ import annotations

from collections.abc import Callable
import random
from threading import Lock
from typing import Final, Protocol, TypeVar, runtime_checkable

from reconcile.core.errors import BusyError, StoppedError
from reconcile.ports import Clock

T = TypeVar("T")


ATTEMPTS: Final = 8
"""So often one call is made, the first time included."""

UNHEARD_ATTEMPTS: Final = 4
"""A service that has never answered is most likely none: a wrong address is told in seconds."""


class UnreachableError(BusyError):
    """Nobody answers there at all."""


class Ask(Protocol):
    """How something is asked for: once, or as often as it is worth."""

    def __call__(self, run: Callable[[], T]) -> T:
        """What `run` gives."""


def once(run: Callable[[], T]) -> T:
    """Without patience."""
    return run()


@runtime_checkable
class Paged(Protocol):
    """A store that lists in pages, and asks for each of them by `ask`: no page that came is asked for again."""

    ask: Ask


EARNED: Final = 0.2
"""How much of a retry each success earns back."""


class Patience:
    """Tries again after a random part of a growing time, or after the time the store named, whichever is longer.

    attempts  of one call, `ATTEMPTS` if None
    first_s, longest_s  what the growing time starts from and ends at; also the longest obedience to a named time
    budget    retries all calls together may use up; successes earn them back. When it is gone nobody tries again.

    A time the store named is waited out by every caller, not only by the one who was told. Safe for many threads.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        attempts: int | None = None,
        first_s: float = 0.25,
        longest_s: float = 30.0,
        budget: float = 100.0,
        between: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._clock = clock
        self._attempts = attempts or ATTEMPTS
        self._first_s = first_s
        self._longest_s = longest_s
        self._between = between
        self._most = self._budget = budget
        self._quiet_until = clock.monotonic()
        self._heard = False
        self._lock = Lock()

    def call(self, run: Callable[[], T], *, asks: bool = True) -> T:
        """What `run` gives; the last `BusyError` when the patience is at its end.

        Not `asks`: it may come to its result without a word from the service, so that this proves none.
        """
        attempt = 0
        while True:
            self.wait()
            try:
                result = run()
            except BusyError as error:
                attempt += 1
                if not self.again(attempt, error):
                    error.given_up = True
                    raise
            else:
                if asks:
                    self.succeeded()
                return result

    def wait(self) -> None:
        """Before a call: returns when the store may be asked; `BusyError` when the run is to stop."""
        left_s = self._quiet_until - self._clock.monotonic()
        if left_s > 0 and not self._slept(left_s):
            raise BusyError("not asked again: the run is to stop", op="wait")

    def succeeded(self) -> None:
        """After a call that was answered."""
        with self._lock:
            self._heard = True
            self._budget = min(self._most, self._budget + EARNED)

    def again(self, attempt: int, error: BusyError) -> bool:
        """After the `attempt`-th failure of a call: sleeps and says True; False where it is not worth it any more.

        What was given up by who asked for a part of it is given up as a whole.
        """
        if error.given_up:
            return False
        with self._lock:
            self._heard |= not isinstance(error, UnreachableError)
            attempts = self._attempts if self._heard else min(UNHEARD_ATTEMPTS, self._attempts)
            if attempt >= attempts or self._budget < 1:
                return False
            self._budget -= 1
            named_s = min(error.retry_after_s or 0.0, self._longest_s)
            self._quiet_until = max(self._quiet_until, self._clock.monotonic() + named_s)
        growing_s = min(self._longest_s, self._first_s * 2 ** (attempt - 1))
        return self._slept(max(named_s, self._between(0.0, growing_s)))

    def _slept(self, seconds: float) -> bool:
        """Waits; False when the run is to stop, which ends all patience."""
        try:
            self._clock.sleep(seconds)
        except StoppedError:
            return False
        return True
