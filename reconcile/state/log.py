"""A shared state in a store: a series of numbered deeds, each created if absent and never overwritten.

The creation is the compare-and-swap and the number the fencing token: who wants to commit number *n* has seen all that
came before, and of two that try only one succeeds. ::

    log/000000000042      one deed; a copy of the state that has done all up to 42 is at commit 42
    state/000000000064    the whole state at commit 64, so that a fresh machine need not begin at 1
    beat                  the newest sign of life of the lease's holder; the only object that is overwritten
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from operator import itemgetter
from secrets import token_hex
from typing import Final
import zlib

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from reconcile.abilities import Marked
from reconcile.core.entry import ABSENT, ANY, Digest, Problem, Version
from reconcile.core.entry import Entry as Listed
from reconcile.core.errors import (
    ChangedError,
    CorruptStateError,
    FencedError,
    NewerStateError,
    NotFoundError,
    StateError,
    StoreError,
)
from reconcile.ports import Body, Holder, Store, io_step
from reconcile.state.deeds import Deed, Pruned, strange_name

FORMAT: Final = 2
_SINCE: Final[Mapping[type, int]] = {Pruned: 2}
"""Deeds that older formats do not know; all others are written in the first, which every version reads."""

OWN: Final = ("beat", "log", "state")
"""What lies in the directory of a shared state."""

_SAFE: Final = ("create", "match")


class Entry(Struct, frozen=True):
    """One deed of a family, as it is kept; `token` tells our own entry from another's after a lost reply."""

    format: int
    lineage: str
    token: str
    deed: Deed


class Beat(Struct, frozen=True):
    """A sign of life of the holder of `fence`."""

    fence: int
    beats: int
    holder: Holder


class _Format(Struct, frozen=True):
    format: int


class Log:
    """The deeds, snapshots and beats of one shared state."""

    def __init__(self, store: Store, *, write: bool) -> None:
        self.store = store
        self._write = write
        if write and store.traits.write not in _SAFE:
            told = "it cannot hold a shared state: it creates nothing on the condition that nothing is there"
            raise StateError(told, op="state", path=store.url)

    def numbers(self, after: int) -> list[int]:
        """The commits after number `after`, in order."""
        return self._numbers("log", after)

    def snapshots(self) -> list[int]:
        """The commits of which the whole state is kept, newest first."""
        return self._numbers("state", 0)[::-1]

    def entry(self, number: int) -> Entry:
        """The deed of one commit."""
        content = self.read(f"log/{number:012}")
        try:
            if msgspec.msgpack.decode(content, type=_Format).format > FORMAT:
                raise NewerStateError("a newer version of reconcile wrote it", op="state", path=self.store.url)
            entry = msgspec.msgpack.decode(content, type=Entry)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise self._damaged(f"log/{number:012}", str(error)) from error
        if (name := strange_name(entry.deed)) is not None:
            raise self._damaged(f"log/{number:012}", f"it names {name!r}, which no path is called")
        return entry

    def append(self, number: int, lineage: str, deed: Deed) -> None:
        """Makes `deed` the commit `number`; `FencedError` when another took it."""
        self._require_write()
        content = msgspec.msgpack.encode(Entry(_SINCE.get(type(deed), 1), lineage, token_hex(16), deed))
        self._create(f"log/{number:012}", content)

    def add_snapshot(self, number: int, content: bytes) -> None:
        """Keeps the whole state at a commit."""
        self._require_write()
        self._create(f"state/{number:012}", content)

    @io_step("log.beat")
    def beat(self, beat: Beat) -> None:
        """Says that the holder lives."""
        self._require_write()
        try:
            self.store.write("beat", _body(msgspec.json.encode(beat)), expect=ANY)
        except StoreError as error:
            raise self._failed(error) from error

    def last_beat(self) -> Beat | None:
        """The newest sign of life, None when there is none that can be read."""
        try:
            return msgspec.json.decode(b"".join(self.store.read("beat")), type=Beat)
        except (StoreError, ValueError):
            return None

    def read(self, key: str) -> bytes:
        """The content of one object."""
        try:
            return zlib.decompress(b"".join(self.store.read(key)))
        except StoreError as error:
            raise self._failed(error) from error
        except zlib.error as error:
            raise self._damaged(key, str(error)) from error

    @io_step("log.create")
    def _create(self, key: str, content: bytes) -> None:
        """Creates an object; that it is there with our content is success, whatever the reply was."""
        body = replace(_body(packed := zlib.compress(content)), token=token_hex(16))
        try:
            self.store.write(key, body, expect=ABSENT)
        except StoreError as error:
            if self._holds(key, packed) or self._mended(key, body):
                return
            if isinstance(error, ChangedError):
                raise FencedError(f"another wrote {key} first", op="state", path=self.store.url) from error
            raise self._failed(error) from error

    def _holds(self, key: str, packed: bytes) -> bool:
        try:
            return b"".join(self.store.read(key)) == packed
        except StoreError:
            return False

    def _mended(self, key: str, body: Body) -> bool:
        """Sends again what is ours and was kept wrong: it would stop everybody, and only its maker can mend it."""
        try:
            found = self.store.token(key) if isinstance(self.store, Marked) else None
            if found is None or found[1] != body.token:
                return False
            self.store.write(key, body, expect=found[0])
        except StoreError:
            return False
        return True

    def objects(self, under: str, after: int = 0) -> list[tuple[int, Listed]]:
        """What lies under `log` or `state` as (commit, entry), oldest first."""
        last = f"{under}/{after:012}" if self.store.traits.order == "bytes" and after else None
        try:
            found = list(self.store.list(under, after=last))
        except NotFoundError:
            return []
        except StoreError as error:
            raise self._failed(error) from error
        numbered = []
        for item in found:
            if isinstance(item, Problem):
                raise StateError(f"{item.key}: {item.reason}", op="state", path=self.store.url)
            name = item.key.rpartition("/")[2]
            if name.isdecimal() and int(name) > after:
                numbered.append((int(name), item))
        return sorted(numbered, key=itemgetter(0))

    @io_step("log.remove")
    def remove(self, key: str, version: Version) -> None:
        """Takes away one object that is needed no more."""
        self._require_write()
        for error in self.store.delete([(key, version)]):
            if error is not None:
                raise StateError(f"{key} cannot be removed: {error}", op="state", path=self.store.url) from error

    def _numbers(self, under: str, after: int) -> list[int]:
        return [number for number, _ in self.objects(under, after)]

    def _require_write(self) -> None:
        if not self._write:
            raise StateError("it was opened for reading only", op="state", path=self.store.url)

    def _damaged(self, key: str, why: str) -> CorruptStateError:
        hint = f"bring {key} back from an older version or a copy; or move the whole away, and run reconcile adopt"
        return CorruptStateError(f"{key} is damaged: {why}", op="state", path=self.store.url, hint=hint)

    def _failed(self, error: StoreError) -> StateError:
        told = f"the shared state cannot be reached: {error}"
        return StateError(told, op="state", path=self.store.url, hint=error.hint)


def _body(content: bytes) -> Body:
    digest = Digest(sha256(content).digest())
    return Body(size_bytes=len(content), open=lambda: BytesIO(content), data=content, digest=digest)
