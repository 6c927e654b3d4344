"""The decision table. Nothing else in the program decides what happens to a path.

A row of the march is first *classified* (what do we know of the source, of the target?), which may need a digest that
nobody has computed yet: then the answer is an `Ask`, the caller finds out and asks again. The two states then meet the
record in `TABLE`, and the policies turn the verdict into a change, a conflict or nothing.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconcile.core.change import Action, Reason
from reconcile.core.entry import ABSENT, Digest, Entry, Kind, Version
from reconcile.core.march import Row
from reconcile.core.policy import Policy
from reconcile.core.record import Record


class Source(StrEnum):
    """What the source says of a key. `CHANGED` without a record is "new"."""

    ABSENT = "absent"
    SAME = "same"
    CHANGED = "changed"
    IGNORED = "ignored"
    OTHER = "other"
    UNSELECTED = "unselected"
    UNKNOWN = "unknown"


class Target(StrEnum):
    """What the target says of a key. `EQUAL`: not the recorded version, but proven to be the source's content."""

    ABSENT = "absent"
    SAME = "same"
    CHANGED = "changed"
    EQUAL = "equal"
    OTHER = "other"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What the table says, before any policy."""

    NOTHING = "nothing"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    ADOPT = "adopt"
    MODE = "mode"
    FORGET = "forget"
    RELEASE = "release"
    RESPELL = "respell"
    UNMANAGED = "unmanaged"
    DRIFT = "drift"
    LOST = "lost"
    RECREATE = "recreate"
    NEVER_MET = "never-met"
    BOTH_CHANGED = "both-changed"
    DELETED_CHANGED = "deleted-changed"
    IN_THE_WAY = "in-the-way"
    PROBLEM = "problem"


class Ask(Enum):
    """A fact the caller must find out before the row can be decided."""

    SOURCE_DIGEST = 1
    TARGET_EQUAL = 2
    ABSENCE = 3


class Facts(Struct, frozen=True, gc=False):
    """What was found out about one row: the source's digest, whether the target equals it, what is at the source path.

    `target_asked`: it was looked into whether the target holds the recorded content (`target_recorded`) or the source's
    (`target_equal`; None: only reading it would tell). `absence`: the state of a source path
    that no listing showed (`ABSENT` when its absence is proven).
    """

    source_digest: Digest | None = None
    target_equal: bool | None = None
    target_recorded: bool = False
    target_asked: bool = False
    absence: Source | None = None


NO_FACTS: Final = Facts()

_S, _T, _V = Source, Target, Verdict

TABLE: Final[dict[tuple[Source, bool, Target], Verdict]] = {
    # source, record?, target
    (_S.CHANGED, False, _T.ABSENT): _V.CREATE,
    (_S.CHANGED, False, _T.EQUAL): _V.ADOPT,
    (_S.CHANGED, False, _T.CHANGED): _V.NEVER_MET,
    (_S.CHANGED, False, _T.OTHER): _V.IN_THE_WAY,
    (_S.ABSENT, False, _T.CHANGED): _V.UNMANAGED,
    (_S.SAME, True, _T.SAME): _V.NOTHING,
    (_S.CHANGED, True, _T.SAME): _V.UPDATE,
    (_S.SAME, True, _T.CHANGED): _V.DRIFT,
    (_S.SAME, True, _T.EQUAL): _V.ADOPT,
    (_S.CHANGED, True, _T.EQUAL): _V.ADOPT,
    (_S.CHANGED, True, _T.CHANGED): _V.BOTH_CHANGED,
    (_S.SAME, True, _T.ABSENT): _V.LOST,
    (_S.CHANGED, True, _T.ABSENT): _V.RECREATE,
    (_S.SAME, True, _T.OTHER): _V.IN_THE_WAY,
    (_S.CHANGED, True, _T.OTHER): _V.IN_THE_WAY,
    (_S.ABSENT, True, _T.SAME): _V.DELETE,
    (_S.ABSENT, True, _T.CHANGED): _V.DELETED_CHANGED,
    (_S.ABSENT, True, _T.EQUAL): _V.DELETED_CHANGED,
    (_S.ABSENT, True, _T.OTHER): _V.DELETED_CHANGED,
    (_S.ABSENT, True, _T.ABSENT): _V.FORGET,
    **{(_S.IGNORED, True, target): _V.RELEASE for target in Target if target is not _T.UNKNOWN},
    **{(_S.OTHER, True, target): _V.PROBLEM for target in Target if target is not _T.UNKNOWN},
}
"""Every combination that is not here is `NOTHING`: above all, whatever is unknown."""


def verdict(source: Source, target: Target, *, recorded: bool) -> Verdict:
    """The table's word for one key."""
    return TABLE.get((source, recorded, target), Verdict.NOTHING)


