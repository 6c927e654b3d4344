"""The digest of what a target holds, by reading it as one very version."""

from __future__ import annotations

from hashlib import sha256

from reconcile.abilities import Making
from reconcile.core.entry import Digest, Entry
from reconcile.core.errors import UnstableError
from reconcile.ports import Store


def digest_of(store: Store, entry: Entry) -> Digest:
    """Reads `entry` once, or asks a store that makes something else of what it gets.

    `ChangedError` or `UnstableError` when it is no longer, or not steadily, that version.
    """
    if isinstance(store, Making):
        return store.made_from(entry)
    strong, left = sha256(), entry.size
    for chunk in store.read(entry.key, version=entry.version):
        left -= len(chunk)
        if left < 0:  # whoever lies about this may never end
            raise UnstableError(f"gives more than its {entry.size} bytes", op="read", path=entry.key)
        strong.update(chunk)
    return Digest(strong.digest())
