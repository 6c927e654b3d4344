"""How long PostgreSQL's locks are waited for, and how nobody else is kept waiting meanwhile.

Whoever asks for a table while somebody waits to have it alone queues behind him. So who wants it alone asks for a
moment only, lets all pass who came meanwhile, and asks again, until the time is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from threading import Lock, local
import time
from typing import Final

from reconcile.stores.tables.engine import Made
from reconcile.stores.tables.postgres_errors import HeldError

LOCK_TIMEOUT_S: Final = 30.0
"""How long is waited, in all, for what other sessions hold of the tables that one change needs."""

LOCK_AGAIN_S: Final = 2.0
"""How long once that was in vain: of a thousand tables not each waits for the whole time.

More than the second after which PostgreSQL stops its own vacuum for who waits behind it.
"""

FIRST_ASK_S: Final = 0.1
"""How long a table is asked for alone at first, and then twice as long each time; each pause is as long again."""

LONGEST_ASK_S: Final = 1.2
"""Nobody waits longer behind us than that; as above it is more than a second."""


class Want(StrEnum):
    """What a session waits for: one may be had where another is waited for in vain."""

    READ = "read"
    HOLD = "hold"
    TAKE = "take"
    TURN = "turn"
    """To be the only writer of ours. Each of them comes to its end, so this is never in vain."""


class Turns:
    """Of one change: how long its tables may still be waited for, and how long they are asked for this time."""

    def __init__(self, most_s: float) -> None:
        self.ask_s = FIRST_ASK_S
        self.is_taking = False
        self._left_s = most_s
        self._ends: float | None = None

    def left_s(self) -> float:
        """The clock runs from the first time that they are asked for."""
        return self._left_s if self._ends is None else max(0.0, self._ends - time.monotonic())

    def waited(self, seconds: float) -> None:
        """Before that: for who wrote there."""
        self._left_s = max(0.0, self._left_s - seconds)

    def take(self, worked_s: float) -> float:
        """For how long they are asked for; the longer, the more has to be done again where that was in vain."""
        if self._ends is None:
            self._ends = time.monotonic() + self._left_s
        self.is_taking = True
        self.ask_s = min(LONGEST_ASK_S, max(self.ask_s, worked_s))
        return min(self.ask_s, max(self.left_s(), FIRST_ASK_S))

    def goes_on(self) -> bool:
        """Whether there is time for a pause and another try; only readers are waited for so."""
        return self.is_taking and self.left_s() > self.ask_s

    def pause(self) -> None:
        """All who came meanwhile get through."""
        time.sleep(self.ask_s)
        self.ask_s = min(2 * self.ask_s, LONGEST_ASK_S)


class Waiting:
    """Of one session: what it waits for, how long it may, and what it had."""

    def __init__(self, want: Want, turns: Turns, *, is_in_turns: bool) -> None:
        self.want = want
        self.timeout_s = turns.left_s() if want is Want.READ else LOCK_TIMEOUT_S
        self.had: set[Want] = set()
        self.turns = turns
        self._is_in_turns = is_in_turns
        self._began = time.monotonic()

    @contextmanager
    def for_turn(self) -> Iterator[None]:
        """Around what asks to be the only writer of ours: the others may be waiting themselves."""
        before, self.want = self.want, Want.TURN
        yield
        self.want, self._began = before, time.monotonic()

    @contextmanager
    def for_hold(self) -> Iterator[None]:
        """Around what asks that nobody else writes."""
        began = time.monotonic()
        yield
        self.had.add(Want.HOLD)
        self.turns.waited(time.monotonic() - began)

    def take(self) -> float | None:
        """How long may be waited from now on; None where nothing changes in that."""
        if not self._is_in_turns or self.turns.is_taking:
            return None
        self.want = Want.TAKE
        self.had.add(Want.TAKE)
        return self.turns.take(time.monotonic() - self._began)


class Waits:
    """Of the sessions of an engine: what was waited for in vain, and not had since."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._vain: set[Want] = set()
        self._of_thread = local()

    def most_s(self) -> float:
        """How long the next wait may be."""
        return LOCK_AGAIN_S if self._vain else LOCK_TIMEOUT_S

    @contextmanager
    def turns(self) -> Iterator[Turns]:
        """Around a change: the sessions of this thread are its tries."""
        self._of_thread.turns = turns = Turns(self.most_s())
        try:
            yield turns
        finally:
            del self._of_thread.turns

    @contextmanager
    def noted(self, *, write: bool) -> Iterator[Waiting]:
        """Around a session. What it waited for in vain need not be tried again: it was waited for long enough."""
        known: Turns | None = getattr(self._of_thread, "turns", None) if write else None
        turns = known or Turns(self.most_s())
        turns.is_taking = False
        waiting = Waiting(Want.HOLD if write else Want.READ, turns, is_in_turns=known is not None)
        try:
            yield waiting
        except HeldError as error:
            if waiting.want is not Want.TURN and not turns.goes_on():
                error.given_up = True
                with self._lock:
                    self._vain.add(waiting.want)
            raise
        if self._vain:
            with self._lock:
                self._vain -= waiting.had


def milliseconds(seconds: float) -> str:
    """As a setting has it; 0 would be for ever."""
    return f"{max(1, round(seconds * 1_000))}ms"


def in_turns(waits: Waits, work: Callable[[], Made]) -> Made:
    """What `work` gives, which is one transaction: tried until the time is over; nothing is held in the pauses.

    No savepoint would do: ADBC lets nobody go back to one once a statement failed.
    """
    with waits.turns() as turns:
        while True:
            try:
                return work()
            except HeldError as error:
                if error.given_up or not turns.is_taking:
                    raise
            turns.pause()
