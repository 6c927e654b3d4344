"""A store in memory: the reference of the port, the fake of the tests, and `memory://name` for dry trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import count
from threading import RLock
import time
from typing import Final, Self

from msgspec import Struct
from msgspec.structs import replace

from reconcile.core.entry import ABSENT, ANY, Entry, Problem, Version
from reconcile.core.errors import ChangedError, NotFoundError, RefusedError, UnstableError, UsageError
from reconcile.core.path import has_control, is_utf8
from reconcile.ports import Body, Hashes, Traits, io_step
from reconcile.stores.options import StoreOptions

CHUNK_BYTES: Final = 1 << 20

TRAITS: Final = Traits(
    order="bytes",
    write="match",
    delete="match",
    copy="match",
    move="match",
    move_atomic=True,
    returns_version=True,
    proves=True,
    keeps="copy",
    executable=True,
)


class _Item(Struct, frozen=True):
    """One object: its bytes, and what is kept with them."""

    data: bytes
    executable: bool
    token: str
    version: Version = ABSENT
    mtime_ns: int = 0

    def entry(self, key: str) -> Entry:
        """The item as a listing shows it."""
        return Entry(key, len(self.data), self.version, self.mtime_ns, executable=self.executable)


class _Shelf:
    """What all stores of one name share; `lock` is held around every look and every change."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.items: dict[str, _Item] = {}
        self.versions = count(1)


_shelves: dict[str, _Shelf] = {}
_shelves_lock = RLock()


def _shelf(name: str) -> _Shelf:
    with _shelves_lock:
        return _shelves.setdefault(name, _Shelf())


class MemoryStore:
    """Bytes in a dict. Stores of one name see the same objects; one without a name is alone.

    Like an object store it takes any text as a key, also one that no directory could hold. `now_ns` tells Unix time.
    """

    def __init__(self, name: str = "", *, now_ns: Callable[[], int] = time.time_ns) -> None:
        container, _, prefix = name.partition("/")
        self.url = f"memory://{name}"
        self.traits = TRAITS
        self._shelf = _shelf(container) if container else _Shelf()
        self._prefix = f"{prefix.rstrip('/')}/" if prefix else ""
        self._now_ns = now_ns

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        """The store at `memory://name` or `memory://name/prefix`."""
        name = url.removeprefix("memory://").rstrip("/")
        if not name or options.extra:
            raise UsageError("is written memory://name, without options", op="open", path=url)
        return cls(name)

    def list(self, under: str = "", *, after: str | None = None, until: str | None = None) -> Iterator[Entry | Problem]:
        """A snapshot, in byte order."""
        directory = f"{self._prefix}{under}/" if under else self._prefix
        with self._shelf.lock:
            names = sorted(
                name
                for name in self._shelf.items
                if name.startswith(directory) and not has_control(name[len(directory) :])
            )
            entries = [self._shelf.items[name].entry(name[len(self._prefix) :]) for name in names]
        for entry in entries:
            if (after is None or entry.key > after) and (until is None or entry.key <= until):
                yield entry

    def stat(self, key: str) -> Entry | None:
        """The entry under `key`."""
        with self._shelf.lock:
            item = self._shelf.items.get(self._prefix + key)
            return item.entry(key) if item else None

    def token(self, key: str) -> tuple[Version, str] | None:
        """The version under `key` and the token it was written with."""
        with self._shelf.lock:
            item = self._shelf.items.get(self._prefix + key)
            return (item.version, item.token) if item else None

    def read(self, key: str, *, version: Version | None = None, span: tuple[int, int] | None = None) -> Iterator[bytes]:
        """The content of one moment."""
        data = self._item(key, "read", version).data
        start, end = span or (0, len(data))
        for at in range(start, min(end, len(data)), CHUNK_BYTES):
            yield data[at : min(at + CHUNK_BYTES, end)]

    def write(self, key: str, body: Body, *, expect: Version) -> Entry:
        """Reads the body whole, then publishes it in one step."""
        if not key or "\0" in key or not is_utf8(key):
            raise RefusedError("no object can have this name", op="write", path=key)
        with body.open() as stream:
            data = stream.read()
        if len(data) != body.size_bytes:
            raise UnstableError(f"gave {len(data)} bytes, not {body.size_bytes}", op="write", path=key)
        return self._write(key, _Item(data, body.executable, body.token), expect)

    @io_step("memory.copy")
    def copy(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """Copies bytes and metadata in one step."""
        return self._copy(entry, key, expect)

    @io_step("memory.move")
    def move(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """Renames in one step."""
        with self._shelf.lock:
            moved = self._copy(entry, key, expect)
            if key != entry.key:
                del self._shelf.items[self._prefix + entry.key]
            return moved

    def delete(self, items: Sequence[tuple[str, Version]]) -> Sequence[Exception | None]:
        """Deletes each in turn."""
        return [self._delete(key, expect) for key, expect in items]

    def prove(self, entry: Entry, hashes: Hashes) -> bool | None:
        """Always proven: the bytes are at hand."""
        return sha256(self._item(entry.key, "prove", entry.version).data).digest() == hashes.sha256

    def ensure(self, *, dry: bool = False) -> Sequence[str]:  # noqa: ARG002 - the port's signature; a dict is never missing
        """Nothing to make."""
        return []

    def close(self) -> None:
        """Nothing to give back; the objects stay."""

    @io_step("memory.write")
    def _write(self, key: str, item: _Item, expect: Version) -> Entry:
        with self._shelf.lock:
            self._check(key, "write", expect)
            return self._put(key, item)

    def _copy(self, entry: Entry, key: str, expect: Version) -> Entry:
        with self._shelf.lock:
            item = self._item(entry.key, "copy", entry.version)
            self._check(key, "copy", expect)
            return self._put(key, item)

    def _item(self, key: str, op: str, version: Version | None) -> _Item:
        with self._shelf.lock:
            item = self._shelf.items.get(self._prefix + key)
        if item is None:
            raise NotFoundError("does not exist", op=op, path=key)
        if version not in (None, ANY, item.version):
            raise ChangedError(f"is at version {item.version}, not {version}", op=op, path=key)
        return item

    def _check(self, key: str, op: str, expect: Version) -> None:
        item = self._shelf.items.get(self._prefix + key)
        found = item.version if item else ABSENT
        if expect not in (ANY, found):
            raise ChangedError("is not what was expected there", op=op, path=key)

    def _put(self, key: str, item: _Item) -> Entry:
        version = Version(str(next(self._shelf.versions)))
        put = self._shelf.items[self._prefix + key] = replace(item, version=version, mtime_ns=self._now_ns())
        return put.entry(key)

    @io_step("memory.delete")
    def _delete(self, key: str, expect: Version) -> Exception | None:
        with self._shelf.lock:
            if self._prefix + key not in self._shelf.items:
                return None
            try:
                self._check(key, "delete", expect)
            except ChangedError as error:
                return error
            del self._shelf.items[self._prefix + key]
            return None
