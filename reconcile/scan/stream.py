"""A large file on its way out: hashed as it is read, and proven before its end is handed over."""

from __future__ import annotations

from collections.abc import Callable
import hashlib
import io
from typing import BinaryIO, cast

from reconcile.core.entry import Digest
from reconcile.scan.hashing import LocalFile, version_of
from reconcile.scan.system import translated


class StableStream(io.RawIOBase):
    """A file of any size as a stream that hands out its last bytes only when all of it is proven.

    The proof: the file ends where it should, its stat is what it was at the start, and the digest of what was read is
    the pinned one, if there is one. Then `on_sealed(digest)` is called, and only when that returns do the last bytes
    go out; so a receiver that publishes when it has them all never has them too early. Else that read raises
    `UnstableError`, or what `on_sealed` raised. Reads are never short before the end.
    """

    def __init__(
        self,
        file: LocalFile,
        *,
        digest: Digest | None = None,
        on_sealed: Callable[[Digest], None] | None = None,
    ) -> None:
        super().__init__()
        self._fd = -1
        self._file = file
        self._pinned = digest
        self._on_sealed = on_sealed
        self._sha256 = hashlib.sha256()
        self._sealed = False
        self._fd, self._seen = file.open()
        self._left = self._seen.st_size

    def readable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The handle that is read, for who reads the very same file in another way; open until the stream is closed."""
        return self._fd

    def read(self, size: int | None = -1, /) -> bytes:
        """Exactly `size` bytes, or all that is left."""
        if self.closed:
            raise ValueError("I/O operation on closed file")
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        parts = []
        while wanted > 0:
            part = self._read_some(wanted)
            parts.append(part)
            wanted -= len(part)
        if not self._left and not self._sealed and size != 0:
            self._seal()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fills a buffer, as `read` does."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """All that is left, in memory."""
        return self.read()

    def close(self) -> None:
        """Gives back the handle; idempotent."""
        fd, self._fd = self._fd, -1
        if fd != -1:
            self._file.calls.close(fd)
        super().close()

    def _read_some(self, wanted: int) -> bytes:
        try:
            part = self._file.calls.read(self._fd, wanted)
        except OSError as error:
            raise translated(error, "read", self._file.key) from error
        if not part:
            raise self._file.unstable("was cut short while it was read")
        self._sha256.update(part)
        self._left -= len(part)
        return part

    def _seal(self) -> None:
        file = self._file
        try:
            grown, seen = file.calls.read(self._fd, 1), file.calls.fstat(self._fd)
        except OSError as error:
            raise translated(error, "read", file.key) from error
        if grown or version_of(seen) != version_of(self._seen):
            raise file.unstable("changed while it was read")
        digest = Digest(self._sha256.digest())
        if self._pinned is not None and digest != self._pinned:
            raise file.unstable("is not what the plan saw")
        if self._on_sealed is not None:
            self._on_sealed(digest)
        self._sealed = True


def open_stable(
    file: LocalFile, *, digest: Digest | None = None, on_sealed: Callable[[Digest], None] | None = None
) -> BinaryIO:
    """A `StableStream` as what `Body.open` returns."""
    return cast("BinaryIO", StableStream(file, digest=digest, on_sealed=on_sealed))
