"""Temporary files below a root: what writes under way have there now, and what dead ones left."""

from __future__ import annotations

from collections.abc import Iterator
import os
import stat
from typing import Final

from reconcile.core.entry import Cover, Problem
from reconcile.core.errors import StoreError
from reconcile.core.path import CONTROL_DIR, TEMP_PREFIX, is_control, is_utf8
from reconcile.ports import Leftover
from reconcile.stores.confine import Root
from reconcile.stores.disk import translated

_ANY_NAME: Final = "x"
"""A key in a directory leads to the directory."""


def unfinished(root: Root) -> Iterator[Leftover | Problem]:
    """Every file below the root that bears a temporary name; what cannot be looked into is a `Problem`."""
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        try:
            found, below = _look(root, directory)
        except StoreError as error:
            yield Problem(directory, error.message, Cover.TREE, hint=error.hint)
            continue
        waiting += below
        yield from found


def _look(root: Root, directory: str) -> tuple[list[Leftover], list[str]]:
    """The temporary files of one directory, and the directories in it where more may be."""
    prefix = f"{directory}/" if directory else ""
    found, below = [], []
    with translated("list", directory), root.spot(prefix + _ANY_NAME) as spot, os.scandir(spot.directory) as names:
        for name in names:
            if name.name.startswith(TEMP_PREFIX):
                seen = name.stat(follow_symlinks=False)
                if stat.S_ISREG(seen.st_mode):
                    mark, last_ns = name.name.removeprefix(TEMP_PREFIX), max(seen.st_mtime_ns, seen.st_ctime_ns)
                    found.append(Leftover(prefix + name.name, mark, last_ns, seen.st_size))
            elif name.is_dir(follow_symlinks=False) and _may_hold_ours(name.name, directory):
                below.append(prefix + name.name)
    return found, below


def _may_hold_ours(name: str, directory: str) -> bool:
    """Whether we ever write into a directory of this name."""
    return is_utf8(name) and (not is_control(name) or (name == CONTROL_DIR and not directory))
