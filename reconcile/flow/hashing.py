"""Digests of what a store holds, by reading it as one very version."""

from __future__ import annotations

from hashlib import md5, sha256

from reconcile.core.entry import Digest, Entry
from reconcile.ports import Hashes, Store


def hashes_of(store: Store, entry: Entry, *, path: str | None = None, with_md5: bool = False) -> Hashes:
    """Reads `entry` once. `ChangedError` or `UnstableError` when it is no longer, or not steadily, that version."""
    strong, quick = sha256(), md5(usedforsecurity=False) if with_md5 else None
    for chunk in store.read(path or entry.path or entry.key, version=entry.version):
        strong.update(chunk)
        if quick is not None:
            quick.update(chunk)
    return Hashes(Digest(strong.digest()), quick.digest() if quick is not None else b"")
