"""What lies beside a state and has had its day: copies to fall back on that are old, files of dead processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import re
from typing import Final, Literal

from msgspec import Struct

from reconcile.core.entry import ABSENT, Version
from reconcile.state.generations import generations, newest_readable

Kind = Literal["generations", "commits"]

_DEAD: Final = r"\.new-[0-9a-f]{12}(-wal|-shm|-journal)?"
_SET_ASIDE: Final = r"\.replaced-\d+(-wal)?"


class Outdated(Struct, frozen=True):
    """One file, or one object of a shared state at its version."""

    kind: Kind
    name: str
    size_bytes: int
    version: Version = ABSENT


def outdated_files(state: Path, before_s: float, dead_before_s: float) -> Iterator[Outdated]:
    """The files beside `state` that are needed no more: copies from before `before_s`, and what dead processes left.

    Both are Unix seconds. The newest generation that is whole stays, however old it is, and so does what a migration
    kept; a file that a process may be writing is dead only if nothing was written to it since `dead_before_s`.
    """
    kept = newest_readable(state)
    copies = [path for _, path in generations(state) if path != kept]
    copies += _beside(state, _SET_ASIDE)
    limits = [*((path, before_s) for path in copies), *((path, dead_before_s) for path in _beside(state, _DEAD))]
    for path, limit_s in limits:
        seen = path.lstat()
        if seen.st_mtime < limit_s:
            yield Outdated("generations", str(path), seen.st_size)


def _beside(state: Path, suffix: str) -> list[Path]:
    pattern = re.compile(re.escape(state.name) + suffix)
    return sorted(path for path in state.parent.glob("*") if pattern.fullmatch(path.name))
