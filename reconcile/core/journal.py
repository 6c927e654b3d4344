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
    """What one finished action does to the records: `put` a record, or `drop` a key (None: neither).

    `there` is the version the action found in the target under that key.
    """

    scope: str
    seq: int
    put: Record | None = None
    drop: str | None = None
    there: Version = ABSENT

    @property
    def key(self) -> str | None:
        """The key whose record changes, None when none does."""
        return self.put.key if self.put is not None else self.drop


class Past(Struct, frozen=True):
    """One path as a run found it (`there`: the version in the target, `record`: what was remembered), and left it.

    `left` is the record the run left, None where it left nothing; `changed_by` the next run that changed it, or 0.
    """

    key: str
    there: Version = ABSENT
    record: Record | None = None
    left: Record | None = None
    changed_by: int = 0


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
