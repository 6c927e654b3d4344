"""The journal: what is about to be published, durable before it is.

Many workers intend at once. One of them, the leader, writes what all have queued in one transaction while the others
wait (group commit): one fsync serves them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
import threading

from reconcile.ports import Intent
from reconcile.state.codec import DamageError
from reconcile.state.database import Database
from reconcile.state.deeds import Intended, strange_name
from reconcile.state.runs import INTENTS


class _Ticket:
    """Intents in the queue, and what became of them."""

    __slots__ = ("done", "error", "intents")

    def __init__(self, intents: Sequence[Intent]) -> None:
        self.intents = intents
        self.done = False
        self.error: Exception | None = None


class SqliteJournal:
    """Intents in the `intents` table, made durable by `commit`, which refuses those of a run whose lease is lost."""

    def __init__(self, database: Database, commit: Callable[[Sequence[Intent]], None]) -> None:
        self._database = database
        self._commit = commit
        self._queue: list[_Ticket] = []
        self._queue_lock = threading.Lock()
        self._leader = threading.Lock()

    def intend(self, intents: Sequence[Intent]) -> None:
        """Returns when all are durable; `FencedError` when their run's lease is no longer ours."""
        ticket = _Ticket(intents)
        with self._queue_lock:
            self._queue.append(ticket)
        with self._leader:
            if not ticket.done:
                self._lead()
        if ticket.error is not None:
            raise ticket.error

    def open_intents(self) -> list[Intent]:
        """Intents that were neither folded nor dropped, in the order of their runs."""
        with self._database.reading() as connection:
            intents = list(INTENTS.every(connection, order="run, seq"))
            if (name := strange_name(Intended(intents))) is not None:
                raise DamageError(f"an intent names {name!r}, which no path is called")
        return intents

    def _lead(self) -> None:
        """Commits everything that is queued; every ticket learns how it went."""
        with self._queue_lock:
            tickets, self._queue = self._queue, []
        intents = [intent for ticket in tickets for intent in ticket.intents]
        error: Exception | None = None
        try:
            self._commit(intents)
        except Exception as problem:  # noqa: BLE001 - it is raised in every thread that waits
            error = problem
        for ticket in tickets:
            ticket.done, ticket.error = True, error