def source_state(row: Row, facts: Facts) -> Source | Ask:
    """What the source says, or what must be found out first."""
    entry, record = row.source, row.record
    if row.unknown_source:
        return Source.UNKNOWN
    if entry is None or entry.kind is Kind.DIRECTORY or facts.absence is not None:
        return facts.absence or Ask.ABSENCE
    if entry.kind is not Kind.FILE:
        return Source.OTHER
    return _against_record(entry, record, facts)


def _against_record(entry: Entry, record: Record | None, facts: Facts) -> Source | Ask:
    if record is None or entry.size != record.size:
        return Source.CHANGED
    digest = entry.digest or facts.source_digest
    if digest is None:
        return Ask.SOURCE_DIGEST
    return Source.SAME if digest == record.digest else Source.CHANGED


def target_state(row: Row, source: Source, facts: Facts) -> Target | Ask:
    """What the target says, or what must be found out first."""
    entry, record = row.target, row.record
    if row.unknown_target:
        return Target.UNKNOWN
    if entry is None or (entry.kind is Kind.DIRECTORY and row.key.endswith("/")):
        return Target.SAME if record is not None and record.version == ABSENT else Target.ABSENT
    if entry.kind is not Kind.FILE:
        return Target.OTHER
    return _against_source(row, entry, source, facts)


def _against_source(row: Row, entry: Entry, source: Source, facts: Facts) -> Target | Ask:
    """A version that differs is not yet another content: a touch, or the second name of a kept file, changes it too.

    Of what was accepted nothing is known but its version.
    """
    record = row.record
    known_version = record is not None and entry.version == record.version
    if record is not None and known_version and (record.settled or record.accepted):
        return Target.SAME
    here = row.source if source in (Source.SAME, Source.CHANGED) else None
    if entry.size not in {side.size for side in (record, here) if side is not None}:
        return Target.CHANGED
    if not facts.target_asked:
        return Ask.TARGET_EQUAL
    if facts.target_recorded:
        return Target.SAME if known_version or source is not Source.SAME else Target.EQUAL
    return Target.EQUAL if facts.target_equal else Target.CHANGED


class Decision(Struct, frozen=True, gc=False):
    """What is to happen to a key: an action, or (without one) a conflict or a problem with this reason.

    `expect` is the target version the action is bound to. `overwrites_foreign`: bytes that are not ours would go, so
    they must be kept or the path is held.
    """

    action: Action | None
    reason: Reason
    expect: Version = ABSENT
    drift: bool = False
    overwrites_foreign: bool = False
    problem: bool = False


def decide(
    row: Row,
    policy: Policy,
    source: Source,
    target: Target,
    facts: Facts = NO_FACTS,
    *,
    executable: bool = False,
    accepted_waits: bool = False,
) -> Decision | None:
    """The table's verdict after the policies; None when nothing is to be done.

    `executable`: both stores know the bit, so equal contents with different bits are not the same. `accepted_waits`:
    what was accepted could not be kept, so what would take its place is a conflict.
    """
    word = verdict(source, target, recorded=row.record is not None)
    if word is Verdict.ADOPT and executable and _modes_differ(row):
        word = Verdict.DRIFT if source is Source.SAME and not _mode_changed(row) else Verdict.MODE
    if (source, target) == (Source.SAME, Target.SAME):
        word = Verdict.MODE if executable and _mode_changed(row) else Verdict.RESPELL if _respelled(row) else word
    expect = row.target.version if row.target is not None and row.target.kind is Kind.FILE else ABSENT
    over_accepted = row.record is not None and row.record.accepted and expect != ABSENT
    if over_accepted and accepted_waits:
        word = _CLASHES.get(word, word)
    if word in _PLAIN:
        decision = _plain(policy, _PLAIN[word], expect)
        return _over_accepted(decision) if over_accepted and decision is not None else decision
    if word in (Verdict.DRIFT, Verdict.LOST):
        return _drift(policy, expect)
    return _exceptional(row, policy, word, expect, facts)


def _over_accepted(decision: Decision) -> Decision:
    """What was accepted is in no source: whatever takes its place keeps it, and says so."""
    reason = _OVER_ACCEPTED.get(decision.reason, decision.reason)
    return replace(decision, reason=reason, overwrites_foreign=decision.action in (Action.UPDATE, Action.DELETE))


