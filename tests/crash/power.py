"""A loss of power: every state of the disk that a file system without a journal may show afterwards.

What was synced stands. Of everything else each operation may have reached the disk or not, in any order: data by
sectors, so that a write may be torn; names one by one, though a rename is one step; times and permissions by
themselves. A name can only be changed from what it was. What was dropped at the end of a file may leave zeros.
"""

from __future__ import annotations

from dataclasses import dataclass, field
import os
from pathlib import Path
import random
import shutil
import stat

from msgspec.structs import replace

from reconcile.core.entry import Entry, Problem, Version
from reconcile.core.fingerprint import local_version
from reconcile.ports import Body, Hashes, Store
from reconcile.stores.wrapper import Wrapper
from tests.crash.writelog import Log, Names, Node, Operation, Stamped, Sync, Truncate, Write, overwritten

SECTOR_BYTES = 512
NEVER = 1 << 60
CHANCES = (0.0, 0.0, 0.2, 0.5, 0.8, 1.0, 1.0)
"""How much of what was not synced reaches the disk: often nothing, often all, in between anything."""


def synced_at(log: Log) -> list[int]:
    """For each operation the place of the sync that made it last; `NEVER` where none did."""
    next_sync: dict[int, int] = {}
    places = [NEVER] * len(log.operations)
    for at in range(len(log.operations) - 1, -1, -1):
        one = log.operations[at]
        if isinstance(one, Sync):
            next_sync[one.node] = at
        else:
            places[at] = min((next_sync.get(node, NEVER) for node in touched(one)), default=NEVER)
    return places


def touched(one: Operation) -> set[int]:
    """The files or directories whose sync makes the operation last."""
    if isinstance(one, Names):
        return {directory for directory, _, _, _ in one.changes}
    return {one.node} if isinstance(one, Write | Truncate | Stamped) else set()


@dataclass
class Image:
    """A disk after the power came back."""

    nodes: dict[int, Node] = field(default_factory=dict)

    def directory(self, number: int) -> dict[str, int]:
        """The names in a directory."""
        names = self.nodes[number].names
        assert names is not None
        return names


