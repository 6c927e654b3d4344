"""The lease: the right to write, held by one process at a time in the state's own file.

Safety rests on the fence alone: each holder gets a higher number, and each commit checks it in its own transaction.
Taking over is a matter of liveness and done only from a holder that is dead for certain (machine, boot, pid, start
time), or that was watched without a beat for `TTL_S` of our own monotonic clock; never because a time looks old.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
import os
from secrets import token_hex
import threading
from typing import Final

from msgspec.structs import replace

from reconcile import __version__
from reconcile.core.errors import FencedError, LockedError, StateError, UsageError
from reconcile.ports import Clock, Holder, Lease, StateStore
from reconcile.state import alive
from reconcile.state.fence import LeaseRow, check_fence, read_row, write_row
from reconcile.state.store import SqliteState

TTL_S: Final = 60.0
"""A holder elsewhere that was silent for so long, while we watched, is given up."""

LEAVES_HOLDS: Final = "rollback"
"""The operation that leaves a hold behind, and goes through its own."""

POLL_S: Final = 0.25
"""How often a waiting process looks again."""


class SqliteLease:
    """`ports.Lease` in the lease row of a state."""

    def __init__(self, state: SqliteState, fence: int, holder: Holder, clock: Clock) -> None:
        self._state = state
        self._fence = fence
        self._holder = holder
        self._clock = clock
        self._one_at_a_time = threading.Lock()

    @property
    def fence(self) -> int:
        """The fencing number of this holder."""
        return self._fence

    @property
    def holder(self) -> Holder:
        """Us."""
        return self._holder

    def renew(self, *, run: int = 0, done: float = 0.0) -> None:
        """Says that we live, and how far we are (0 to 1); `FencedError` when the lease is no longer ours."""
        with self._one_at_a_time:
            self._holder = replace(self._holder, run=run or self._holder.run, done=done, heard=self._clock.now())
            with self._state.leasing() as connection:
                check_fence(connection, self)
                write_row(connection, self._fence, self._holder)

    def leave_hold(self, reason: str) -> None:
        """From now on a hold stays behind, however we end, until a person unlocks it; none for the reason ""."""
        with self._one_at_a_time:
            holder = replace(self._holder, hold=bool(reason), reason=reason, heard=self._clock.now())
            with self._state.leasing() as connection:
                check_fence(connection, self)
                write_row(connection, self._fence + 1, holder)
            self._fence, self._holder = self._fence + 1, holder

    def release(self) -> None:
        """Gives it back, or leaves the hold that was asked for; silent when it is no longer ours."""
        with self._one_at_a_time, self._state.leasing() as connection:
            row = read_row(connection)
            if row.fence == self._fence and row.holder is not None and row.holder.id == self._holder.id:
                left = replace(self._holder, pid=0) if self._holder.hold else None
                write_row(connection, self._fence + 1 if left else self._fence, left)


def acquire(state: StateStore, operation: str, *, timeout_s: float = 0.0, clock: Clock) -> SqliteLease:
    """The lease of a state; waits up to `timeout_s` for its holder, then `LockedError` says who it is.

    A hold that a rollback left is taken over by the next one, reason and all: the lease is that hold, in one step.
    """
    state = _sqlite(state)
    us = _us(operation, clock)
    watch = _Watch(clock)
    while True:
        lease = _take(state, us, watch, clock)
        if lease is not None:
            return lease
        if watch.waited_s >= timeout_s:
            raise locked(watch.row.holder, clock)
        clock.sleep(min(POLL_S, max(timeout_s - watch.waited_s, 0.0)))


def give_back(lease: Lease, after: BaseException | None = None) -> None:
    """Releases a lease. `after` a failure that is the error, and not that on a broken disk nothing can be released."""
    try:
        lease.release()
    except StateError:
        if after is None:
            raise


@contextmanager
def given_back(lease: Lease) -> Iterator[None]:
    """The lease while the block runs."""
    try:
        yield
    except BaseException as error:
        give_back(lease, error)
        raise
    give_back(lease)


def hold(state: StateStore, reason: str, *, clock: Clock) -> Holder:
    """Freezes the state on purpose: no process behind it, no end but `unlock ID`; `LockedError` when it is held."""
    held = replace(_us("hold", clock), hold=True, pid=0, reason=reason)
    with _sqlite(state).leasing() as connection:
        row = read_row(connection)
        if row.holder is not None and _keeps(row.holder, _Watch(clock)):
            raise locked(row.holder, clock)
        write_row(connection, row.fence + 1, held)
    return held


def break_lease(state: StateStore, id_: str) -> Holder:
    """Ends the lease or hold `id_`, whoever has it: its commits fail from now on. Returns who it was."""
    with _sqlite(state).leasing() as connection:
        row = read_row(connection)
        holder = check_unlock(row.holder, id_)
        write_row(connection, row.fence + 1, None)
    return holder


def check_unlock(holder: Holder | None, id_: str) -> Holder:
    """The holder, if it is the one that is meant; else `UsageError`."""
    if holder is None:
        raise UsageError("the state is not locked", op="unlock")
    if holder.id != id_:
        raise UsageError(f"the lock is {holder.id}, not {id_}", op="unlock", hint="reconcile lock show")
    return holder


def show(state: StateStore) -> Holder | None:
    """Who holds the lease of a state; takes nothing."""
    with _sqlite(state).database.reading() as connection:
        return read_row(connection).holder


def locked(holder: Holder | None, clock: Clock) -> LockedError:
    """The error that names the holder and the ways on."""
    if holder is None:
        return LockedError("Locked a moment ago, free now.", hint="once more")
    hint = f"wait: --lock-timeout 5m    look: reconcile lock show    break: reconcile unlock {holder.id}"
    return LockedError(describe(holder, clock.now()), holder=holder, hint=hint)


def describe(holder: Holder, now: float) -> str:
    """The holder in one line; `now` in Unix seconds, times in the reader's zone."""
    since = datetime.fromtimestamp(holder.since).astimezone()
    shown = since.strftime("%H:%M:%S" if abs(now - holder.since) < 86_400 else "%Y-%m-%d %H:%M:%S")
    if holder.hold:
        return f"Held since {shown} by {holder.who}@{holder.host}: {holder.reason or holder.operation}."
    parts = [holder.operation]
    if holder.run:
        parts += [f"run {holder.run}", f"{holder.done:.0%}".replace("%", " % done")]
    if holder.heard:
        parts.append(f"last heard {max(now - holder.heard, 0):.0f} s ago")
    return f"Locked since {shown} by {holder.who}@{holder.host}: {', '.join(parts)}."


