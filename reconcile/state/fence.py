"""The one row of the lease table, and the number that fences off whoever no longer holds it.

`fence` grows with every change of holder and never shrinks; `beats` counts renewals, so that a waiting process can see
a holder live without trusting anybody's clock.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Final, NamedTuple

import msgspec

from reconcile.core.errors import FencedError
from reconcile.ports import Holder, Lease

_UNREADABLE: Final = "unreadable lease row"


class LeaseRow(NamedTuple):
    """The row as it is kept; `text` is the holder as JSON, None when nobody holds the lease."""

    fence: int
    beats: int
    text: str | bytes | None

    @property
    def holder(self) -> Holder | None:
        """Who holds the lease. Garbage is a holder too: it never counts as free, only `unlock ID` clears it."""
        if self.text is None:
            return None
        try:
            return msgspec.json.decode(self.text, type=Holder)
        except (msgspec.MsgspecError, TypeError, ValueError):
            raw = self.text if isinstance(self.text, bytes) else str(self.text).encode("utf-8", "replace")
            id_ = hashlib.sha256(raw).hexdigest()[:8]
            return Holder(id_, "?", "?", 0, "unknown", 0.0, hold=True, reason=_UNREADABLE)


def read_row(connection: sqlite3.Connection) -> LeaseRow:
    """The row; a missing one counts as garbage."""
    row = connection.execute("SELECT fence, beats, holder FROM lease").fetchone()
    return LeaseRow(*row) if row else LeaseRow(0, 0, "")


def write_row(connection: sqlite3.Connection, fence: int, holder: Holder | None) -> None:
    """Writes a holder under its fence; every write is a beat."""
    text = None if holder is None else msgspec.json.encode(holder).decode()
    beats = "coalesce((SELECT beats FROM lease), 0) + 1"
    connection.execute(f"INSERT OR REPLACE INTO lease SELECT 1, ?, {beats}, ?", (fence, text))


def check_fence(connection: sqlite3.Connection, lease: Lease) -> None:
    """`FencedError` unless `lease` is the one that is held; asked inside every transaction that commits something."""
    row = read_row(connection)
    holder = row.holder
    if row.fence != lease.fence or holder is None or holder.id != lease.holder.id:
        by = f" by {holder.who}@{holder.host}" if holder else ""
        raise FencedError(f"our lock was broken or taken{by}; nothing more is written", op="state")
