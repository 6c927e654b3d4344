"""Versions where no service tells one: what was *shown* has a size and a time, what was *told* of a write a span.

`5.1764236400000` is shown: 5 bytes, and Unix milliseconds. `5@1764236399-1764236401` is told: 5 bytes, written while
the server's clock went from one second to the other. Whoever else writes within that span, and just as many bytes, is
not told apart: that is the window of which plans speak.
"""

from __future__ import annotations

from collections.abc import Sequence
import re
from typing import Final

from reconcile.core.entry import ABSENT, Version
from reconcile.stores.databricks import Reply

GRANULE_S: Final = 1
"""Storage behind a workspace may keep whole seconds."""

SKEW_S: Final = 1
"""So far the clocks of a workspace and of its storage may be apart, before a write is taken for somebody else's."""

_SHOWN: Final = re.compile(r"([0-9]+)\.([0-9]+)(?:\..+)?")
_TOLD: Final = re.compile(r"([0-9]+)@([0-9]+)-([0-9]+)")


def shown_version(size: int, mtime_ms: int, more: str = "") -> Version:
    """The version of what a listing shows; `more` is what else tells one file from the next."""
    return Version(f"{size}.{mtime_ms}" + (f".{more}" if more else ""))


def told_version(size: int, replies: Sequence[Reply]) -> Version:
    """The version of what a write has made, by the answers to its first and to its last request."""
    return Version(f"{size}@{replies[0].began_s}-{replies[-1].ended_s}")


def fits(expect: Version, shown: Version) -> bool:
    """Whether what is shown is what was expected: the same, or what the write made that told it."""
    told, seen = _TOLD.fullmatch(expect), _SHOWN.fullmatch(shown)
    if told is None or seen is None:
        return expect == shown
    size, began_s, ended_s = map(int, told.groups())
    in_time = began_s - SKEW_S <= int(seen[2]) // 1000 <= ended_s + SKEW_S
    return size == int(seen[1]) and began_s > 0 and in_time


def has_passed(version: Version, now_s: int) -> bool:
    """Whether the time in a version is over by the server's clock: whoever writes there now gets a later one."""
    seen = _SHOWN.fullmatch(version)
    return seen is not None and int(seen[2]) // 1000 + GRANULE_S + SKEW_S < now_s


def matching(told: Version, shown: Version, now_s: int) -> Version | None:
    """The version that is shown, if it is what was told, and for good."""
    if shown == ABSENT or not fits(told, shown):
        return None
    return shown if told != shown or has_passed(shown, now_s) else None
