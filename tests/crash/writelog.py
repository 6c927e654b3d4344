"""What a run does to its disk, as a list of operations: the raw matter of every state a loss of power can leave.

A recorder looks at the tree before and after every I/O step that is heard and notes what became different: names, data,
stamps. What SQLite writes is heard from SQLite itself, what is synced from `os.fsync` and from SQLite; nothing else
makes anything last. Files and directories go by numbers that are never used twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
import os
from pathlib import Path
import sqlite3
import stat
from threading import RLock
import time
from typing import Any, NamedTuple

import pytest

from reconcile import ports
from reconcile.state.database import Database
from tests.crash import sqlite_io

FRESH_NS = 100_000_000
"""A file younger than this may have changed without a change of its times."""

_SHARED_MEMORY = "-shm"
"""SQLite's index of its log: nothing in it outlives the machine."""


class Stamp(NamedTuple):
    """What a file's inode says of it, but its size."""

    mtime_ns: int
    ctime_ns: int
    inode: int
    mode: int


class Found(NamedTuple):
    """A name that a look found in the directory with the inode `within`; the root has none."""

    within: int
    name: str
    path: str
    stamp: Stamp


class Write(NamedTuple):
    """Bytes at an offset of a file."""

    node: int
    offset: int
    data: bytes


class Truncate(NamedTuple):
    """A file gets this size."""

    node: int
    size: int


class Stamped(NamedTuple):
    """A file's inode changed."""

    node: int
    stamp: Stamp


class Names(NamedTuple):
    """Names in directories change, all in one: (directory, name, node before, node after), None where there is none."""

    changes: tuple[tuple[int, str, int | None, int | None], ...]


class Sync(NamedTuple):
    """Everything done to this file, or to the names in this directory, before now lasts."""

    node: int


class Mark(NamedTuple):
    """Something the tests want to know of this moment."""

    told: Any


Operation = Write | Truncate | Stamped | Names | Sync | Mark


@dataclass
class Node:
    """A file with its content, or a directory (`names` is not None)."""

    stamp: Stamp
    data: bytes = b""
    names: dict[str, int] | None = None


@dataclass
class Log:
    """`base` is what stood there, for good, when the recording began; node 0 is the root."""

    base: dict[int, Node]
    operations: list[Operation] = field(default_factory=list)

    def marks(self) -> list[tuple[int, Any]]:
        """The marks with their places."""
        return [(at, one.told) for at, one in enumerate(self.operations) if isinstance(one, Mark)]


