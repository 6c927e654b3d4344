"""The file behind a body, for databases that read it by its path while its stream proves it.

A large file is read through the very handle that is proven: only when the rows are in the database is the stream read
to its end, which says that the file held still all the while. What has no handle is spooled into a private file first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
import os
from pathlib import Path
import tempfile
from typing import BinaryIO, Final, cast

from reconcile.core.entry import Digest
from reconcile.core.errors import UnstableError
from reconcile.ports import Body

CHUNK_BYTES: Final = 1 << 20
IN_MEMORY_BYTES: Final = 16 << 20
_HANDLES: Final = Path("/proc/self/fd")


class Content:
    """A body with a path. `finish` is the permission to publish, and tells the digest."""

    def __init__(self, path: str, body: Body, stream: BinaryIO | None, digest: Digest | None) -> None:
        self.path = path
        self._body = body
        self._stream = stream
        self._digest = digest
        self._marks: dict[int, bytes] = {}

    @property
    def is_large(self) -> bool:
        """Whether it is read through the handle of its file, and not finished yet."""
        return self._digest is None

    def finish(self) -> Digest:
        """Reads the stream to its end, if that was not done before. `UnstableError` when the source did not hold."""
        if self._digest is None:
            assert self._stream is not None
            self._digest = _drained(self._stream, self._body, None, self._marks)
        return self._digest

    def begins_with(self, size_bytes: int, digest: Digest) -> bool:
        """Finishes; whether the first bytes are those of this digest, found out in the same pass."""
        self._marks = {size_bytes: b""}
        self.finish()
        return self._marks[size_bytes] == digest


@contextmanager
def content_of(body: Body) -> Iterator[Content]:
    """The body, open."""
    with body.open() as stream:
        handle = _handle(stream)
        if body.data is None and handle is not None:
            yield Content(str(_HANDLES / str(handle)), body, stream, None)
            return
        with _spool(body) as (spool, path):
            digest = _drained(stream, body, spool)
            spool.flush()
            yield Content(path, body, None, digest)


def _handle(stream: BinaryIO) -> int | None:
    """The handle of the file under a stream, where a path leads to handles."""
    with suppress(OSError, AttributeError):
        return stream.fileno() if _HANDLES.is_dir() else None
    return None


@contextmanager
def _spool(body: Body) -> Iterator[tuple[BinaryIO, str]]:
    """A private file, in memory where it is small."""
    if body.size_bytes <= IN_MEMORY_BYTES and hasattr(os, "memfd_create") and _HANDLES.is_dir():
        with os.fdopen(os.memfd_create("reconcile"), "wb") as spool:
            yield spool, str(_HANDLES / str(spool.fileno()))
    else:
        with tempfile.NamedTemporaryFile(prefix="reconcile-") as spool:
            yield cast("BinaryIO", spool), spool.name


def _drained(stream: BinaryIO, body: Body, spool: BinaryIO | None, marks: dict[int, bytes] | None = None) -> Digest:
    """Reads all of it. `marks` gets, for each number of bytes in it, the digest of so many first ones."""
    digest, size_bytes = sha256(), 0
    while chunk := stream.read(CHUNK_BYTES):
        for mark in marks or ():
            if size_bytes < mark <= size_bytes + len(chunk):
                first = digest.copy()
                first.update(chunk[: mark - size_bytes])
                marks[mark] = first.digest()  # type: ignore[index] # it has this very key
        size_bytes += len(chunk)
        digest.update(chunk)
        if spool is not None:
            spool.write(chunk)
    if size_bytes != body.size_bytes:
        raise UnstableError(f"gave {size_bytes} bytes, not {body.size_bytes}", op="read", path=body.origin)
    found = Digest(digest.digest())
    if body.digest is not None and found != body.digest:
        raise UnstableError("is not what was to be sent", op="read", path=body.origin)
    return found
