"""What a store holds: entries, and the problems of looking."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NewType

from msgspec import Struct

Digest = NewType("Digest", bytes)
"""SHA-256 of the content, 32 bytes."""

Version = NewType("Version", str)
"""A store's own mark of one content under one key (etag, times, load id); opaque, comparable within one store."""

ABSENT: Final = Version("")
"""Expect that nothing is there."""

ANY: Final = Version("*")
"""Expect nothing in particular; only the control files of the program are written so."""


class Kind(IntEnum):
    """What an entry is. Only files are ever sent; the others are named so that they are never mistaken for absence."""

    FILE = 0
    DIRECTORY = 1
    SYMLINK = 2
    SPECIAL = 3


class Entry(Struct, frozen=True, gc=False):
    """One thing a store holds, as its listing shows it.

    `size` in bytes. `version` is what a conditional call expects. `digest` only where the store knows it without
    reading. `path` is the source path when a layout makes the key another one. A `DIRECTORY` is listed only when it is
    empty, under its name with a slash at the end. `outdated`: rows that the same bytes would not become today, as the
    mapping reads them; it is no part of the version, since nobody has touched them.
    """

    key: str
    size: int
    version: Version
    mtime_ns: int = 0
    digest: Digest | None = None
    kind: Kind = Kind.FILE
    executable: bool = False
    path: str | None = None
    outdated: bool = False


class Cover(IntEnum):
    """How much one problem makes unknown."""

    FILE = 0
    TREE = 1
    RANGE = 2


class Problem(Struct, frozen=True, gc=False):
    """Something that could not be read. Unknown is not absent: nothing it covers is created, updated or deleted.

    `FILE` covers `key`; `TREE` covers `key` and everything below it; `RANGE` covers every key after `key` up to and
    including `until` (None: to the end).
    """

    key: str
    reason: str
    cover: Cover = Cover.FILE
    until: str | None = None
    side: str = "source"
    hint: str = ""

    def covers(self, key: str) -> bool:
        """Whether `key` is among what this problem makes unknown."""
        if self.cover is Cover.RANGE:
            return key > self.key and (self.until is None or key <= self.until)
        if key == self.key:
            return True
        return self.cover is Cover.TREE and (not self.key or key.startswith(self.key + "/"))


class Leftover(Struct, frozen=True):
    """What a write of `key` began and did not end: `mark` finds it, `began_ns` is when by the store's clock (Unix)."""

    key: str
    mark: str
    began_ns: int
    size_bytes: int = 0
