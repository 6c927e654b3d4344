"""The sentence of each reason, for people; the code itself is for machines. Raw text: every screen escapes it."""

from __future__ import annotations

from typing import Final

from reconcile.core.change import Change, Conflict, Reason

SENTENCES: Final[dict[Reason, str]] = {
    Reason.NEW: "new",
    Reason.CHANGED: "content changed",
    Reason.CHANGED_OVER: "content changed, over what was accepted in the target",
    Reason.MODE: "executable bit changed",
    Reason.RENAMED: "renamed from {old}",
    Reason.GONE: "gone from the source",
    Reason.GONE_OVER: "gone from the source, and with it what was accepted in the target",
    Reason.LOST: "gone from the target{since}, sent again",
    Reason.DRIFTED: "changed in the target{since}, restored",
    Reason.EQUAL: "equal already, only recorded",
    Reason.UNPROVEN: "same size and no digest: apply reads it once, then adopts or asks",
    Reason.RECREATED: "changed here, gone from the target",
    Reason.UNMANAGED: "not ours, and unmanaged paths are deleted",
    Reason.IGNORED: "ignored now: forgotten, the target keeps it",
    Reason.BOTH_GONE: "gone from both sides, only forgotten",
    Reason.HANDED_OVER: "its file is one of another mapping now, which takes this over",
    Reason.ACCEPTED: "changed in the target{since}, accepted as it is",
    Reason.DESTROYED: "ours, and all that is ours goes",
    Reason.RESENT: "unchanged, sent again as asked",
    Reason.REMADE: "unchanged, but read in another way now",
    Reason.CONFLICT_SOURCE: "both sides differ, the source wins",
    Reason.CONFLICT_NEWEST: "both sides differ, the source is newer",
    Reason.BOTH_CHANGED: "both sides changed{since}",
    Reason.NEVER_MET: "the target already holds something else",
    Reason.DELETED_CHANGED: "gone from the source, but changed in the target{since}",
    Reason.DRIFT_HELD: "changed in the target{since}, and those bytes are not kept here (keep: always, or never)",
    Reason.KEEP_HELD: "the target holds something else, which is not kept here (keep: always, or never)",
    Reason.DRIFT_FAIL: "changed in the target{since}, and drift is to fail",
    Reason.PROTECTED: "protected",
    Reason.UNDONE: "as it was before the run that is rolled back",
    Reason.IN_THE_WAY: "something else stands in the way",
    Reason.DESTROY_HELD: "ours, but changed in the target{since}: not destroyed",
}
"""`{old}` is the key a move comes from, `{since}` the run that recorded the path, where it is known."""


def tells_since(reason: Reason) -> bool:
    """Whether the sentence names the run since which something changed."""
    return "{since}" in SENTENCES[reason]


def sentence(change: Change, *, last_run: int = 0) -> str:
    """Why a change is made. `last_run`, the mapping's newest, stands in for a run that an older plan does not name."""
    return _told(change.reason, change.since or last_run, change.from_key or "")


def conflict_sentence(conflict: Conflict, *, last_run: int = 0) -> str:
    """Why a path waits for a decision, and what is known of both sides."""
    told = _told(conflict.reason, conflict.since or last_run)
    return f"{told} | {conflict.detail}" if conflict.detail else told


def _told(reason: Reason, since: int, old: str = "") -> str:
    sentence = SENTENCES[reason]
    if "{" not in sentence:
        return sentence
    return sentence.format(old=old, since=f" since run {since}" if since else "")
