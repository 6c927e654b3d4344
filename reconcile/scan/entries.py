"""What a stat says, as an Entry."""

from __future__ import annotations

import os
import stat

from reconcile.core.entry import Digest, Entry, Kind
from reconcile.core.fingerprint import local_version

OWNER_EXECUTES = stat.S_IXUSR


def kind_of(mode: int) -> Kind:
    """The kind of thing a mode describes; FIFOs, sockets and devices are `SPECIAL`."""
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISDIR(mode):
        return Kind.DIRECTORY
    return Kind.SYMLINK if stat.S_ISLNK(mode) else Kind.SPECIAL


def entry_of(key: str, seen: os.stat_result, digest: Digest | None = None) -> Entry:
    """The entry of `key` as `seen`."""
    version = local_version(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)
    kind = kind_of(seen.st_mode)
    executable = kind is Kind.FILE and seen.st_mode & OWNER_EXECUTES != 0
    return Entry(key, seen.st_size, version, seen.st_mtime_ns, digest, kind, executable)
