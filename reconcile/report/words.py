"""Words that several screens share: summary lines, commands to type, quoted paths."""

from __future__ import annotations

import shlex
from typing import Final

from reconcile.core.change import SYMBOLS, Action
from reconcile.core.counts import Counts, plural, size_text
from reconcile.core.path import shown

CONFLICT: Final = "!"
UNREADABLE: Final = "?"

_ALWAYS: Final = (Action.CREATE, Action.UPDATE, Action.DELETE, Action.MOVE)
_DONE: Final = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.DELETE: "deleted",
    Action.MOVE: "moved",
    Action.ADOPT: "adopted",
    Action.ACCEPT: "accepted",
    Action.FORGET: "forgotten",
}
_KINDS: Final = {**{str(action): f"to {action}" for action in Action}, "conflict": "in conflict"}


def to_do(counts: Counts) -> str:
    """`3 to create, 1 to update, 0 to delete, 1 to move, 4 to adopt`: the first four always, others unless zero."""
    told = counts.as_dict()
    return ", ".join(f"{told[a]:,} to {a}" for a in Action if a in _ALWAYS or told[a])


def done(counts: dict[str, int]) -> str:
    """`3 created, 1 updated, 0 deleted, 1 moved`, from the number of successes by action."""
    return ", ".join(f"{counts.get(a, 0):,} {_DONE[a]}" for a in Action if a in _ALWAYS or counts.get(a))


def plan_summary(counts: Counts, conflicts: int, unreadable: int, *, pending: bool = False) -> str:
    """The last line of a plan. `pending`: something is to be done that is no change of a path (a bucket)."""
    if not (counts.changes or conflicts or unreadable or pending):
        return f"No changes. {plural(counts.unchanged, 'path')} in sync."
    open_ends = [plural(conflicts, "conflict")] * bool(conflicts) + [f"{unreadable:,} unreadable"] * bool(unreadable)
    waiting = f" {', '.join(open_ends)}." if open_ends else ""
    return f"Plan: {to_do(counts)}; {size_text(counts.bytes)} to send.{waiting}"


def legend(counts: Counts, conflicts: int, unreadable: int) -> list[tuple[str, str]]:
    """(symbol, word) of every symbol in use, in the order of the actions."""
    told = counts.as_dict()
    words: dict[str, list[str]] = {}
    for action in Action:
        if told[action]:
            words.setdefault(SYMBOLS[action], []).append(action.value)
    if conflicts:
        words[CONFLICT] = ["conflict"]
    if unreadable:
        words[UNREADABLE] = ["unreadable"]
    return [(symbol, " or ".join(names)) for symbol, names in words.items()]


def more_text(counts: dict[str, int]) -> str:
    """`812 more to create, 3 more conflicts`: what was left out, by kind."""
    return ", ".join(f"{count:,} more {_KINDS.get(kind, kind)}" for kind, count in counts.items())


def typed(path: str) -> str:
    """A path as a shell takes it: always quoted, and spelled out (`$'…'`) where it holds what no screen may show."""
    if shown(f"'{path}") == f"'{path}":
        return "'" + path.replace("'", "'\"'\"'") + "'"
    spelled = path.replace("\\", "\\\\").replace("'", "\\'").replace("##", "#\\x23")
    return "$" + shown(f"'{spelled}'")


def command(*parts: str) -> str:
    """A command of ours, ready to be typed."""
    return shlex.join(("reconcile", *parts))
