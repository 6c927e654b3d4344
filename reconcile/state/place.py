"""Whether a directory lies on a disk of this machine: SQLite's log needs memory that all its processes share."""

from __future__ import annotations

from pathlib import Path
import re
from typing import Final

LOCAL: Final = frozenset(
    {"apfs", "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "hfsplus", "jfs", "msdos", "ntfs"}
    | {"ntfs3", "overlay", "ramfs", "reiserfs", "rootfs", "tmpfs", "ubifs", "vfat", "xfs", "zfs"}
)
"""Types of file systems that one machine alone has open."""

MOUNTS: Final = Path("/proc/self/mountinfo")


def is_local(path: str, mounts: Path = MOUNTS) -> bool:
    """Whether `path` (it need not exist) is on a known local file system; True where the system does not tell."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return True
    kinds = {_unescaped(line.split()[4]): line.partition(" - ")[2].split()[0] for line in lines}
    where = Path(path).resolve()
    found = (kinds[str(place)] for place in [where, *where.parents] if str(place) in kinds)
    return next(found, "rootfs") in LOCAL


def _unescaped(path: str) -> str:
    r"""A path as the kernel shows it, with `\040` for a space, as it is."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)
