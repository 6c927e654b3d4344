"""Processes that run the real command and meet their fate: stopped, or killed, at the Nth step that leaves a trace.

An actor is forked from a process of one thread that has the house loaded already: it is a process of its own, with its
own connections, caches and lease, and costs no new interpreter. At a step it stops *itself* (SIGSTOP, as `kill -STOP`
would), so that a seed hits the same window every time; whoever started it lets it go on when it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
import json
import os
from pathlib import Path
import signal
import sys
from threading import Lock
import traceback
from typing import Any

from reconcile import ports
from reconcile.cli.main import main
from reconcile.core.errors import FencedError
from reconcile.state import connection, files, heartbeat, lease, shared, store

import_module("networkx")  # now: an actor is forked from this process, and loads little

FATES = {"stop": signal.SIGSTOP, "kill": signal.SIGKILL}
BUSY_S = 0.2
STALE_S = 0.2
"""A history has no patience: so long one commit waits for another's, so long a lease is believed without a look."""


@dataclass
class Actor:
    """One process: its pid, what it says, and how it is (`stopped`, or an exit code; negative for a signal)."""

    pid: int
    said: Path
    stopped: bool = False
    code: int | None = None
    unlocked: bool = False

    def wait(self) -> None:
        """Returns when it has ended or stopped itself."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        self.stopped = os.WIFSTOPPED(status)
        if not self.stopped:
            self.code = os.waitstatus_to_exitcode(status)

    def go_on(self) -> None:
        """Lets it go on where it stopped."""
        self.stopped = False
        os.kill(self.pid, signal.SIGCONT)

    @property
    def words(self) -> str:
        """All it has said so far."""
        return self.said.read_text(errors="replace")


@dataclass
class Book:
    """What the actors of one history note down, each in one append: their commits, and how many steps they took."""

    path: Path
    lock: Lock = field(default_factory=Lock)

    def note(self, **told: Any) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(json.dumps(told).encode() + b"\n")

    def all(self) -> Iterator[dict[str, Any]]:
        """Everything noted, in order."""
        if self.path.exists():
            yield from map(json.loads, self.path.read_text().splitlines())


class Fate:
    """Counts the steps of this process; at step number `at` it sends itself the signal."""

    def __init__(self, what: str, at: int) -> None:
        self.steps = 0
        self._signal = FATES.get(what)
        self._at = at
        self._lock = Lock()

    def step(self) -> None:
        with self._lock:
            self.steps += 1
            now = self.steps == self._at and self._signal is not None
        if now:
            os.kill(os.getpid(), self._signal)

    def hears(self, _step: str, _told: tuple[Any, ...], _done: bool) -> None:
        self.step()


def befall(fate: Fate, book: Book) -> None:
    """From now on the steps of this process are counted, and its commits noted; there is no way back."""
    connection.BUSY_S = files.BUSY_S = BUSY_S  # type: ignore[misc]
    heartbeat.STALE_S = STALE_S  # type: ignore[misc]
    ports.HOOKS.append(fate.hears)
    _note_commits(book)


def _note_commits(book: Book) -> None:
    """Notes each commit that went through: under which number, by which holder with which fence."""
    commit, take, release = store.SqliteState.commit, lease._take, lease.SqliteLease.release
    advanced = {kind: kind._advanced for kind in (store.SqliteState, shared.SharedState)}
    serials: list[int] = []

    def noted_head(kind: type) -> Callable[..., Any]:
        def heard(self: Any, connection: Any, deed: Any) -> Any:
            head = advanced[kind](self, connection, deed)
            serials.append(head.serial)
            return head

        return heard

    def noted(self: Any, deed: Any, lease: Any) -> Any:
        with self.database.lock:
            try:
                told = commit(self, deed, lease)
            except FencedError:
                book.note(fenced=lease.fence, pid=os.getpid())
                raise
            what = type(deed).__name__
            book.note(serial=serials[-1], fence=lease.fence, id=lease.holder.id, deed=what, pid=os.getpid())
            return told

    def taken(*told: Any) -> Any:
        got = take(*told)
        if got is not None:
            book.note(took=got.fence, id=got.holder.id, pid=os.getpid())
        return got

    def given(self: Any) -> None:
        book.note(gives=self.fence, pid=os.getpid())  # before: who is stopped in between may hold it no more
        release(self)

    for kind in advanced:
        kind._advanced = noted_head(kind)  # type: ignore[attr-defined]
    store.SqliteState.commit = noted  # type: ignore[method-assign]
    lease._take = taken
    lease.SqliteLease.release = given  # type: ignore[method-assign]


def start(work: Callable[[], object], said: Path, fate: Fate, book: Book) -> Actor:
    """A process that does `work`, and says what it says into the file `said`."""
    pid = os.fork()
    if pid:
        return Actor(pid, said)
    code = 70
    try:
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for stream in (1, 2):
            os.dup2(out, stream)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        befall(fate, book)
        work()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:  # noqa: BLE001 - a child must never come back into the history
        traceback.print_exc()
    finally:
        book.note(steps=fate.steps, pid=os.getpid())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def command(*words: str) -> Callable[[], object]:
    """The real command with these arguments."""
    return lambda: main(list(words))
