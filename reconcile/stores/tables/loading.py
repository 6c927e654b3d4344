"""Loads one data file into a table that nobody looks at yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from secrets import token_hex
import time
from typing import TYPE_CHECKING, Final

import msgspec

from reconcile.core.counts import plural
from reconcile.core.errors import DamagedError, NotFoundError, RefusedError
from reconcile.ports import Body
from reconcile.stores.data.append import grown_part
from reconcile.stores.data.file import Column, DataError, DataFile, EarlyError, Grown, Reject, ShapeError
from reconcile.stores.data.reading import read_data
from reconcile.stores.recipe import Recipe
from reconcile.stores.tables.columns import aligned, differing, evolved, same
from reconcile.stores.tables.content import Content
from reconcile.stores.tables.engine import REJECTED, RESERVED, Binding, Engine, Made, Session, quoted
from reconcile.stores.tables.ledger import LOADING, Ledger, Row
from reconcile.stores.tables.steps import bind, create, drop, fill

if TYPE_CHECKING:
    import pyarrow as pa

MOST_LOADS: Final = 20
"""After so many appends a table is loaded as a whole again, where the database notes each of them."""

_REJECT_COLUMNS: Final = (
    Column("line", "integer"),
    Column("column", "text"),
    Column("reason", "text"),
    Column("raw", "text"),
)


class Loader:
    """Loads files into one database. `recipe` stands for how they are read."""

    def __init__(self, engine: Engine, recipe: Recipe) -> None:
        self._engine = engine
        self._recipe = recipe
        self.recipe = recipe.digest

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell rows apart."""
        return self._recipe.key

    def typed(self, columns: Iterable[Column]) -> tuple[tuple[str, str], ...]:
        """The columns with their types as the database names them."""
        return tuple((column.name, self._engine.type_of(column)) for column in columns)

    def load(self, content: Content, body: Body, load: str, before: Row | None) -> Row:
        """A row of the ledger for the filled table, which has no key yet. `before` is what it will replace."""
        content.begin()

        def staged(*, pin: bool, early: bool = False) -> Row:
            opened = self.opened(content, body, before, pin=pin, early=early)
            with opened as data, self._engine.session(write=True) as session:
                return _noted(session, self.filled(session, data, before, load))

        return self.finished(self._trying_early(staged, before), content, body)

    def grown(self, content: Content, body: Body, before: Row) -> Grown | None:
        """The part of a file that came since it was loaded, where it may simply have grown."""
        found = before.found
        if found is None or before.recipe != self.recipe or before.rejected or before.upto:
            return None
        if before.mark.count(",") >= MOST_LOADS:
            return None
        name = body.origin or "table.csv"
        part = grown_part(content.path, name, found, loaded_bytes=before.size, loaded_rows=before.rows)
        return None if isinstance(part, str) else part

    def load_grown(self, content: Content, body: Body, load: str, before: Row, part: Grown) -> Row | None:
        """A table with only the rows of that part; None when the file did not simply grow."""
        content.begin(mark_bytes=before.size)
        name = body.origin or "table.csv"
        try:
            with (
                closing(read_data(content.path, name, self._recipe.reading, pinned=before.found, grown=part)) as data,
                self._engine.session(write=True) as session,
            ):
                row = _noted(session, self.filled(session, data, before, load))
        except DataError:  # a full load tells best what is wrong
            return None
        if row.rejected or not content.begins_with(before.source_digest):
            return None
        return self.finished(row, content, body)

    def trying(self, work: Callable[..., Made], before: Row | None) -> Made:
        """`work(pin=True)`; where the pinned types turn out not to hold, `work(pin=False)`."""
        with _keeping(before):
            try:
                return work(pin=True)
            except ShapeError:
                return work(pin=False)

    def _trying_early(self, work: Callable[..., Made], before: Row | None) -> Made:
        """As `trying`, but rows are loaded in a first pass that also proves them; what it does not is not kept."""
        with _keeping(before), suppress(EarlyError):
            try:
                return work(pin=True, early=True)
            except EarlyError:
                raise
            except ShapeError:
                return work(pin=False)
        return self.trying(work, before)

    def finished(self, row: Row, content: Content, body: Body) -> Row:
        """The row, with what stands only when the source has proven that it held still."""
        return msgspec.structs.replace(row, digest=content.finish().hex(), size=body.size_bytes)

    @contextmanager
    def opened(
        self, content: Content, body: Body, before: Row | None, *, pin: bool = True, early: bool = False
    ) -> Iterator[DataFile]:
        """The file, open. Types that were found before are tried first: that spares a pass, and they stay if they fit.

        Where the pinned types turn out not to hold only while the rows stream, that is a `ShapeError`. `early`: types
        may also be those of the first rows, where they decide on nothing before all others were seen.
        """
        same = before is not None and before.recipe == self.recipe
        pinned = before.found if before is not None and same and pin else None
        early = early and (pinned is not None or before is None or before.found is None)
        name = body.origin or "table.csv"
        with ExitStack() as opened, _keeping(before):
            try:
                data = read_data(content.path, name, self._recipe.reading, pinned=pinned, early=early)
            except ShapeError:
                data = read_data(content.path, name, self._recipe.reading)
            opened.callback(data.close)
            if not data.shape.columns:
                hint = "a header alone makes an empty table; to drop the table, delete the file"
                raise RefusedError("is empty: there is no table in it", op="load", path=name, hint=hint)
            yield data

    def columns(self, data: DataFile, before: Row | None) -> tuple[Column, ...]:
        """Those the table will have; `RefusedError` where the spec, or the database, does not let it."""
        columns = self._wanted(data, before)
        if why := self._engine.limits.why_not(columns):
            raise RefusedError(why, op="load", path=before.key if before else "", hint="change the header of the file")
        return columns

    def _wanted(self, data: DataFile, before: Row | None) -> tuple[Column, ...]:
        found, old = data.shape.columns, before.found if before is not None else None
        if old is None or self._recipe.on_schema_change == "replace" or same(old.columns, found):
            return found
        if self._recipe.on_schema_change == "evolve":
            return evolved(old.columns, found)
        told = ", ".join(column.name for column in differing(old.columns, found))
        hint = "put the columns back, or say on_schema_change: replace or evolve"
        raise RefusedError(f"its columns would change: {told}", op="load", path=before.key if before else "", hint=hint)

    def abandon(self, load: str) -> None:
        """Drops what a load filled, if it is there."""
        with suppress(NotFoundError), self._engine.session(write=True) as session:
            if LOADING + load in {row.key for row in Ledger(session).rows()}:
                drop_with_rejects(session, staging(load))
                Ledger(session).drop(LOADING + load)

    def duplicate(self, session: Session, row: Row) -> Row:
        """A table of its own with the same rows."""
        load = token_hex(8)
        name = staging(load)
        if row.found is not None:
            create(session, name, self.typed(row.found.columns))
            where = session.first(row.name, row.upto, row.mark) if row.upto else "TRUE"
            session.run(f"INSERT INTO {quoted(name)} SELECT * FROM {quoted(row.name)} WHERE {where}")
        else:
            session.run(f"CREATE TABLE {quoted(name)} AS SELECT * FROM {quoted(row.name)}")
        copy = msgspec.structs.replace(row, key=LOADING + load, name=name, load=load, rejected=0, edits=0, upto=0)
        Ledger(session).put(copy)
        seen = session.settle(name, load)
        return msgspec.structs.replace(copy, mark=seen.mark, checksum=session.checksum(name), rows=seen.rows)

    def filled(self, session: Session, data: DataFile, before: Row | None, load: str, *, name: str = "") -> Row:
        """A table with the rows of a file: one that nobody looks at, or at once under its `name`.

        The ledger is not told: what the transaction leaves behind may be another row.
        """
        columns = self.columns(data, before)
        Ledger(session).make()
        row = Row(LOADING + load, name or staging(load), load, made_ns=time.time_ns())
        if not name:
            drop_with_rejects(session, row.name)  # of an earlier, killed try of this very load
        create(session, row.name, self.typed(columns))
        with _own_error(data):
            _fill(session, row.name, data, columns)
        if data.rejects:
            create(session, row.name + REJECTED, self.typed(_REJECT_COLUMNS))
            fill(session, row.name + REJECTED, _rejected(data.rejects))
        seen = session.settle(row.name, load)
        if seen.rows != data.row_count:
            message = f"holds {seen.rows:,} rows, not the {data.row_count:,} that were read"
            raise DamagedError(message, op="load", path=row.name)
        return msgspec.structs.replace(
            row,
            rows=seen.rows,
            rejected=len(data.rejects),
            mark=seen.mark,
            checksum=session.checksum(row.name),
            recipe=self.recipe,
            shape=msgspec.json.encode(msgspec.structs.replace(data.shape, columns=columns)).decode(),
        )


