"""How a source is read: only bytes that held still, as one very version, never through a link that leads outside."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
import io
from threading import Event
from typing import BinaryIO, Protocol, cast

from reconcile.core.entry import Digest, Entry, Version
from reconcile.core.errors import StoreError
from reconcile.ports import Hashes, Store
from reconcile.scan.hashing import SMALL_BYTES, LocalFile, hash_file, read_stable
from reconcile.scan.links import LeavesError, resolved
from reconcile.scan.stream import StableStream


class Reader(Protocol):
    """Reads one source, `version` None as it is now. Raises `UnstableError` when it does not hold still."""

    def stat(self, path: str) -> Entry | None:
        """What is at `path`; None when its absence is certain."""

    def whole(self, path: str, version: Version | None, *, md5: bool) -> tuple[bytes, Hashes, Entry]:
        """A small file: its bytes, their digests, and the entry that was read."""

    def hashes(self, path: str, version: Version | None, *, md5: bool = False) -> Hashes:
        """The digests of a file of any size, in one pass and bounded memory."""

    def stream(self, path: str, version: Version | None, on_sealed: Callable[[Digest], None]) -> BinaryIO:
        """A file of any size; its last bytes go out only after `on_sealed(digest)` returned."""


@dataclass(frozen=True, slots=True)
class Stoppable:
    """A reader whose streams break off once `stop` is set, so that nobody waits for a large file to be sent."""

    inner: Reader
    stop: Event

    def stat(self, path: str) -> Entry | None:
        """As the reader inside."""
        return self.inner.stat(path)

    def whole(self, path: str, version: Version | None, *, md5: bool) -> tuple[bytes, Hashes, Entry]:
        """As the reader inside."""
        return self.inner.whole(path, version, md5=md5)

    def hashes(self, path: str, version: Version | None, *, md5: bool = False) -> Hashes:
        """As the reader inside."""
        return self.inner.hashes(path, version, md5=md5)

    def stream(self, path: str, version: Version | None, on_sealed: Callable[[Digest], None]) -> BinaryIO:
        """A `StoreError` in its midst leaves what is there as it is: its end was never handed over."""
        return cast("BinaryIO", _Broken(self.inner.stream(path, version, on_sealed), path, self.stop))


class _Broken(io.RawIOBase):
    """A stream until `stop` is set; then every read raises."""

    def __init__(self, inner: BinaryIO, path: str, stop: Event) -> None:
        super().__init__()
        self._inner = inner
        self._path = path
        self._stop = stop

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """As the stream inside."""
        if self._stop.is_set():
            raise StoreError("stopped before all of it was sent", op="read", path=self._path)
        return self._inner.read(-1 if size is None else size)

    def fileno(self) -> int:
        """Of the stream inside, where it has one."""
        return self._inner.fileno()

    def close(self) -> None:
        """Both."""
        self._inner.close()
        super().close()


@dataclass(frozen=True, slots=True)
class LocalReader:
    """Reads below a local root; with `follow`, through links that stay inside it."""

    root: str
    store: Store
    follow: bool = False

    def stat(self, path: str) -> Entry | None:
        """As the store has it; a link that may be followed is asked for what it leads to."""
        if self.follow:
            with suppress(LeavesError, OSError):
                return self.store.stat(resolved(self.root, path))
        return self.store.stat(path)

    def whole(self, path: str, version: Version | None, *, md5: bool) -> tuple[bytes, Hashes, Entry]:
        """Up to `SMALL_BYTES`; a file that has grown beyond is unstable."""
        return read_stable(self._file(path, version), limit_bytes=SMALL_BYTES, md5=md5)

    def hashes(self, path: str, version: Version | None, *, md5: bool = False) -> Hashes:
        """One pass."""
        return hash_file(self._file(path, version), md5=md5)[0]

    def stream(self, path: str, version: Version | None, on_sealed: Callable[[Digest], None]) -> BinaryIO:
        """Opened at once, so that a missing file is told here."""
        return cast("BinaryIO", StableStream(self._file(path, version), on_sealed=on_sealed))

    def _file(self, path: str, version: Version | None) -> LocalFile:
        return LocalFile(self.root, path, version, self.follow)