class _Watch:
    """What we saw of the lease row while waiting, on our own monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = self._changed = clock.monotonic()
        self.row = LeaseRow(0, 0, None)

    @property
    def waited_s(self) -> float:
        """Since the waiting began."""
        return self._clock.monotonic() - self._began

    def see(self, row: LeaseRow) -> None:
        """Takes in the row; any difference is a sign of life."""
        if row != self.row:
            self.row, self._changed = row, self._clock.monotonic()

    @property
    def silent(self) -> bool:
        """Whether the holder showed no sign of life for `TTL_S`."""
        return self._clock.monotonic() - self._changed >= TTL_S


def _take(state: SqliteState, us: Holder, watch: _Watch, clock: Clock) -> SqliteLease | None:
    """One attempt; None while another holds it."""
    try:
        with state.leasing() as connection:
            row = read_row(connection)
            watch.see(row)
            if row.holder is not None and row.holder.id != us.id and _keeps(row.holder, watch, us.operation):
                return None
            if row.holder is not None and row.holder.hold:
                us = replace(us, hold=True, reason=row.holder.reason)
            write_row(connection, row.fence + 1, us)
            return SqliteLease(state, row.fence + 1, us, clock)
    except FencedError:  # another took the shared lease at the same moment: look again
        return _take(state, us, watch, clock)
    except LockedError:  # somebody is in the middle of a commit, perhaps for long: reading goes on all the same
        with state.database.reading() as connection:
            watch.see(read_row(connection))
        return None
    except StateError:
        lease = _taken_after_all(state, us, clock)
        if lease is None:
            raise
        return lease


def _taken_after_all(state: SqliteState, us: Holder, clock: Clock) -> SqliteLease | None:
    """Our own token in the row: the commit went through although its reply was lost."""
    with state.database.reading() as connection:
        row = read_row(connection)
    if row.holder is None or row.holder.id != us.id:
        return None
    return SqliteLease(state, row.fence, row.holder, clock)


def _keeps(holder: Holder, watch: _Watch, operation: str = "") -> bool:
    """Whether the holder is to be respected: alive, on purpose, or not known to be gone.

    A hold that a rollback left gives way to the next one, once nobody is behind it any more.
    """
    if holder.hold and not operation == holder.operation == LEAVES_HOLDS:
        return True
    if holder.hold and holder.pid == 0:
        return False
    life = alive.life(holder)
    return life == "alive" or (life == "perhaps" and not watch.silent)


def _us(operation: str, clock: Clock) -> Holder:
    now = clock.now()
    return Holder(
        id=token_hex(4),
        who=alive.user(),
        host=alive.host(),
        pid=os.getpid(),
        operation=operation,
        since=now,
        heard=now,
        boot=alive.boot(),
        started=alive.started(os.getpid()),
        version=__version__,
    )


def _sqlite(state: StateStore) -> SqliteState:
    if not isinstance(state, SqliteState):
        raise TypeError(f"{type(state).__name__} has no lease row")
    return state
