"""What this machine remembers of a source: the digests it computed, and the disks the tree stood on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from reconcile.core.entry import Cover, Digest, Problem, Version
from reconcile.core.fingerprint import is_racy
from reconcile.ports import Cache, Fingerprints
from reconcile.scan.walk import Walked


class Disks(msgspec.Struct, frozen=True):
    """The device of a root, and of every mount point below it, as they were when all was well."""

    root: int = 0
    mounts: dict[str, int] = {}


@dataclass(slots=True)
class Memory:
    """The disposable memory of one local source. Losing it costs time, and the guard against a swapped disk."""

    cache: Cache
    name: str
    root: str
    prints: Fingerprints
    walked: Walked

    def remember(self, path: str, version: Version, digest: Digest, read_ns: int) -> None:
        """Keeps a digest read from `read_ns` on, unless the file was so fresh that a later edit could look alike."""
        if not is_racy(version, read_ns):
            self.prints.remember(path, version, digest)

    def known(self) -> Disks:
        """The disks of the last run that ended well."""
        raw = self.cache.get(self._key)
        return msgspec.json.decode(raw, type=Disks) if raw else Disks()

    def on_new_disk(self) -> bool:
        """Whether the root now stands on another file system than it did then."""
        known = self.known().root
        return bool(known and self.walked.root[0]) and known != self.walked.root[0]

    def lost_mounts(self) -> Iterator[Problem]:
        """Directories that were mount points and are another file system now: what was below them is unknown."""
        for directory, device in self.known().mounts.items():
            try:
                now = Path(self.root, directory).lstat().st_dev
            except OSError:
                continue
            if now != device:
                yield Problem(directory, "another file system was mounted here", Cover.TREE, hint="mount it again")

    def all_is_well(self) -> None:
        """Takes the disks as they are now for the right ones."""
        if self.walked.root[0]:
            self.cache.put(self._key, msgspec.json.encode(Disks(self.walked.root[0], dict(self.walked.mounts))))

    @property
    def _key(self) -> str:
        return f"disks:{self.name}"
