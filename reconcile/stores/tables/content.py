"""The file behind a body, for databases that read it by its path while its stream proves it.

A large file is read through the very handle that is proven: its bytes are hashed while its rows are loaded, but only
when the rows are in the database is the stream read to its end, which says that the file held still all the while. What
has no handle is spooled into a private file first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
import os
from pathlib import Path
import tempfile
from threading import Thread
from typing import BinaryIO, Final, cast

from reconcile.core.entry import Digest
from reconcile.core.errors import UnstableError
from reconcile.ports import Body

CHUNK_BYTES: Final = 1 << 20
IN_MEMORY_BYTES: Final = 16 << 20
_HANDLES: Final = Path("/proc/self/fd")


class Content:
    """A body with a path. `finish` is the permission to publish, and tells the digest."""

    def __init__(self, path: str, drain: Drain, digest: Digest | None) -> None:
        self.path = path
        self._drain = drain
        self._digest = digest
        self._ahead: Thread | None = None

    @property
    def is_large(self) -> bool:
        """Whether it is read through the handle of its file, and not finished yet."""
        return self._digest is None

    def begin(self, *, mark_bytes: int = 0) -> None:
        """Reads the stream beside whoever reads the file by its path; `mark_bytes` are for `begins_with`."""
        self._drain.mark_bytes = mark_bytes
        if self._digest is None and self._ahead is None:
            self._ahead = Thread(target=self._drain.ahead, daemon=True)
            self._ahead.start()

    def finish(self) -> Digest:
        """Reads the stream to its end, if that was not done before. `UnstableError` when the source did not hold."""
        if self._digest is None:
            self._join()
            self._digest = self._drain.finish()
        return self._digest

    def begins_with(self, digest: Digest) -> bool:
        """Finishes; whether the first `mark_bytes` are those of this digest, found out in the same pass."""
        self.finish()
        return self._drain.marked == digest

    def close(self) -> None:
        """Nobody reads the stream any more."""
        self._drain.stopped = True
        self._join()

    def _join(self) -> None:
        if self._ahead is not None:
            self._ahead.join()


class Drain:
    """Reads a stream to its end, once: its digest, and on the way that of its first `mark_bytes` in `marked`.

    The last bytes of a stream are its word that the source held still: `ahead` leaves them to `finish`.
    """

    def __init__(self, stream: BinaryIO, body: Body, spool: BinaryIO | None = None) -> None:
        self.mark_bytes = 0
        self.marked = b""
        self.stopped = False
        self._stream = stream
        self._body = body
        self._spool = spool
        self._sha256 = sha256()
        self._read_bytes = 0
        self._error: BaseException | None = None

    def ahead(self) -> None:
        """All that can be read before the end; what goes wrong is told by `finish`."""
        try:
            while not self.stopped and self._read_bytes + CHUNK_BYTES < self._body.size_bytes and self._take():
                pass
        except BaseException as error:  # noqa: BLE001 - raised again where somebody hears it
            self._error = error

    def finish(self) -> Digest:
        """Reads what is left. `UnstableError` when the source did not hold."""
        if self._error is not None:
            raise self._error
        while self._take():
            pass
        if self._read_bytes != self._body.size_bytes:
            told = f"gave {self._read_bytes} bytes, not {self._body.size_bytes}"
            raise UnstableError(told, op="read", path=self._body.origin)
        found = Digest(self._sha256.digest())
        if self._body.digest is not None and found != self._body.digest:
            raise UnstableError("is not what was to be sent", op="read", path=self._body.origin)
        return found

    def _take(self) -> bool:
        chunk = self._stream.read(CHUNK_BYTES)
        if self._read_bytes < self.mark_bytes <= self._read_bytes + len(chunk):
            first = self._sha256.copy()
            first.update(chunk[: self.mark_bytes - self._read_bytes])
            self.marked = first.digest()
        self._read_bytes += len(chunk)
        self._sha256.update(chunk)
        if self._spool is not None:
            self._spool.write(chunk)
        return bool(chunk)


@contextmanager
def content_of(body: Body) -> Iterator[Content]:
    """The body, open."""
    with body.open() as stream:
        handle = _handle(stream)
        if body.data is None and handle is not None:
            with closing(Content(str(_HANDLES / str(handle)), Drain(stream, body), None)) as content:
                yield content
            return
        with _spool(body) as (spool, path):
            drain = Drain(stream, body, spool)
            digest = drain.finish()
            spool.flush()
            yield Content(path, drain, digest)


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
