"""What the services keep: trees of files whose bytes lie in memory while small and on disk beyond that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import count
import os
from pathlib import Path
from tempfile import mkstemp
import threading
import time
from typing import Any
from weakref import finalize

Parts = tuple[str, ...]
Clock = Callable[[], float]


def wall_clock() -> float:
    """Now, but never a whole second: once in a thousand times that would look like a storage that keeps no others."""
    now_s = time.time()
    return now_s if int(now_s * 1000) % 1000 else now_s + 0.001


MEMORY_BYTES = 1 << 20
"""Contents beyond this size lie in a temporary file."""

CHUNK_BYTES = 1 << 20


class FileInTheWayError(Exception):
    """A part of a path that has to be a directory is a file, or the path itself is."""

    def __init__(self, parts: Parts) -> None:
        super().__init__("/" + "/".join(parts))
        self.parts = parts


class Content:
    """Bytes that may be appended to. `keep_bytes`: beyond it only size and SHA-256 are kept, and reading gives zeros.

    Appending is for one thread at a time; reading may go on beside it.
    """

    def __init__(self, data: bytes = b"", *, keep_bytes: int | None = None) -> None:
        self.size = len(data)
        self._keep_bytes = keep_bytes
        self._memory = bytes(data)
        self._pieces: list[bytes] = []
        self._file: int | None = None
        self._digest: Any = None

    def append(self, data: bytes) -> None:
        """Adds to the end."""
        if self._digest is not None:
            self._digest.update(data)
        elif self._keep_bytes is not None and self.size + len(data) > self._keep_bytes:
            self._forget(data)
        elif self._file is None and self.size + len(data) <= MEMORY_BYTES:
            self._pieces.append(bytes(data))
        else:
            self._spill()
            os.pwrite(self._file, data, self.size)
        self.size += len(data)

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes from there on, fewer at the end."""
        end = self.size if length is None else min(offset + length, self.size)
        if end <= offset:
            return b""
        if self._digest is not None:
            return bytes(end - offset)
        if self._file is not None:
            return os.pread(self._file, end - offset, offset)
        return self._together()[offset:end]

    def chunks(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The same, piece by piece."""
        end = self.size if length is None else min(offset + length, self.size)
        for at in range(offset, end, CHUNK_BYTES):
            yield self.read(at, min(CHUNK_BYTES, end - at))

    @property
    def sha256(self) -> str:
        """The digest of it all, in hexadecimal."""
        if self._digest is not None:
            return str(self._digest.hexdigest())
        digest = sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()

    @property
    def forgotten(self) -> bool:
        """Whether only size and digest are left."""
        return self._digest is not None

    def _together(self) -> bytes:
        pieces = len(self._pieces)
        if pieces:
            self._memory += b"".join(self._pieces[:pieces])
            del self._pieces[:pieces]
        return self._memory

    def _spill(self) -> None:
        if self._file is None:
            self._file, name = mkstemp()
            Path(name).unlink()
            finalize(self, os.close, self._file)
            os.pwrite(self._file, self._together(), 0)
            self._memory = b""

    def _forget(self, data: bytes) -> None:
        digest = sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        digest.update(data)
        self._digest, self._file, self._memory, self._pieces = digest, None, b"", []


class Joined:
    """Several contents, one after the other, as one: what a multipart upload leaves."""

    def __init__(self, parts: Iterable[Content]) -> None:
        self._parts = list(parts)
        self.size = sum(part.size for part in self._parts)

    def chunks(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """As `Content.chunks`."""
        end = self.size if length is None else min(offset + length, self.size)
        start = 0
        for part in self._parts:
            first, last = max(offset - start, 0), min(end - start, part.size)
            if first < last:
                yield from part.chunks(first, last - first)
            start += part.size

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """As `Content.read`."""
        return b"".join(self.chunks(offset, length))

    @property
    def sha256(self) -> str:
        """As `Content.sha256`, but of the digests of the parts if those have forgotten their bytes."""
        digest = sha256()
        if any(part.forgotten for part in self._parts):
            digest.update("".join(part.sha256 for part in self._parts).encode())
            return digest.hexdigest()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()


@dataclass(slots=True)
class File:
    """One file. `modified_ms` since the epoch; `kind` and `language` matter to the workspace only."""

    content: Content | Joined
    modified_ms: int
    created_ms: int
    number: int
    language: str | None = None


@dataclass(slots=True)
class Directory:
    """One directory. `implicit`: nobody asked for it, a file below it did."""

    modified_ms: int
    number: int
    implicit: bool = False
    children: dict[str, File | Directory] = field(default_factory=dict)


Node = File | Directory


class Tree:
    """Directories and files below one root. Every public method is one step that nobody sees the middle of."""

    def __init__(self, clock: Clock = wall_clock) -> None:
        self.lock = threading.RLock()
        self._clock = clock
        self._numbers = count(1)
        self.root = self._directory(implicit=False)

    def now_ms(self) -> int:
        """The time that a change made now would carry."""
        return int(self._clock() * 1000)

    def find(self, parts: Parts) -> Node | None:
        """What is at this path, if anything is."""
        with self.lock:
            node: Node | None = self.root
            for name in parts:
                if not isinstance(node, Directory):
                    return None
                node = node.children.get(name)
            return node

    def children(self, parts: Parts) -> list[tuple[str, Node]] | None:
        """The names in a directory and what they are, or None if there is no such directory."""
        with self.lock:
            node = self.find(parts)
            return list(node.children.items()) if isinstance(node, Directory) else None

    def mkdirs(self, parts: Parts, *, implicit: bool = False) -> Directory:
        """Makes a directory and those above it. Raises FileInTheWayError."""
        with self.lock:
            node = self.root
            for depth, name in enumerate(parts, 1):
                child = node.children.get(name)
                if child is None:
                    child = node.children[name] = self._directory(implicit=implicit)
                    node.modified_ms = self.now_ms()
                if not isinstance(child, Directory):
                    raise FileInTheWayError(parts[:depth])
                node = child
            if not implicit:
                node.implicit = False
            return node

    def put(self, parts: Parts, content: Content | Joined, *, language: str | None = None) -> File:
        """Puts a file there, in place of one that is there. Raises FileInTheWayError; a directory must not be there."""
        with self.lock:
            parent = self.mkdirs(parts[:-1], implicit=True)
            before = parent.children.get(parts[-1])
            now = self.now_ms()
            created, number = (
                (before.created_ms, before.number) if isinstance(before, File) else (now, next(self._numbers))
            )
            file = parent.children[parts[-1]] = File(content, now, created, number, language)
            return file

    def remove(self, parts: Parts, *, prune: bool = False) -> None:
        """Takes away what is there, all of it. `prune`: also directories that were only implied and are empty now."""
        with self.lock:
            parent = self.find(parts[:-1])
            if not isinstance(parent, Directory) or parts[-1] not in parent.children:
                return
            del parent.children[parts[-1]]
            if prune and parent.implicit and not parent.children and len(parts) > 1:
                self.remove(parts[:-1], prune=True)

    def move(self, source: Parts, target: Parts) -> None:
        """Puts what is at one path to another that must be free, times and all."""
        with self.lock:
            node = self.find(source)
            parent = self.mkdirs(target[:-1], implicit=True)
            assert node is not None
            assert target[-1] not in parent.children
            self.remove(source)
            parent.children[target[-1]] = node

    def kept(self) -> Directory:
        """A copy of all that is there now; contents are shared, as nobody changes one."""
        with self.lock:
            return _copied(self.root)

    def restore(self, kept: Directory) -> None:
        """Everything as it was then."""
        with self.lock:
            self.root = _copied(kept)

    def walk(self, below: Parts = ()) -> Iterator[tuple[Parts, Node]]:
        """Everything below, directories before what they hold, in the order of names."""
        for name, node in sorted(self.children(below) or ()):
            yield (*below, name), node
            if isinstance(node, Directory):
                yield from self.walk((*below, name))

    def _directory(self, *, implicit: bool) -> Directory:
        return Directory(self.now_ms(), next(self._numbers), implicit)


def _copied(directory: Directory) -> Directory:
    children = {
        name: _copied(node) if isinstance(node, Directory) else replace(node)
        for name, node in directory.children.items()
    }
    return replace(directory, children=children)
