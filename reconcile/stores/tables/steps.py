"""What every database does in the same words; each a step of I/O that a test can fail or die at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from reconcile.core.errors import RefusedError
from reconcile.ports import io_step
from reconcile.stores.data.file import Column
from reconcile.stores.tables.engine import RESERVED, Binding, Session, Taking, quoted

if TYPE_CHECKING:
    import pyarrow as pa


def take(session: Session) -> None:
    """Before a table is taken from its readers, where they would wait behind us."""
    if isinstance(session, Taking):
        session.take()


@io_step("table.create")
def create(session: Session, name: str, columns: Sequence[tuple[str, str]]) -> None:
    """A new, empty table of (column, type); without constraints, which the rows of a file need not keep."""
    told = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns)
    session.run(f"CREATE TABLE {quoted(name)} ({told})")


@io_step("table.fill")
def fill(session: Session, name: str, batches: pa.RecordBatchReader) -> None:
    """Appends all rows."""
    session.fill(name, batches)


@io_step("table.rename")
def rename(session: Session, name: str, new: str) -> None:
    """Also to another spelling, which takes a name between the two."""
    take(session)
    between = f"{RESERVED}between" if name.casefold() == new.casefold() else ""
    for old, next_one in ((name, between), (between, new)) if between else ((name, new),):
        session.run(f"ALTER TABLE {quoted(old)} RENAME TO {quoted(next_one)}")


@io_step("table.drop")
def drop(session: Session, name: str) -> None:
    """With its indexes; absent is done."""
    take(session)
    session.run(f"DROP TABLE IF EXISTS {quoted(name)}")


@io_step("table.fill")
def bind(session: Binding, name: str, columns: Sequence[Column], values: Sequence[Sequence[Any]]) -> None:
    """The same of rows that are at hand."""
    session.bind(name, columns, values)


def check_carried(session: Session, name: str) -> None:
    """Rows go in and out as they are, with all that hangs on their table, or not at all."""
    if told := session.obstacles(name):
        message = f"this hangs on the table and cannot be carried over: {', '.join(told)}"
        raise RefusedError(message, op="replace", path=name, hint="drop it first, and make it anew afterwards")


def put_in_place(session: Session, new: str, name: str, aside: str) -> None:
    """Two renames, or a drop and a rename."""
    if aside:
        rename(session, name, aside)
    else:
        drop(session, name)
    rename(session, new, name)


@io_step("table.commit")
def commit(run: Callable[[], object]) -> None:
    """From here on it has happened."""
    run()