def _exceptional(row: Row, policy: Policy, word: Verdict, expect: Version, facts: Facts) -> Decision | None:
    if word is Verdict.UNMANAGED:
        return Decision(Action.DELETE, Reason.UNMANAGED, expect) if policy.unmanaged == "delete" else None
    if word is Verdict.PROBLEM:
        return Decision(None, Reason.IN_THE_WAY, problem=True)
    return _clash(row, policy, word, expect, facts) if word is not Verdict.NOTHING else None


def _respelled(row: Row) -> bool:
    """Whether the source writes the name in another way since it was recorded, which the target takes for the same."""
    here, known = row.source, row.record
    if here is None or known is None or known.accepted or row.target is None or here.key == known.key:
        return False
    return (here.path or here.key) != (known.path or known.key)


def _mode_changed(row: Row) -> bool:
    """Whether the source's bit did; what was accepted has a bit of its own."""
    here, known = row.source, row.record
    return here is not None and known is not None and not known.accepted and here.executable != known.executable


def _modes_differ(row: Row) -> bool:
    return row.source is not None and row.target is not None and row.source.executable != row.target.executable


_PLAIN: Final = {
    Verdict.CREATE: (Action.CREATE, Reason.NEW),
    Verdict.UPDATE: (Action.UPDATE, Reason.CHANGED),
    Verdict.DELETE: (Action.DELETE, Reason.GONE),
    Verdict.ADOPT: (Action.ADOPT, Reason.EQUAL),
    Verdict.MODE: (Action.UPDATE, Reason.MODE),
    Verdict.FORGET: (Action.FORGET, Reason.BOTH_GONE),
    Verdict.RELEASE: (Action.FORGET, Reason.IGNORED),
    Verdict.RESPELL: (Action.MOVE, Reason.RENAMED),
    Verdict.RECREATE: (Action.CREATE, Reason.RECREATED),
}


_CLASHES: Final = {Verdict.UPDATE: Verdict.BOTH_CHANGED, Verdict.DELETE: Verdict.DELETED_CHANGED}
_OVER_ACCEPTED: Final = {Reason.CHANGED: Reason.CHANGED_OVER, Reason.GONE: Reason.GONE_OVER}


def _plain(policy: Policy, plain: tuple[Action, Reason], expect: Version) -> Decision | None:
    action, reason = plain
    if action is Action.DELETE:
        if not policy.delete:
            return None
        if expect == ABSENT:
            return Decision(Action.FORGET, Reason.BOTH_GONE)
    if action is Action.UPDATE and expect == ABSENT:
        return Decision(Action.CREATE, Reason.RECREATED)
    return Decision(action, reason, expect)


def _drift(policy: Policy, expect: Version) -> Decision:
    if policy.drift == "keep":
        return Decision(Action.ACCEPT, Reason.ACCEPTED, expect, drift=True)
    if policy.drift == "fail":
        return Decision(None, Reason.DRIFT_FAIL, expect, drift=True)
    if expect == ABSENT:
        return Decision(Action.CREATE, Reason.LOST, drift=True)
    return Decision(Action.UPDATE, Reason.DRIFTED, expect, drift=True, overwrites_foreign=True)


def _clash(row: Row, policy: Policy, word: Verdict, expect: Version, facts: Facts) -> Decision | None:
    """A conflict, unless it is about a file that is kept anyway, or the policy leaves it to apply to compare."""
    if word is Verdict.DELETED_CHANGED and not policy.delete:
        return None
    decision = _conflict(row, policy, word, expect)
    unproven = word is Verdict.NEVER_MET and facts.target_asked and facts.target_equal is None
    return Decision(Action.ADOPT, Reason.UNPROVEN, expect) if unproven and decision.action is None else decision


def _conflict(row: Row, policy: Policy, word: Verdict, expect: Version) -> Decision:
    held = Decision(None, Reason(word.value), expect)
    if word is Verdict.IN_THE_WAY or policy.conflict in ("fail", "both") or expect == ABSENT:
        return held
    newest = policy.conflict == "newest"
    winner = _newest(row) if newest else policy.conflict
    if winner == "target":
        kept = Action.FORGET if row.source is None else Action.ACCEPT
        return Decision(kept, Reason.ACCEPTED, expect)
    if winner == "source":
        action = Action.DELETE if row.source is None else Action.UPDATE
        reason = Reason.CONFLICT_NEWEST if newest else Reason.CONFLICT_SOURCE
        return Decision(action, reason, expect, overwrites_foreign=True)
    return held


def _newest(row: Row) -> str:
    """`source`, `target`, or "" for a tie or an unknown time: then it stays a conflict."""
    here = row.source.mtime_ns if row.source is not None else 0
    there = row.target.mtime_ns if row.target is not None else 0
    if not here or not there or here == there:
        return ""
    return "source" if here > there else "target"
