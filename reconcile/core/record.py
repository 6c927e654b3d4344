"""What is remembered: a record a path, and the scope it belongs to."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

from msgspec import Struct

from reconcile.core.entry import Digest, Version


class Scope(Struct, frozen=True):
    """What a record belongs to: one mapping between one source and one target. Another scope's records count as none.

    `source` as the spec has it (a local one relative to the spec file, so every checkout shares it); `target`
    canonical: scheme, account, endpoint, container and prefix.
    """

    mapping: str
    source: str
    target: str
    layout: str = "{path}"
    direction: str = "one-way"

    @property
    def id(self) -> str:
        """32 hexadecimal digits that stand for the scope."""
        return _id(f"{self.mapping}\0{self.source}\0{self.target}\0{self.layout}\0{self.direction}")


@lru_cache(maxsize=256)
def _id(told: str) -> str:
    return sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:32]


class Record(Struct, frozen=True, gc=False):
    """One path as it was when source and target were last proven equal.

    `digest` is the SHA-256 of what we sent, `version` the target's own mark as read after our write. `settled` is
    False when the version was read too soon after the write to prove anything. `path` is the source path where it is
    not the key. `accepted`: the target holds another content than `digest`, taken as it was by decision; then `digest`
    speaks of the source alone, and only `version` of the target.
    """

    key: str
    size: int
    digest: Digest
    version: Version
    path: str | None = None
    settled: bool = True
    executable: bool = False
    run: int = 0
    accepted: bool = False
