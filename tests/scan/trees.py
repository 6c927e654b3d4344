"""Trees to scan, and what a scan of them says."""

from collections.abc import Mapping
import os
from pathlib import Path
import socket

from reconcile.core.entry import Entry, Kind, Problem
from reconcile.scan.filters import Filter, Rules
from reconcile.scan.walk import walk

EVERYTHING = Rules()


def plant(root: Path, files: Mapping[str, bytes | str | None]) -> Path:
    """Makes files with their parents; a key with a slash at the end is an empty directory."""
    for key, content in files.items():
        path = root / key
        if key.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content or b"")
    return root


def scan(root, under="", *, rules=EVERYTHING, **options):
    return list(walk(str(root), under, selection=Filter(rules), **options))


def keys(items):
    return [item.key for item in items if isinstance(item, Entry)]


def problems(items):
    return [item for item in items if isinstance(item, Problem)]


def kinds(items):
    return {item.key: item.kind for item in items if isinstance(item, Entry)}


def special(path: Path) -> None:
    """A socket, which nobody may open as a file."""
    with socket.socket(socket.AF_UNIX) as end:
        here = os.open(".", os.O_RDONLY)
        try:
            os.chdir(path.parent)
            end.bind(path.name)
        finally:
            os.fchdir(here)
            os.close(here)


__all__ = ["EVERYTHING", "Kind", "keys", "kinds", "plant", "problems", "scan", "special"]
