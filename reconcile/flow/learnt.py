"""What this machine found out about a target: how it honours conditions, lists, and what it holds that is not ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from reconcile.abilities import Probed
from reconcile.core.entry import Digest, Entry
from reconcile.ports import Cache, Store

_STRENGTH: Final = ("none", "stat", "create", "match")


@dataclass(slots=True)
class Learnt:
    """The memory of one target, kept in the disposable cache: losing it costs a probe, a sequential listing, a reading.

    `where` is the URL the store was opened with.
    """

    cache: Cache
    store: Store
    where: str = ""
    conditions: str = ""

    def recall(self) -> None:
        """Takes over what was found out before; a store that can be probed and never was is `unproven`.

        Of one that need not be asked, its own word is known.
        """
        if not isinstance(self.store, Probed):
            traits = self.store.traits
            self.conditions = traits.write if traits.waits and traits.write != "match" else ""
            return
        raw = self.cache.get(f"conditions:{self.store.url}")
        if raw is None:
            self.conditions = "unproven"
        else:
            self._trust(self.store, msgspec.json.decode(raw, type=dict[str, str]))

    def probe(self) -> None:
        """Finds out what is not known yet. Writes small objects of its own: only under the lease."""
        if isinstance(self.store, Probed) and self.conditions == "unproven":
            found = self.store.probe()
            self.cache.put(f"conditions:{self.store.url}", msgspec.json.encode(found))
            self._trust(self.store, found)

    def _trust(self, store: Probed, found: dict[str, str]) -> None:
        store.trust(found)
        weakest = min((found.get(op, "match") for op in ("write", "delete")), key=_STRENGTH.index)
        self.conditions = "" if weakest == "match" else weakest

    def heard(self) -> None:
        """After a whole listing: an order that was shown is kept, one that was broken is forgotten."""
        if self.store.traits.waits:
            self.cache.put(f"order:{self.where}", self.store.traits.order.encode())

    def found_other(self, there: Entry, digest: Digest) -> None:
        """What stands there was read, and has another digest than this one."""
        self.cache.put(self._other(there), _mark(there, digest))

    def is_other(self, there: Entry, digest: Digest) -> bool:
        """Whether that was found before: then nobody need read it again."""
        return self.cache.get(self._other(there)) == _mark(there, digest)

    def _other(self, there: Entry) -> str:
        return f"other:{self.store.url}:{there.key}"


def _mark(there: Entry, digest: Digest) -> bytes:
    return digest + there.version.encode()


def known_order(cache: Cache, where: str) -> str:
    """The order a store at this URL has shown, or ""."""
    return "bytes" if cache.get(f"order:{where}") == b"bytes" else ""
