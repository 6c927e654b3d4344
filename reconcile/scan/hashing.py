"""Reading a file that holds still: its bytes and digest, or the proof that it did not.

A file is opened below its root with no link on the way, looked at, read to its end and looked at again through the same
handle. Only when size, both times and inode are what they were (and what the listing said, when it is asked) do the
bytes count; a file that keeps changing is an `UnstableError`, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import errno
import hashlib
import os
import stat
from typing import Final, TypeVar

from msgspec import Struct

from reconcile.core.entry import Digest, Entry, Version
from reconcile.core.errors import NotFoundError, UnstableError
from reconcile.core.fingerprint import local_version
from reconcile.ports import Hashes
from reconcile.scan.entries import entry_of
from reconcile.scan.links import resolved
from reconcile.scan.system import READ, REAL, Calls, open_beneath, open_root, translated

CHUNK_BYTES: Final = 1 << 20
SMALL_BYTES: Final = 16 << 20
"""Up to here a file is read into memory whole."""

IGNORE_FILE_BYTES: Final = 1 << 20
"""An ignore file larger than this is not one."""

TRIES: Final = 3
"""How often a file that changes under our eyes is read again before we give up."""

Made = TypeVar("Made")


class LocalFile(Struct, frozen=True):
    """One file to be read: `key` below `root`, a path or an open directory.

    `version`: what a listing said of it; any other is unstable. `follow`: links inside the root may be followed (then
    `root` is a path).
    """

    root: str | int
    key: str
    version: Version | None = None
    follow: bool = False
    calls: Calls = REAL

    def open(self) -> tuple[int, os.stat_result]:
        """A handle of the file and its stat; the caller closes it. Raises `UnstableError`, or why it cannot be read."""
        try:
            fd = self._open()
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
                raise self.unstable("is not a regular file") from error
            raise translated(error, "read", self.key) from error
        try:
            return fd, self._checked(self.calls.fstat(fd))
        except BaseException:
            self.calls.close(fd)
            raise

    def _checked(self, seen: os.stat_result) -> os.stat_result:
        if not stat.S_ISREG(seen.st_mode):
            raise self.unstable("is not a regular file")
        if self.version not in (None, version_of(seen)):
            raise self.unstable("changed since it was listed")
        return seen

    def _open(self) -> int:
        key = resolved(self.root, self.key) if self.follow and isinstance(self.root, str) else self.key
        if isinstance(self.root, int):
            return open_beneath(self.calls, self.root, key, READ)
        root = open_root(self.calls, self.root)
        try:
            return open_beneath(self.calls, root, key, READ)
        finally:
            self.calls.close(root)

    def unstable(self, why: str) -> UnstableError:
        """The error that says so of this file."""
        return UnstableError(why, op="read", path=self.key, hint="it is tried again by the next run")


def version_of(seen: os.stat_result) -> Version:
    """The version a listing gives a file seen like this."""
    return local_version(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)


def read_stable(file: LocalFile, *, limit_bytes: int = SMALL_BYTES, md5: bool = False) -> tuple[bytes, Hashes, Entry]:
    """A small file whole: its bytes, their digests, and its entry. Beyond `limit_bytes` it is unstable."""

    def whole(fd: int, seen: os.stat_result) -> tuple[int, bytes]:
        if seen.st_size > limit_bytes:
            raise file.unstable(f"has grown to {seen.st_size} bytes")
        data = b"".join(_chunks(file.calls, fd, seen.st_size))
        return len(data), data

    data, seen = _steadily(file, whole)
    hashes = Hashes(
        Digest(hashlib.sha256(data).digest()),
        hashlib.md5(data, usedforsecurity=False).digest() if md5 else b"",
    )
    return data, hashes, entry_of(file.key, seen, hashes.sha256)


def hash_file(file: LocalFile, *, md5: bool = False) -> tuple[Hashes, Entry]:
    """The digests of a file of any size, in one pass and constant memory, and its entry. Raises `UnstableError`."""

    def digests(fd: int, seen: os.stat_result) -> tuple[int, Hashes]:
        total, sha256 = 0, hashlib.sha256()
        weak = hashlib.md5(usedforsecurity=False) if md5 else None
        for chunk in _chunks(file.calls, fd, seen.st_size):
            total += len(chunk)
            sha256.update(chunk)
            if weak is not None:
                weak.update(chunk)
        return total, Hashes(Digest(sha256.digest()), weak.digest() if weak is not None else b"")

    hashes, seen = _steadily(file, digests)
    return hashes, entry_of(file.key, seen, hashes.sha256)


def read_ignore_file(calls: Calls, directory: int, name: str) -> bytes:
    """The text of the ignore file `name` of an open directory, empty when there is none. Raises as `read_stable`."""
    try:
        return read_stable(LocalFile(directory, name, calls=calls), limit_bytes=IGNORE_FILE_BYTES)[0]
    except NotFoundError:
        return b""


def _steadily(file: LocalFile, work: Callable[[int, os.stat_result], tuple[int, Made]]) -> tuple[Made, os.stat_result]:
    """What `work` makes of the file, done while the file held still; `work` also tells how many bytes it met."""
    for _ in range(TRIES):
        fd, before = file.open()
        try:
            total, made = work(fd, before)
            after = file.calls.fstat(fd)
        except OSError as error:
            raise translated(error, "read", file.key) from error
        finally:
            file.calls.close(fd)
        if total == before.st_size and version_of(before) == version_of(after):
            return made, after
    raise file.unstable("keeps changing while it is read")


def _chunks(calls: Calls, fd: int, size_bytes: int) -> Iterator[bytes]:
    """The content, and at most one byte more than it should have: enough to see that it grew.

    A read that was asked for more than it gave, when all is there, has seen the end: a small file takes one read.
    """
    left = size_bytes + 1
    while left > 0:
        asked = min(left, CHUNK_BYTES)
        chunk = calls.read(fd, asked)
        if not chunk:
            return
        yield chunk
        left -= len(chunk)
        if left == 1 and len(chunk) < asked:
            return
