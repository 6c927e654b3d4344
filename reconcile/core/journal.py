"""What stands in the journal and in the lease: announcements, and who makes them."""

from __future__ import annotations

from msgspec import Struct

from reconcile.core.entry import ABSENT, Version
from reconcile.core.record import Record


class Intent(Struct, frozen=True):
    """What is about to be published, durable before it is; `digest` and `size` are of the new content."""

    run: int
    seq: int
    scope: str
    key: str
    action: str
    expect: Version
    digest: bytes = b""
    size: int = 0
    token: str = ""
    path: str | None = None
    from_key: str | None = None
    from_version: Version = ABSENT
    executable: bool = False
    temp: str = ""


class Fold(Struct, frozen=True):
    """What one finished action does to the records: `put` a record, or `drop` a key (None: neither)."""

    scope: str
    seq: int
    put: Record | None = None
    drop: str | None = None


class Holder(Struct, frozen=True):
    """Who holds a lease; everything in it may be printed. `since` and `heard` are Unix seconds, for people only."""

    id: str
    who: str
    host: str
    pid: int
    operation: str
    since: float
    run: int = 0
    boot: str = ""
    started: str = ""
    heard: float = 0.0
    done: float = 0.0
    reason: str = ""
    hold: bool = False
    version: str = ""
