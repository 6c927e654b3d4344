"""The head: a small file beside the state that says which commit is the newest.

It is replaced (temporary file, fsync, rename, fsync of the directory) after each commit. A state that is older than its
head was restored from a copy, or lost the end of its write-ahead log: SQLite takes a damaged log for a short one and
says nothing. A state that is newer is fine: the process ended between the commit and its head. A missing head proves
nothing against the state and is written again with the next commit; an unreadable one is damage.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from reconcile.core.errors import CorruptStateError, LineageError, StateError
from reconcile.state.codec import check, wrap
from reconcile.state.files import replace_file
from reconcile.state.scopes import Meta, ScopeRow


class Head(Struct, frozen=True):
    """Family, number and content (a sum over the scopes and the sums of their records) of the newest commit."""

    lineage: str
    serial: int
    total: int


def head_of(meta: Meta, scopes: list[ScopeRow]) -> Head:
    """The head that a state with these scopes has."""
    total = sum(check([row.id, row.serial, row.total, row.count, row.completed]) for row in scopes)
    return Head(meta.lineage, meta.serial, wrap(total))


def head_path(state: str) -> str:
    """Where the head of a state lies."""
    return state + ".head"


def write_head(state: str, head: Head) -> None:
    """Makes `head` the durable head of `state`."""
    try:
        replace_file(head_path(state), msgspec.json.encode(head) + b"\n")
    except OSError as error:
        raise StateError(f"its head cannot be written: {error}", op="state", path=state) from error


def read_head(state: str) -> Head | None:
    """The head, None where there is no file; `CorruptStateError` when it cannot be read."""
    path = head_path(state)
    try:
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(), type=Head)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise CorruptStateError(f"the head of the state is damaged: {error}", op="state", path=path) from error


def compare(head: Head | None, found: Head, path: str) -> None:
    """Refuses a state that is of another family than its head, older than it, or another one of the same number."""
    if head is None:
        return
    if found.lineage != head.lineage:
        raise LineageError("this state belongs to another family than the head beside it", op="state", path=path)
    if found.serial < head.serial:
        told = f"it is older than its head: commit {found.serial}, the newest was {head.serial}"
        raise LineageError(told, op="state", path=path)
    if found.serial == head.serial and found.total != head.total:
        raise CorruptStateError(f"it is not the commit {head.serial} its head tells of", op="state", path=path)
