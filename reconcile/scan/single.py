"""A source that is one file: a listing of exactly one entry, whose key is its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
import stat

from reconcile.core.entry import Entry
from reconcile.core.errors import RefusedError
from reconcile.core.path import why_not_key
from reconcile.scan.entries import entry_of
from reconcile.scan.links import resolved
from reconcile.scan.system import REAL, Calls, translated
from reconcile.scan.walk import Symlinks


def single(path: str, *, symlinks: Symlinks = "skip", calls: Calls = REAL) -> Iterator[Entry]:
    """The entry of the file at `path`; its root is the directory it stands in. No filter is asked: it was named.

    Raises `NotFoundError`, `DeniedError`, and `RefusedError` for a directory or a name that cannot be a key.
    """
    root, name = str(PurePath(path).parent), PurePath(path).name
    why_not = why_not_key(name)
    if why_not is not None:
        raise RefusedError(why_not, op="scan", path=path)
    try:
        seen = calls.stat(path, follow_symlinks=False)
        if symlinks == "follow" and stat.S_ISLNK(seen.st_mode):
            seen = calls.stat(f"{root}/{resolved(root, name)}", follow_symlinks=False)
    except OSError as error:
        raise translated(error, "scan", path) from error
    if stat.S_ISDIR(seen.st_mode):
        raise RefusedError("is a directory, not one file", op="scan", path=path)
    yield entry_of(name, seen)