class Recorder:
    """Watches everything below `root` but what is in its directory `besides`."""

    def __init__(self, root: Path, besides: str) -> None:
        self._root = str(root)
        self._besides = besides
        self._lock = RLock()
        self._nodes: dict[int, Node] = {}
        self._numbers: dict[int, int] = {}  # by inode, while it has a name
        self._next = 0
        self._of_sqlite: set[int] = set()
        self._operations: list[Operation] = []
        self._found: list[Found] = []
        self._look()
        base = {number: Node(node.stamp, node.data, dict(node.names or {}) if node.names is not None else None)
                for number, node in self._nodes.items()}  # fmt: skip
        self._operations.clear()
        self.log = Log(base, self._operations)

    # --- what is heard

    def hear_step(self, step: str, told: tuple[Any, ...], done: bool) -> None:
        """A step of ours: what it did is seen by looking; a sync is heard where it is done."""
        del told, done
        if ".sync" in step:
            return
        with self._lock:
            self._look()

    def hear_sqlite(self, step: str, told: tuple[Any, ...], done: bool) -> None:
        """A step of SQLite, which tells what it does; what else became different is seen before anything lasts."""
        if step == "sqlite.read":
            return
        with self._lock:
            if step in ("sqlite.open", "sqlite.unlink", "sqlite.sync"):
                self._look()
            number = self._number(told[0]) if done and told[0] else None
            if number is None:
                return
            node = self._nodes[number]
            if step == "sqlite.open":
                self._of_sqlite.add(number)
            elif step == "sqlite.write":
                node.data = overwritten(node.data, told[1], told[2])
                self._operations.append(Write(number, told[1], told[2]))
            elif step == "sqlite.truncate":
                node.data = node.data[: told[1]]
                self._operations.append(Truncate(number, told[1]))
            elif step in ("sqlite.sync", "sqlite.sync_directory"):
                self._operations.append(Sync(number))

    def hear_fsync(self, descriptor: int) -> None:
        """After an fsync."""
        with self._lock:
            self._look()
            number = self._numbers.get(os.fstat(descriptor).st_ino)
            if number is not None:
                self._operations.append(Sync(number))

    def mark(self, told: Any) -> None:
        """Notes a moment."""
        with self._lock:
            self._look()
            self._operations.append(Mark(told))

    def _number(self, path: str) -> int | None:
        try:
            return self._numbers.get(os.lstat(path).st_ino)
        except FileNotFoundError:
            return None

    # --- looking

    def _look(self) -> None:
        """Notes what became different since the last look."""
        fresh_from = time.time_ns() - FRESH_NS
        found = self._seen()
        if found == self._found:
            self._look_into_fresh_ones(found, fresh_from)
            return
        self._found = found
        seen: dict[int, dict[str, int]] = {}
        for one in found:
            number = self._see(one, fresh_from)
            if stat.S_ISDIR(one.stamp.mode):
                seen.setdefault(number, {})
            if one.name:
                seen[self._numbers[one.within]][one.name] = number
        self._note_names(seen)
        alive = {one.stamp.inode for one in found}
        self._numbers = {inode: number for inode, number in self._numbers.items() if inode in alive}

    def _look_into_fresh_ones(self, found: list[Found], fresh_from: int) -> None:
        """All has the names and stamps it had."""
        for one in found:
            if one.stamp.mtime_ns >= fresh_from:
                self._see(one, fresh_from)

    def _seen(self) -> list[Found]:
        """Everything there is, directories first, as it stood for one moment at least: other threads go on.

        So it stood if it is found twice in a row; once is enough where it still is what the last look found.
        """
        before = self._found
        while True:
            found: list[Found] = []
            with suppress(FileNotFoundError, NotADirectoryError):
                stamp = _stamp(os.lstat(self._root))
                found.append(Found(0, "", self._root, stamp))
                self._collect(self._root, stamp.inode, found)
                if found == before:
                    return found
            before = found

    def _collect(self, path: str, within: int, found: list[Found]) -> None:
        with os.scandir(path) as entries:
            for entry in entries:
                besides = entry.name == self._besides and path == self._root
                if not besides and not entry.name.endswith(_SHARED_MEMORY):
                    stamp = _stamp(entry.stat(follow_symlinks=False))
                    found.append(Found(within, entry.name, entry.path, stamp))
                    if stat.S_ISDIR(stamp.mode):
                        self._collect(entry.path, stamp.inode, found)

    def _see(self, one: Found, fresh_from: int) -> int:
        """Notes what is new about one name's file or directory; returns its number."""
        stamp = one.stamp
        number = self._numbers.get(stamp.inode)
        if number is not None and stat.S_ISDIR(stamp.mode) != (self._nodes[number].names is not None):
            number = None  # another thread gave the inode of what is gone to something new before we looked
        new = number is None
        if number is None:
            number = self._numbers[stamp.inode] = self._next
            self._next += 1
            self._nodes[number] = Node(stamp, names={} if stat.S_ISDIR(stamp.mode) else None)
            self._operations.append(Stamped(number, stamp))
        node = self._nodes[number]
        if node.names is not None:
            return number
        changed = node.stamp != stamp
        if number not in self._of_sqlite and (new or changed or stamp.mtime_ns >= fresh_from):
            self._note_data(number, node, self._data(one.path, stamp.inode))
        if changed:
            node.stamp = stamp
            self._operations.append(Stamped(number, stamp))
        return number

    def _data(self, path: str, inode: int) -> bytes | None:
        """What is in a file; None if another has its name by now."""
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError), open(path, "rb") as file:
            if os.fstat(file.fileno()).st_ino == inode:
                return file.read()
        return None

    def _note_data(self, number: int, node: Node, data: bytes | None) -> None:
        if data is None or data == node.data:
            return
        if len(data) < len(node.data):
            self._operations.append(Truncate(number, len(data)))
        pairs = enumerate(zip(data, node.data, strict=False))
        same = next((at for at, (new, old) in pairs if new != old), min(len(data), len(node.data)))
        if data[same:]:
            self._operations.append(Write(number, same, data[same:]))
        node.data = data

    def _note_names(self, seen: dict[int, dict[str, int]]) -> None:
        """New and lost names of one node belong together: it was renamed."""
        changes: dict[int, list[tuple[int, str, int | None, int | None]]] = {}
        for directory in {*seen, *(number for number, node in self._nodes.items() if node.names)}:
            before, now = self._nodes[directory].names or {}, seen.get(directory, {})
            for name in sorted(before.keys() | now.keys()):
                old, new = before.get(name), now.get(name)
                if old != new:
                    mover = new if new is not None else old
                    assert mover is not None
                    changes.setdefault(mover, []).append((directory, name, old, new))
            self._nodes[directory].names = now
        for together in changes.values():
            self._operations.append(Names(tuple(together)))

    def check(self) -> None:
        """Nothing escaped the recorder: what it thinks stands there is what stands there."""
        self._look()
        root = Path(self._root)
        for path in root.rglob("*"):
            if path.is_file() and not path.name.endswith(_SHARED_MEMORY):
                if path.relative_to(root).parts[0] == self._besides:
                    continue
                assert self._nodes[self._numbers[path.lstat().st_ino]].data == path.read_bytes(), path


def _stamp(seen: os.stat_result) -> Stamp:
    return Stamp(seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino, seen.st_mode)


def overwritten(data: bytes, offset: int, piece: bytes) -> bytes:
    """Data with a piece of it replaced; what lies between its end and the piece is zeros."""
    return data[:offset].ljust(offset, b"\0") + piece + data[offset + len(piece) :]


@contextmanager
def recording(root: Path, besides: str) -> Iterator[Recorder]:
    """Records what happens below `root`; with a mark, holding `contents` of the state, after every transaction."""
    recorder = Recorder(root, besides)
    fsync, transaction = os.fsync, Database.transaction

    def heard_fsync(descriptor: int) -> None:
        fsync(descriptor)
        recorder.hear_fsync(descriptor)

    @contextmanager
    def marked(database: Database) -> Iterator[sqlite3.Connection]:
        with database.lock:
            with transaction(database) as connection:
                yield connection
            recorder.mark(contents(connection))

    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(os, "fsync", heard_fsync)
        patch.setattr(Database, "transaction", marked)
        stack.enter_context(sqlite_io.heard(recorder.hear_sqlite))
        ports.HOOKS.append(recorder.hear_step)
        stack.callback(ports.HOOKS.remove, recorder.hear_step)
        yield recorder
    recorder.check()


Contents = dict[str, list[tuple[Any, ...]]]


def contents(connection: sqlite3.Connection) -> Contents:
    """Every row of every table."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
