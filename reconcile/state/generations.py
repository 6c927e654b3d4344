"""Older copies of a state, `reconcile.db.g<commit>`: what is offered when the state itself is damaged.

A copy is read completely before it takes its name, so a damaged state never drives out a good generation.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
import re
import sqlite3
import time
from typing import Final

from reconcile.state.connection import backup, connect
from reconcile.state.files import beside, rename, replacing, set_aside_name, touch, unlink
from reconcile.state.scopes import meta
from reconcile.state.verify import UNREADABLE, verify_file

KEPT: Final = 3
"""So many generations are kept."""

EVERY_S: Final = 600.0
"""A run makes a generation only if the newest is older than this."""


def generations(state: Path) -> list[tuple[int, Path]]:
    """The generations of a state as (commit, file), newest first; unread."""
    return _numbered(state, "g")


def newest_readable(state: Path) -> Path | None:
    """The newest generation that is whole."""
    return _first_whole(path for _, path in generations(state))


def outlive(state: Path) -> None:
    """The generations of a state that is gone become `….replaced-N`, the newest last.

    What begins in its place is another family: its own generations would take their names, or drive them out. Their age
    is counted from now.
    """
    for _, path in reversed(generations(state)):
        touch(path)
        rename(path, set_aside_name(state))


def left_of_lost(state: Path) -> Path | None:
    """The newest whole copy of a state that is gone, or was replaced."""
    return newest_readable(state) or _first_whole(path for _, path in _numbered(state, "replaced-"))


def _numbered(state: Path, word: str) -> list[tuple[int, Path]]:
    """The files `….<word>N` beside a state, the highest N first."""
    name = re.compile(re.escape(f"{state.name}.{word}") + r"(\d+)")
    found = [(int(match[1]), path) for path in state.parent.glob("*") if (match := name.fullmatch(path.name))]
    return sorted(found, reverse=True)


def _first_whole(paths: Iterable[Path]) -> Path | None:
    for path in paths:
        with suppress(*UNREADABLE):
            verify_file(path)
            return path
    return None


def way_out(state: Path) -> str:
    """What to do when a state cannot be used."""
    generation = newest_readable(state)
    if generation is not None:
        return f"reconcile state push {generation}"
    return f"reconcile state push FILE with a copy of yours, or move {state} away and run reconcile adopt"


def due(state: Path) -> bool:
    """Whether the next run should make a generation."""
    for _, path in generations(state)[:1]:
        return not 0 <= time.time() - path.stat().st_mtime < EVERY_S
    return True


def keep_generation(state: Path, connection: sqlite3.Connection) -> None:
    """Copies what `connection` sees into a new generation and removes the oldest ones."""
    copy(connection, beside(state, f".g{meta(connection).serial}"))
    for _, old in generations(state)[KEPT:]:
        with suppress(OSError):
            unlink(old)


def copy(connection: sqlite3.Connection, path: Path) -> None:
    """A whole, verified copy of a state at `path`; what was there before stays until then."""
    with replacing(path) as temporary:
        with closing(connect(temporary)) as target:
            backup(connection, target)
        verify_file(temporary)
