"""A state that a team and its CI runners share: a working copy in the cache, kept in step with a log in a store.

A commit counts when its deed is in the log; it is published inside the transaction of the working copy, so the copy
never knows more than the log. A runner that dies leaves its intents there, and the next holder settles them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import islice
from pathlib import Path
from secrets import token_hex
import sqlite3
import tempfile
from typing import Final

from msgspec.structs import replace

from reconcile.core.errors import CorruptStateError, FencedError, LineageError, LockedError, StateError
from reconcile.ports import Intent, Store
from reconcile.state import scopes
from reconcile.state.cache import cache_directory
from reconcile.state.database import Database, translated
from reconcile.state.deeds import Deed, Founded, Intended, Leased
from reconcile.state.fence import LeaseRow, read_row, write_row
from reconcile.state.files import alone_in, make_directory, replacing, unlink, write
from reconcile.state.generations import copy
from reconcile.state.head import Head, head_of, write_head
from reconcile.state.log import Beat, Log
from reconcile.state.opening import clear_side_files, empty_database, open_database
from reconcile.state.outdated import Outdated
from reconcile.state.store import SqliteState
from reconcile.state.verify import UNREADABLE, verify_file

SNAPSHOT_EVERY: Final = 64
"""So many commits may follow a snapshot before the next is made."""

KEPT_SNAPSHOTS: Final = 2
"""So many whole ones lead beyond a commit before it may go."""

COPIES: Final = 3
"""So many working copies of one state a machine may need, should processes be stopped in the middle of a commit."""


def open_shared(store: Store, *, write: bool = False) -> SqliteState:
    """The state whose log is in `store`, whose container exists. Without `write` a missing state is an empty one."""
    log = Log(store, write=write)
    if not log.numbers(0) and not log.snapshots():
        if not write:
            return SqliteState(empty_database(Path(store.url)))
        _found(log)
    name = sha256(store.url.encode()).hexdigest()[:32]
    *first, last = (cache_directory() / "states" / f"{name}-{number}" / "state.db" for number in range(COPIES))
    for path in first:
        with suppress(LockedError):  # a process of this machine was stopped there; the log itself blocks nobody
            return _at(path, log)
    return _at(last, log)


def _at(path: Path, log: Log) -> SqliteState:
    try:
        return _opened(path, log)
    except _UnfitError:
        _discard(path)
    try:
        return _opened(path, log)
    except _UnfitError as error:
        raise CorruptStateError(_GAP, op="state", path=log.store.url) from error


_GAP: Final = "commits are missing in its log"


def _is_whole(serial: int, numbers: list[int]) -> bool:
    """Whether the numbers follow `serial` without a gap."""
    return numbers == list(range(serial + 1, serial + 1 + len(numbers)))


class _UnfitError(Exception):
    """The working copy is not one of this log; it is only a copy and is made again."""


def _found(log: Log) -> None:
    """Begins a family, unless another does at the same moment."""
    lineage = token_hex(16)
    try:
        log.append(1, lineage, Founded(lineage))
    except FencedError:
        return


def _opened(path: Path, log: Log) -> SqliteState:
    with translated(path):
        make_directory(path.parent)
        with alone_in(path.parent):
            if not path.exists():
                _restore(path, log)
    try:
        state = SharedState(open_database(path, write=True), log)
    except (CorruptStateError, LineageError) as error:
        raise _UnfitError from error
    try:
        state.check_family()
        state.catch_up()
    except BaseException:
        state.close()
        raise
    return state


def _restore(path: Path, log: Log) -> None:
    """Begins the working copy with the newest snapshot that is whole; without one it begins at the first deed."""
    for number in log.snapshots():
        try:
            with replacing(path) as temporary:
                _fetch(log, number, temporary)
        except (*UNREADABLE, StateError):
            continue
        return


def _fetch(log: Log, number: int, path: Path) -> None:
    """Puts the snapshot of a commit at `path`, read completely."""
    write(path, log.read(f"state/{number:012}"))
    verify_file(path)


def _discard(path: Path) -> None:
    unlink(path)
    clear_side_files(path)


class SharedState(SqliteState):
    """A working copy and its log."""

    def __init__(self, database: Database, log: Log) -> None:
        super().__init__(database)
        self._log = log
        self._failed: StateError | None = None

    def check_family(self) -> None:
        """Whether the log goes on where this copy ends, and is of its family; a copy that is unfit is made again."""
        serial, numbers = self.head().serial, self._log.numbers(0)
        if serial == 0 or not numbers:
            return
        newest = numbers[-1]
        if self._log.entry(newest).lineage != self.lineage or self._is_outrun(serial, numbers):
            raise _UnfitError
        if newest < serial:
            told = f"it is older than this machine has seen: commit {newest}, the newest was {serial}"
            hint = f"if it was restored on purpose, remove {self.path}"
            raise LineageError(told, op="state", path=self._log.store.url, hint=hint)

    def _is_outrun(self, serial: int, numbers: list[int]) -> bool:
        """Whether commits that this copy has not seen are gone from the log, which a snapshot leads beyond."""
        unseen = [number for number in numbers if number > serial]
        return not _is_whole(serial, unseen) and any(number > serial for number in self._log.snapshots())

    def catch_up(self) -> None:
        """Does the deeds that others have done since."""
        with self.database.lock:
            serial = self.head().serial
            numbers = self._log.numbers(serial)
            if not _is_whole(serial, numbers):
                raise CorruptStateError(_GAP, op="state", path=self._log.store.url)
            entries = [(number, self._log.entry(number)) for number in numbers]
            with self.database.transaction() as connection:
                for number, entry in entries:
                    if scopes.meta(connection).serial == number - 1:  # else another process on this machine did it
                        entry.deed.do(connection)
                        scopes.METAS.put(connection, [replace(scopes.meta(connection), serial=number)])
                self._hear(connection)
                meta = scopes.meta(connection)
                head = head_of(meta, scopes.every(connection))
            self._lineage = meta.lineage
            write_head(self.path, head)

    @contextmanager
    def leasing(self) -> Iterator[sqlite3.Connection]:
        """A transaction on the lease row as it stands in the log; a renewal is a beat, all else a deed."""
        self.catch_up()
        head = None
        with self.database.lock:
            with self.database.transaction() as connection:
                before = read_row(connection)
                yield connection
                after = read_row(connection)
                if after != before:
                    head = self._told(connection, before, after)
            if head is not None:
                write_head(self.path, head)

    def keep_generation(self) -> None:
        """Keeps the whole state beside the log, for machines that have no copy."""
        with self.database.snapshot() as connection, tempfile.TemporaryDirectory() as directory:
            whole = Path(directory) / "state.db"
            copy(connection, whole)
            self._log.add_snapshot(scopes.meta(connection).serial, whole.read_bytes())

    def outdated(self, before_s: float, dead_before_s: float) -> list[Outdated]:  # noqa: ARG002 - a reader may be alive
        """Commits, and older snapshots, that a whole snapshot leads beyond, and another whole one beyond that.

        Whoever has a copy that saw no newer commit goes on from a snapshot; who is reading the log right now has the
        time since `dead_before_s` (Unix seconds, by the clock of the store).
        """
        whole = list(islice(filter(self._is_whole_at, self._log.snapshots()), KEPT_SNAPSHOTS))
        if len(whole) < KEPT_SNAPSHOTS:
            return []
        commits = [entry for number, entry in self._log.objects("log") if number <= whole[-1]]
        snapshots = [entry for number, entry in self._log.objects("state") if number < whole[-1]]
        old = (entry for entry in (*commits, *snapshots) if entry.mtime_ns < dead_before_s * 1e9)
        return [Outdated("commits", entry.key, entry.size, entry.version) for entry in old]

    def drop(self, item: Outdated) -> None:
        """Removes one of what `outdated` named."""
        self._log.remove(item.name, item.version)

    def _is_whole_at(self, number: int) -> bool:
        """Whether the snapshot of a commit can be read completely."""
        with tempfile.TemporaryDirectory() as directory:
            try:
                _fetch(self._log, number, Path(directory) / "state.db")
            except (*UNREADABLE, StateError):
                return False
        return True

    def _generation_due(self) -> bool:
        return self.head().serial - max(self._log.snapshots(), default=0) >= SNAPSHOT_EVERY

    def _intend(self, intents: Sequence[Intent]) -> None:
        for lease in self._leases_of(intents)[:1]:
            self.commit(Intended(intents), lease)

    def _told(self, connection: sqlite3.Connection, before: LeaseRow, after: LeaseRow) -> Head | None:
        """Publishes a change of the lease row; the new head, None when it was only a beat."""
        if before.holder and after.holder and (before.fence, before.holder.id) == (after.fence, after.holder.id):
            self._log.beat(Beat(after.fence, after.beats, after.holder))
            return None
        return self._advanced(connection, Leased(after.fence, after.holder))

    def _advanced(self, connection: sqlite3.Connection, deed: Deed) -> Head:
        """Publishes the deed; after a failure whose outcome is unknown nothing more is written from here."""
        if self._failed is not None:
            raise self._failed
        head = super()._advanced(connection, deed)
        try:
            self._log.append(head.serial, head.lineage, deed)
        except FencedError:
            raise
        except StateError as error:
            self._failed = error
            raise
        return head

    def _hear(self, connection: sqlite3.Connection) -> None:
        """Takes in the holder's newest sign of life."""
        beat, row = self._log.last_beat(), read_row(connection)
        ours = (
            row.holder is not None and beat is not None and (beat.fence, beat.holder.id) == (row.fence, row.holder.id)
        )
        if beat is not None and ours and beat.holder != row.holder:
            write_row(connection, row.fence, beat.holder)
