"""What a stat of a local file says, in the words of the store."""

from __future__ import annotations

import os
import stat
import sys

from reconcile.core.entry import Entry, Kind, Version
from reconcile.core.errors import UnstableError
from reconcile.core.fingerprint import local_version


def version_of(seen: os.stat_result) -> Version:
    """The version of a file."""
    return local_version(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)


def is_executable(seen: os.stat_result) -> bool:
    """Whether it is a file its owner may run."""
    return stat.S_ISREG(seen.st_mode) and seen.st_mode & stat.S_IXUSR != 0


def entry_of(key: str, seen: os.stat_result) -> Entry:
    """The entry a listing would show, whatever its kind."""
    kind = Kind.SPECIAL
    for is_kind, its in ((stat.S_ISREG, Kind.FILE), (stat.S_ISDIR, Kind.DIRECTORY), (stat.S_ISLNK, Kind.SYMLINK)):
        if is_kind(seen.st_mode):
            kind = its
    return Entry(key, seen.st_size, version_of(seen), seen.st_mtime_ns, kind=kind, executable=is_executable(seen))


def check_held_still(fd: int, seen: os.stat_result) -> None:
    """Refuses what was read from an open file if the file is not as it was `seen` before the reading."""
    if version_of(os.fstat(fd)) != version_of(seen):
        raise UnstableError("changed while it was read")


def permissions(seen: os.stat_result | None, usual: int, *, executable: bool) -> int:
    """The mode of a file that takes the place of `seen`: who may read and write stays, who reads may execute or not."""
    kept = seen.st_mode & 0o666 if seen is not None and stat.S_ISREG(seen.st_mode) else usual
    return kept | 0o100 | (kept & 0o044) >> 2 if executable else kept


def folds_case(directory: str) -> bool:
    """Whether a directory takes `a` and `A` for one name, asked of the first of its names that has letters.

    One that has no such name, or is not there yet, is as directories of this system usually are.
    """
    try:
        with os.scandir(directory) as names:
            for found in names:
                other = found.name.swapcase()
                if other != found.name:
                    return _leads_to_the_same(found.path, f"{directory}/{other}")
    except OSError:
        pass
    return sys.platform in ("darwin", "win32")


def _leads_to_the_same(one: str, other: str) -> bool:
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False


def usual_umask() -> int:
    """The permissions this process does not give; asking changes them for a moment, and only to stricter ones."""
    usual = os.umask(0o077)
    os.umask(usual)
    return usual