class Loss:
    """The power fails before operation `at` of a log; `chance` decides what had reached the disk."""

    def __init__(self, log: Log, places: list[int], at: int, chance: random.Random) -> None:
        self._chance = chance
        self._names, self._data, self._stamps = (chance.choice(CHANCES) for _ in range(3))
        self.image = Image({number: copied(node) for number, node in log.base.items()})
        self.pending = 0
        for one, place in zip(log.operations[:at], places, strict=False):
            self._take(one, lasts=place < at)

    def _take(self, one: Operation, *, lasts: bool) -> None:
        if isinstance(one, Stamped):
            self._stamp(one, lasts=lasts)
        elif isinstance(one, Names):
            self._rename(one, lasts=lasts)
        elif isinstance(one, Truncate):
            node = self.image.nodes[one.node]
            if lasts or self._arrives(self._data):
                node.data = node.data[: one.size].ljust(one.size, b"\0")
        elif isinstance(one, Write):
            self._write(one, lasts=lasts)

    def _arrives(self, chance: float) -> bool:
        self.pending += 1
        return self._chance.random() < chance

    def _stamp(self, one: Stamped, *, lasts: bool) -> None:
        node = self.image.nodes.get(one.node)
        if node is None:  # a new one: its first stamp is all there can be
            names = {} if stat.S_ISDIR(one.stamp.mode) else None
            self.image.nodes[one.node] = Node(one.stamp, names=names)
        elif lasts or self._arrives(self._stamps):
            node.stamp = one.stamp

    def _rename(self, one: Names, *, lasts: bool) -> None:
        if not lasts:
            if not self._arrives(self._names):
                return
            if any(self.image.directory(within).get(name) != old for within, name, old, _ in one.changes):
                return  # what it changed is not on the disk either
        for within, name, _, new in one.changes:
            if new is None:
                self.image.directory(within).pop(name, None)
            else:
                self.image.directory(within)[name] = new

    def _write(self, one: Write, *, lasts: bool) -> None:
        node = self.image.nodes[one.node]
        if lasts or self._arrives(self._data):
            node.data = overwritten(node.data, one.offset, one.data)
        elif self._chance.random() < self._data:  # torn
            self._tear(node, one)
        elif self._chance.random() < self._stamps:  # the new size came first, and the data never
            node.data = node.data.ljust(one.offset + len(one.data), b"\0")

    def _tear(self, node: Node, one: Write) -> None:
        """Some of the sectors, each whole."""
        end = one.offset + len(one.data)
        start = one.offset
        while start < end:
            until = min(end, (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
            if self._chance.random() < 0.5:
                node.data = overwritten(node.data, start, one.data[start - one.offset : until - one.offset])
            start = until


def all_of(log: Log, at: int) -> Image:
    """The disk before operation `at`, if nothing is lost: as a process leaves it that dies there."""
    return Loss(log, [-1] * len(log.operations), at, random.Random()).image


def copied(node: Node) -> Node:
    return Node(node.stamp, node.data, None if node.names is None else dict(node.names))


def put_on_disk(image: Image, root: Path, besides: str) -> dict[Version, Version]:
    """Makes the tree below `root` (but for `besides`) that image; the versions its files have now, and had then.

    Nobody can set a change time or an inode's number: who looks at the tree must see it through `Restored`.
    """
    for name in os.listdir(root):
        if name != besides:
            shutil.rmtree(root / name) if (root / name).is_dir() else (root / name).unlink()
    first: dict[int, Path] = {}
    _make(image, 0, root, first)
    found: dict[Version, Version] = {}
    for number, path in first.items():
        node, now = image.nodes[number], path.stat()
        then = local_version(len(node.data), node.stamp.mtime_ns, node.stamp.ctime_ns, node.stamp.inode)
        found[local_version(now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)] = then
    return found


def _make(image: Image, directory: int, at: Path, first: dict[int, Path]) -> None:
    for name, number in image.directory(directory).items():
        node, path = image.nodes[number], at / name
        if node.names is not None:
            path.mkdir(mode=stat.S_IMODE(node.stamp.mode))
            _make(image, number, path, first)
        elif number in first:
            os.link(first[number], path)
        else:
            path.write_bytes(node.data)
            path.chmod(stat.S_IMODE(node.stamp.mode))
            os.utime(path, ns=(node.stamp.mtime_ns, node.stamp.mtime_ns))
            first[number] = path


class Restored(Wrapper):
    """A local target put back from an image: its files have the versions they had then."""

    def __init__(self, inner: Store, then: dict[Version, Version]) -> None:
        super().__init__(inner)
        self._then = then
        self._now = {then: now for now, then in then.items()}

    def discard(self, key: str, token: str) -> None:
        """As the target does."""
        if hasattr(self.inner, "discard"):
            self.inner.discard(key, token)

    def list(self, under="", *, after=None, until=None):  # type: ignore[no-untyped-def]
        for item in self.inner.list(under, after=after, until=until):
            yield item if isinstance(item, Problem) else self._as_then(item)

    def stat(self, key: str) -> Entry | None:
        found = self.inner.stat(key)
        return self._as_then(found) if found is not None else None

    def read(self, key, *, version=None, span=None):  # type: ignore[no-untyped-def]
        return self.inner.read(key, version=self._as_now(version), span=span)

    def write(self, key: str, body: Body, *, expect: Version) -> Entry:
        return self.inner.write(key, body, expect=self._as_now(expect))

    def copy(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        return self._as_then(self.inner.copy(self._entry_now(entry), key, expect=self._as_now(expect)))

    def move(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        return self._as_then(self.inner.move(self._entry_now(entry), key, expect=self._as_now(expect)))

    def delete(self, items):  # type: ignore[no-untyped-def]
        return self.inner.delete([(key, self._as_now(expect)) for key, expect in items])

    def prove(self, entry: Entry, hashes: Hashes) -> bool | None:
        return self.inner.prove(self._entry_now(entry), hashes)

    def _as_then(self, entry: Entry) -> Entry:
        return replace(entry, version=self._then.get(entry.version, entry.version))

    def _entry_now(self, entry: Entry) -> Entry:
        return replace(entry, version=self._as_now(entry.version))

    def _as_now(self, version):  # type: ignore[no-untyped-def]
        return self._now.get(version, version)
