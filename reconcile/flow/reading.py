"""How a source is read: only bytes that held still, as one very version, never through a link that leads outside."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

from reconcile.core.entry import Digest, Entry, Version
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
