"""Versions where no service tells one: sizes and times, as exactly as each call knows them.

`5.1764236400123` is *shown* by a listing: 5 bytes, and Unix milliseconds. `5~1764236400` is *seen* in the head of an
answer, which has whole seconds. `5@1764236399-1764236401` is *told* of a write: 5 bytes, written while the server's
clock went from one second to the other. Whoever else writes within that span, and just as many bytes, is not told
apart: that is the window of which plans speak.
"""

from __future__ import annotations

from collections.abc import Sequence
import re
from typing import Final

from reconcile.core.entry import Version
from reconcile.stores.databricks.client import Reply

SKEW_S: Final = 1
"""So far the clocks of a workspace and of its storage may be apart, before a write is taken for somebody else's."""

_SHOWN: Final = re.compile(r"([0-9]+)\.([0-9]+)(?:\..+)?")
_SEEN: Final = re.compile(r"([0-9]+)~([0-9]+)")
_TOLD: Final = re.compile(r"([0-9]+)@([0-9]+)-([0-9]+)")


def shown_version(size: int, mtime_ms: int, more: str = "") -> Version:
    """The version of what a listing shows; `more` is what else tells one file from the next."""
    return Version(f"{size}.{mtime_ms}" + (f".{more}" if more else ""))


def seen_version(size: int, mtime_s: int) -> Version:
    """The version of what the head of an answer shows."""
    return Version(f"{size}~{mtime_s}")


def told_version(size: int, replies: Sequence[Reply]) -> Version:
    """The version of what a write has made, by the answers to its first and to its last request."""
    return Version(f"{size}@{replies[0].began_s}-{replies[-1].ended_s}")


def size_of(version: Version) -> int:
    """The size in a version, 0 for none."""
    digits = re.match(r"[0-9]+", version)
    return int(digits[0]) if digits else 0


def fits(expect: Version, there: Version) -> bool:
    """Whether what is there is what was expected, as far as the coarser of the two can tell."""
    if expect == there:
        return True
    found = _size_and_second(there)
    if told := _TOLD.fullmatch(expect):
        size, began_s, ended_s = map(int, told.groups())
        in_time = found is not None and began_s - SKEW_S <= found[1] <= ended_s + SKEW_S
        return found is not None and size == found[0] and began_s > 0 and in_time
    is_coarse = _SEEN.fullmatch(there) or _SEEN.fullmatch(expect)
    return bool(is_coarse) and found is not None and found == _size_and_second(expect)


def is_fine(version: Version) -> bool:
    """Whether a time that is shown is none of a storage that keeps whole seconds."""
    shown = _SHOWN.fullmatch(version)
    return shown is not None and int(shown[2]) % 1000 > 0


def has_passed(version: Version, now_s: int, *, fine: bool) -> bool:
    """Whether the time in a version is over by the server's clock: whoever writes there now gets a later one.

    `fine` where the storage is known to keep milliseconds: then a time is over as soon as it is told.
    """
    shown = _SHOWN.fullmatch(version)
    if shown is None:
        return False
    second = int(shown[2]) // 1000
    return second <= now_s + SKEW_S if fine else second + 1 + SKEW_S <= now_s


def _size_and_second(version: Version) -> tuple[int, int] | None:
    if shown := _SHOWN.fullmatch(version):
        return int(shown[1]), int(shown[2]) // 1000
    seen = _SEEN.fullmatch(version)
    return (int(seen[1]), int(seen[2])) if seen else None
