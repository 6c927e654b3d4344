"""What the screens that only look are made of, where no core noun fits. Times in Unix seconds, 0.0 for never."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from reconcile.core.change import Change, Conflict
from reconcile.core.entry import Entry, Problem
from reconcile.core.outcome import Outcome, Run
from reconcile.core.record import Record


class Held(Struct, frozen=True):
    """Who holds the lock. `done` goes from 0 to 1; `hold`: frozen on purpose, for `reason`; `dead`: its process is."""

    id: str
    who: str
    host: str
    pid: int
    operation: str
    since: float
    run: int = 0
    heard: float = 0.0
    done: float = 0.0
    reason: str = ""
    hold: bool = False
    dead: bool = False


class MappingStatus(Struct, frozen=True):
    """How one mapping stands: its last success, since when it fails, what waits for a decision.

    `taken_back` is the run that undid or destroyed what was applied, if nothing was applied since. `failed` says that
    actions of the last run failed: history tells of them, while what could not be read only a plan tells. `open` is the
    newest run if it has no end yet.
    """

    name: str
    last_success: float = 0.0
    failing_since: float = 0.0
    last_run: int = 0
    failed: bool = False
    conflicts: int = 0
    records: int = 0
    taken_back: Run | None = None
    open: Run | None = None
    rejects: int = 0


class Status(Struct, frozen=True):
    """The whole house at one moment (`now`)."""

    now: float
    mappings: list[MappingStatus]
    lock: Held | None = None
    last: Run | None = None
    orphans: list[tuple[str, int]] = []


class Why(Struct, frozen=True):
    """All that is known of one path of one mapping. `notes` say what no other field does (`ignored by …`)."""

    mapping: str
    key: str
    source: Entry | None = None
    record: Record | None = None
    target: Entry | None = None
    change: Change | None = None
    conflict: Conflict | None = None
    problems: list[Problem] = []
    history: list[tuple[Run, Outcome]] = []
    notes: list[str] = []
    last_run: int = 0


class Undone(Struct, frozen=True, gc=False):
    """One path of a rollback. `restored`: its digest was verified; `kept`, `cannot`: why not."""

    mapping: str
    key: str
    ending: Literal["restored", "removed", "unchanged", "kept", "cannot"]
    why: str = ""


class Difference(Struct, frozen=True, gc=False):
    """A path whose target is not what the state says.

    `unseen`: it shows the recorded version all the same, so that no plan would see it.
    """

    mapping: str
    key: str
    why: str
    unseen: bool = False
