"""What a plan holds: changes, conflicts, refusals."""

from __future__ import annotations

from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

from reconcile.core.entry import ABSENT, Digest, Version
from reconcile.core.inside import Inside


class Action(StrEnum):
    """The seven things that can happen to a path."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    MOVE = "move"
    ADOPT = "adopt"
    ACCEPT = "accept"
    FORGET = "forget"


SYMBOLS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.DELETE: "-",
    Action.MOVE: ">",
    Action.ADOPT: "=",
    Action.ACCEPT: "=",
    Action.FORGET: ".",
}

QUIET = frozenset({Action.ADOPT, Action.ACCEPT, Action.FORGET})
"""Actions that touch records only."""


class Reason(StrEnum):
    """Why; the code that machines read. The sentence for people is made from it in `core/reasons.py`."""

    NEW = "new"
    CHANGED = "changed"
    CHANGED_OVER = "changed-over"
    MODE = "mode"
    RENAMED = "renamed"
    GONE = "gone"
    GONE_OVER = "gone-over"
    LOST = "lost"
    DRIFTED = "drifted"
    EQUAL = "equal"
    UNPROVEN = "unproven"
    RECREATED = "recreated"
    UNMANAGED = "unmanaged"
    IGNORED = "ignored"
    BOTH_GONE = "both-gone"
    HANDED_OVER = "handed-over"
    ACCEPTED = "accepted"
    DESTROYED = "destroyed"
    RESENT = "resent"
    REMADE = "remade"
    CONFLICT_SOURCE = "conflict-source"
    CONFLICT_NEWEST = "conflict-newest"
    BOTH_CHANGED = "both-changed"
    NEVER_MET = "never-met"
    DELETED_CHANGED = "deleted-changed"
    DRIFT_HELD = "drift-held"
    KEEP_HELD = "keep-held"
    DRIFT_FAIL = "drift-fail"
    PROTECTED = "protected"
    IN_THE_WAY = "in-the-way"
    DESTROY_HELD = "destroy-held"
    UNDONE = "undone"


class Change(Struct, frozen=True, gc=False):
    """One thing `apply` will do to one path of one mapping.

    `size` and `digest` are those of the content that will be there (of the one that goes, for a delete); `was_size` is
    that of the content it replaces.
    `source_version` pins the source, `expect` the target: `ABSENT`, or the version the plan saw. A move takes its
    content from the target key `from_key` at `from_version`, and `vacates` it unless another change writes there.
    `after` holds the ids of changes that must have succeeded first; those of one `group` share their fate. `since` is
    the run that recorded the path, where the reason tells of it; `inside` is told of what has columns and rows. (Both
    are left out of what is encoded where they tell nothing.)
    """

    id: int
    mapping: str
    action: Action
    key: str
    reason: Reason
    size: int = 0
    was_size: int = 0
    digest: Digest | None = None
    path: str | None = None
    from_key: str | None = None
    from_version: Version = ABSENT
    vacates: bool = False
    source_version: Version = ABSENT
    expect: Version = ABSENT
    executable: bool = False
    drift: bool = False
    after: tuple[int, ...] = ()
    group: int = 0
    since: int | UnsetType = UNSET
    inside: Inside | UnsetType = UNSET

    @property
    def source_path(self) -> str:
        """The path to read in the source."""
        return self.path if self.path is not None else self.key


class Conflict(Struct, frozen=True, gc=False):
    """A path that waits for a decision; nothing of it is touched. `exit_code` is 3, or 4 when it is protected.

    `since` is the run that recorded the path, as in a `Change`.
    """

    mapping: str
    key: str
    reason: Reason
    detail: str = ""
    exit_code: int = 3
    since: int | UnsetType = UNSET


class Refusal(Struct, frozen=True, gc=False):
    """Why a whole mapping is not applied, and the permission (`deletes`, `updates`, …) that would let it."""

    mapping: str
    permission: str
    detail: str
    allowed: bool = False
