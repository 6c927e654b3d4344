"""A state taken out (`pull`) and put back (`push`): a generation in place of a damaged state, a copy from elsewhere.

What is pushed becomes the newest commit: its number is above every one known here, so that saved plans, heads and other
copies of before are recognised as old.
"""

from __future__ import annotations

from contextlib import closing
import os
from pathlib import Path

from msgspec.structs import replace

from reconcile.core.errors import CorruptStateError, LineageError
from reconcile.ports import Clock, Lease
from reconcile.state import migrations, scopes
from reconcile.state.connection import backup, begin, commit, connect, looking
from reconcile.state.database import translated
from reconcile.state.fence import read_row, write_row
from reconcile.state.files import (
    beside,
    copy_file,
    make_directory,
    make_private,
    publish,
    set_aside_name,
    sync_directory,
    sync_file,
    temporary_beside,
)
from reconcile.state.generations import copy
from reconcile.state.head import Head, head_of, read_head, write_head
from reconcile.state.lease import acquire, given_back
from reconcile.state.opening import clear_side_files, examine
from reconcile.state.store import SqliteState, open_state


def pull(state: SqliteState, to: str) -> None:
    """Writes a whole, verified copy of the state to the file `to`."""
    with state.database.snapshot() as connection, translated(Path(to)):
        copy(connection, Path(to))


def push(path: str, source: str, *, force: bool = False, clock: Clock, timeout_s: float = 0.0) -> None:
    """Puts the state file `source` in the place of the state at `path`, of which a copy is kept.

    A readable state becomes a generation; `LineageError` if it is of another family or newer, unless `force`;
    `LockedError` if it is held. An unreadable one is kept as `….replaced-N`.
    """
    state = Path(path)
    examine(Path(source))
    make_directory(state.absolute().parent)
    with translated(state), temporary_beside(state) as temporary:
        with looking(Path(source)) as connection, closing(connect(temporary)) as target:
            backup(connection, target)
        current = _readable(state)
        if current is None:
            head = _take_place(state, temporary)
        else:
            with closing(current):
                lease = acquire(current, "state push", timeout_s=timeout_s, clock=clock)
                head = _overwrite(current, temporary, lease, force=force)
    write_head(state, head)


def _readable(state: Path) -> SqliteState | None:
    """The state that is to be replaced, None where there is none that can be read."""
    if not os.path.lexists(state):
        return None
    try:
        return open_state(str(state), write=True)
    except (CorruptStateError, LineageError):
        return None


def _take_place(state: Path, temporary: Path) -> Head:
    """By a rename, in the place of a file that cannot be read; its log must not be played into the new one."""
    head = _numbered(temporary, above=_last_serial(state))
    _set_aside(state)
    clear_side_files(state)
    publish(temporary, state)
    return head


def _overwrite(current: SqliteState, temporary: Path, lease: Lease, *, force: bool) -> Head:
    """In one transaction of the state itself, under its lease, so that whoever has it open sees old or new."""
    with given_back(lease):
        known = current.head()
        if not force:
            with closing(connect(temporary)) as source:
                _compare(scopes.meta(source), known, current.path)
        current.keep_generation()
        head = _numbered(temporary, above=known.serial, fence=lease.fence)
        with closing(connect(temporary)) as source:
            current.database.overwrite(source)
        return head


def _compare(pushed: scopes.Meta, known: Head, path: Path) -> None:
    where = {"op": "state push", "path": str(path), "hint": "reconcile state push --force"}
    if pushed.lineage != known.lineage:
        raise LineageError("the file is a state of another family", **where)
    if pushed.serial < known.serial:
        raise LineageError(f"the file is older: commit {pushed.serial}, here is {known.serial}", **where)


def _numbered(path: Path, *, above: int, fence: int = 0) -> Head:
    """Makes the state file its family's newest commit, free of any lease; returns its head.

    All of it is in the file itself then: a log would go into it when it is closed, and nobody hears when that fails.
    """
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        begin(connection)
        migrations.migrate(connection)
        meta = scopes.meta(connection)
        meta = replace(meta, serial=max(above, meta.serial) + 1)
        scopes.METAS.put(connection, [meta])
        rows = [replace(row, serial=meta.serial) for row in scopes.every(connection)]
        scopes.SCOPES.put(connection, rows)
        write_row(connection, max(fence, read_row(connection).fence) + 1, None)
        commit(connection)
    return head_of(meta, rows)


def _last_serial(state: Path) -> int:
    """The newest commit that the head of an unreadable state knows of."""
    try:
        head = read_head(state)
    except CorruptStateError:
        return 0
    return head.serial if head else 0


def _set_aside(state: Path) -> None:
    """Durably keeps a copy of a file that cannot be read, and of its log."""
    for suffix in ("", "-wal"):
        source = beside(state, suffix)
        if source.exists():
            kept = set_aside_name(state, suffix)
            make_private(kept)
            copy_file(source, kept)
            sync_file(kept)
    sync_directory(state.absolute().parent)