def _noted(session: Session, row: Row) -> Row:
    """In the ledger, whose table is what the next transaction puts in place, or a cleanup finds."""
    Ledger(session).put(row)
    return row


def _fill(session: Session, name: str, data: DataFile, columns: tuple[Column, ...]) -> None:
    """All rows of a file, as they are at hand where that is enough."""
    if isinstance(session, Binding) and columns == data.shape.columns and (values := data.values()) is not None:
        bind(session, name, columns, values)
    else:
        fill(session, name, aligned(data, columns))


def staging(load: str) -> str:
    """The name of a table while it is filled."""
    return f"{RESERVED}load_{load}"


def drop_with_rejects(session: Session, name: str) -> None:
    """A table that is being filled, and that of its rejects: both names are ours alone, whatever they hold."""
    drop(session, name)
    drop(session, name + REJECTED)


def has_rejects(session: Session, name: str) -> bool:
    """Whether the rejects of a table are there; what somebody made instead of them is not ours to rename or drop."""
    columns = [column for column, _ in session.columns(name + REJECTED)]
    if columns and columns != [column.name for column in _REJECT_COLUMNS]:
        message, hint = "has other columns than rows that were put aside", "rename it: such rows need the name"
        raise RefusedError(message, op="replace", path=name + REJECTED, hint=hint)
    return bool(columns)


@contextmanager
def _own_error(data: DataFile) -> Iterator[None]:
    """What was wrong with the file, where the database only says that its stream broke."""
    try:
        yield
    except Exception as error:
        if data.failure is not None and data.failure is not error:
            raise data.failure from error
        raise


@contextmanager
def _keeping(before: Row | None) -> Iterator[None]:
    """What is wrong with a file is said together with what that means for the table."""
    try:
        yield
    except ShapeError:
        raise
    except DataError as error:
        kept = f". The table keeps its {plural(before.rows, 'row')}." if before is not None and before.load else ""
        if not error.message.endswith(kept):  # an inner try may have said it
            error.message = error.message.rstrip(".") + kept
        raise


def _rejected(rejects: tuple[Reject, ...]) -> pa.RecordBatchReader:
    import pyarrow as pa  # noqa: PLC0415 - heavy

    table = pa.table(
        {
            "line": pa.array([each.line for each in rejects], pa.int64()),
            "column": pa.array([each.column for each in rejects], pa.string()),
            "reason": pa.array([each.reason for each in rejects], pa.string()),
            "raw": pa.array([each.text for each in rejects], pa.string()),
        }
    )
    return table.to_reader()
