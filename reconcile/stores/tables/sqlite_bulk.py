"""Many rows into a SQLite file at once: they are written beside it, and copied over as they lie on its pages.

Python binds values one by one, which takes several times as long as SQLite does for the rest. So another driver writes
the rows, an Arrow batch at a time, into a private file that nobody else opens; our own library, which alone may touch
the real file, attaches it when it is complete and takes the rows over as records, without looking into them. What is
lost with the private file is only time: it is written without a journal and never flushed. A large table comes in
several such files, one after the other: while the rows of one are taken over, the next is written.

It stands beside the database, where there must be room for the table anyway, under one name, which it loses as soon as
it is complete: whoever fills it holds the right to write to the database, so what lies there with our mark was left by
a load that was killed. What lies there
without it is somebody else's; then rows are bound one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
import os
from pathlib import Path
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from reconcile.ports import io_step
from reconcile.stores.tables.engine import RESERVED, quoted
from reconcile.stores.tables.sqlite_errors import driver_translated
from reconcile.stores.tables.values import has_nan, plain_rows

if TYPE_CHECKING:
    import pyarrow as pa

BULK_ROWS: Final = 20_000
"""From so many rows in a batch on it pays to fill a file of its own."""

PART_BYTES: Final = 64 << 20
"""So many bytes of rows go into the first file, into each other half as many more than into the one before."""

MOST_PARTS: Final = 7 if os.name == "posix" else 1
"""SQLite has no more than ten databases attached at once. Where an open file keeps its name there is one."""

SUFFIX: Final = "-reconcile"
"""What the private file is called after the database, as SQLite calls its own `-wal`."""

MARK: Final = 0x72636E63
"""The application id of the private file, which SQLite keeps at `_MARK_AT` in its header from its first page on."""

_MARK_AT: Final = slice(68, 72)

_ROWS: Final = f"{RESERVED}rows"
_UNSAFE: Final = ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "PRAGMA locking_mode=EXCLUSIVE")
_OURS: Final = f"PRAGMA application_id={MARK}"
_INTO: Final = {"adbc.ingest.target_table": _ROWS, "adbc.ingest.mode": "adbc.ingest.mode.append"}


class Bulk:
    """Fills tables of one transaction. `connection` has begun it; `close` comes after its end."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._path = path + SUFFIX
        self._attached: list[str] = []

    def fill(self, name: str, batches: Iterator[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        """Appends rows to the table `name`; returns the batches that are left.

        They begin with one that the other driver would not write as it is: it takes not-a-number for NULL.
        """
        first = next(batches, None)
        if first is None or first.num_rows < BULK_ROWS or has_nan(first):
            return chain([first] if first is not None else (), batches)
        parts = _Parts(first, batches)
        with ThreadPoolExecutor(1) as beside:
            self._take_over(name, parts, beside)
        return parts.left()

    def close(self) -> None:
        """Lets go of the private files, which are gone with that."""
        for name in self._attached:
            self._connection.execute(f"DETACH {name}")

    def _take_over(self, name: str, parts: _Parts, beside: ThreadPoolExecutor) -> None:
        """All parts for which there is a private file, until the first for which there is none."""
        path, beginning = Path(self._path).absolute(), tuple(self._beginning(name))
        ours = _made(path)
        try:
            writing = beside.submit(_write, path, beginning, parts.next()) if ours else None
            while writing is not None:
                writing.result()
                private = self._attach(path)
                with suppress(OSError):  # where a file that is open keeps its name, the next load takes it away
                    path.unlink()
                ours = parts.more and _made(path)
                writing = beside.submit(_write, path, beginning, parts.next()) if ours else None
                self._connection.execute(f"INSERT INTO main.{quoted(name)} SELECT * FROM {private}.{_ROWS}")
        except BaseException:
            parts.stop()
            beside.shutdown()
            if ours:
                with suppress(OSError):
                    path.unlink()
            raise

    def _beginning(self, name: str) -> Iterator[str]:
        """What makes a file whose rows are records of the table: as it is told, types and encoding make the record."""
        [(encoding,)] = self._connection.execute("PRAGMA main.encoding").fetchall()
        yield f"PRAGMA encoding='{encoding}'"
        yield from _UNSAFE
        yield _OURS
        kinds = self._connection.execute("SELECT type FROM pragma_table_info(?) ORDER BY cid", (name,)).fetchall()
        columns = ", ".join(f"c{position} {kind}" for position, (kind,) in enumerate(kinds))
        yield f"CREATE TABLE {_ROWS} ({columns})"

    def _attach(self, path: Path) -> str:
        """Once the file is attached it needs no name any more, and goes when it is let go of."""
        private = f"{RESERVED}bulk{len(self._attached)}"
        self._connection.execute(f"ATTACH ? AS {private}", (str(path),))
        self._attached.append(private)
        return private


def left_beside(path: str) -> os.stat_result | None:
    """The private file beside the database at `path`, by its mark: a load fills it, or was killed while it did."""
    private = Path(path + SUFFIX)
    with suppress(OSError):
        return private.stat() if _is_left(private) and private.stat().st_size else None
    return None


def clear_beside(path: str) -> None:
    """Removes that file; the caller holds the right to write to the database, so nobody is filling it."""
    if left_beside(path) is not None:
        Path(path + SUFFIX).unlink(missing_ok=True)


class _Parts:
    """A stream of batches, one part of it after the other; it ends before a batch that the other driver would spoil."""

    def __init__(self, first: pa.RecordBatch, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._next: pa.RecordBatch | None = first
        self._spoiled: pa.RecordBatch | None = None
        self._taken = 0
        self._stopped = False

    @property
    def more(self) -> bool:
        """Whether there is another part, once all batches of those before are taken."""
        return self._next is not None

    def next(self) -> Iterator[pa.RecordBatch]:
        """The batches of the next part, which there must be; of the last that there may be, all the rest."""
        most_bytes = PART_BYTES * 1.5**self._taken
        self._taken += 1
        size_bytes = 0
        while (batch := self._next) is not None and not self._stopped:
            yield batch
            size_bytes += batch.nbytes
            self._next = next(self._batches, None)
            if self._next is not None and has_nan(self._next):
                self._next, self._spoiled = None, self._next
            if size_bytes >= most_bytes and self._taken < MOST_PARTS:
                return

    def stop(self) -> None:
        """Nobody wants the rest of the part that is being taken."""
        self._stopped = True

    def left(self) -> Iterator[pa.RecordBatch]:
        """What is in no part."""
        return chain((batch for batch in (self._next, self._spoiled) if batch is not None), self._batches)


@io_step("table.bulk")
def _write(path: Path, beginning: Sequence[str], batches: Iterator[pa.RecordBatch]) -> None:
    import adbc_driver_manager as adbc  # noqa: PLC0415 - only for who loads many rows
    import adbc_driver_sqlite  # noqa: PLC0415

    with (
        driver_translated(str(path)),
        adbc_driver_sqlite.connect(path.as_uri()) as database,
        adbc.AdbcConnection(database) as private,
    ):
        for sql in beginning:
            _run(private, sql)
        with adbc.AdbcStatement(private) as statement:
            statement.set_options(**_INTO)
            statement.bind_stream(plain_rows(batches))
            statement.execute_update()


def _made(path: Path) -> bool:
    """Whether there is a new, empty file of ours at `path`; what was left there goes, and only that."""
    try:
        if _is_left(path):
            path.unlink()
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError:
        return False
    return True


def _is_left(path: Path) -> bool:
    """By our mark; who was killed before the first page was written left an empty file."""
    if not path.is_file() or path.is_symlink():
        return False
    with path.open("rb") as file:
        head = file.read(_MARK_AT.stop)
    return not head or head[_MARK_AT] == MARK.to_bytes(4)


def _run(private: Any, sql: str) -> None:
    import adbc_driver_manager as adbc  # noqa: PLC0415 - as above

    with adbc.AdbcStatement(private) as statement:
        statement.set_sql_query(sql)
        statement.execute_update()
