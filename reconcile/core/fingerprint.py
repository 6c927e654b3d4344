"""The version of a local file: what changes whenever its content may have changed (the git index rule)."""

from __future__ import annotations

import re
from typing import Final

from reconcile.core.entry import Version

GRANULE_NS: Final = 50_000_000
"""Two edits closer than this may carry the same times on a fine-grained file system."""

COARSE_GRANULE_NS: Final = 2_000_000_000
"""The same where times are whole seconds (vfat: two)."""

_TIMES: Final = re.compile(r"[^-]+-(-?[^-]+)-(-?[^-]+)-")
"""A time before 1970 has a sign of its own."""


def local_version(size_bytes: int, mtime_ns: int, ctime_ns: int, inode: int) -> Version:
    """Size, modification time, change time and inode as one text; any difference means "look again"."""
    return Version(f"{size_bytes:x}-{mtime_ns:x}-{ctime_ns:x}-{inode:x}")


def changed_ns(version: Version) -> int:
    """When a file last changed in any way, its names included (Unix ns); `version` is a `local_version`."""
    return max(_times_ns(version))


def is_racy(version: Version, read_ns: int) -> bool:
    """Whether a file read at `read_ns` (Unix ns, when the reading began) could since have changed unseen.

    True while the newer of its two times is within one granule of the reading, or lies ahead of it.
    """
    times_ns = _times_ns(version)
    whole_seconds = all(time_ns % 1_000_000_000 == 0 for time_ns in times_ns)
    granule_ns = COARSE_GRANULE_NS if whole_seconds else GRANULE_NS
    return max(times_ns) >= read_ns - granule_ns


def _times_ns(version: Version) -> tuple[int, int]:
    times = _TIMES.match(version)
    assert times is not None, version
    return int(times[1], 16), int(times[2], 16)
