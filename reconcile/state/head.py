"""The head: a small file beside the state that says which commit is the newest.

It is replaced (temporary file, fsync, rename, fsync of the directory) after each commit. A state that is older than its
head was restored from a copy, or lost the end of its write-ahead log: SQLite takes a damaged log for a short one and
says nothing. A state that is newer than its head is fine: the process ended between the commit and its head. A missing
head proves nothing against the state and is written again with the next commit; an unreadable one is damage.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from reconcile.core.errors import LineageError
from reconcile.state.codec import check, wrap
from reconcile.state.database import damaged, translated
from reconcile.state.files import beside, replacing, write
from reconcile.state.generations import way_out
from reconcile.state.scopes import Meta, ScopeRow


class Head(Struct, frozen=True):
    """Family, number and content (a sum over the scopes and the sums of their records) of one commit."""

    lineage: str
    serial: int
    total: int


def head_of(meta: Meta, scopes: list[ScopeRow]) -> Head:
    """The head that a state with these scopes has."""
    total = sum(check([row.id, row.serial, row.total, row.count, row.completed]) for row in scopes)
    return Head(meta.lineage, meta.serial, wrap(total))


def head_path(state: Path) -> Path:
    """Where the head of a state lies."""
    return beside(state, ".head")


def write_head(state: Path, head: Head) -> None:
    """Makes `head` the durable head of `state`."""
    with translated(state), replacing(head_path(state)) as temporary:
        write(temporary, msgspec.json.encode(head) + b"\n")


def read_head(state: Path) -> Head | None:
    """The head, None where there is no file; `CorruptStateError` when it cannot be read."""
    try:
        return msgspec.json.decode(head_path(state).read_bytes(), type=Head)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # not JSON, not UTF-8, not a head
        raise damaged(f"its head is unreadable ({error})", state) from error


def compare(head: Head | None, found: Head, path: Path) -> None:
    """Refuses a state that is of another family than its head, older than it, or another one of the same number."""
    if head is None:
        return
    if found.lineage != head.lineage:
        raise _foreign("this state and the head beside it belong to different families", path)
    if found.serial < head.serial:
        raise _foreign(f"it is older than its head: commit {found.serial}, the newest was {head.serial}", path)
    if found.serial == head.serial and found.total != head.total:
        raise damaged(f"it is not the commit {head.serial} that its head tells of", path)


def _foreign(told: str, path: Path) -> LineageError:
    return LineageError(told, op="state", path=str(path), hint=way_out(path))
