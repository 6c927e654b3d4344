"""Many rows into a SQLite file at once: they are written beside it, and copied over as they lie on its pages.

Python binds values one by one, which takes several times as long as SQLite does for the rest. So another driver writes
the rows, an Arrow batch at a time, into a private file that nobody else opens; our own library, which alone may touch
the real file, attaches it when it is complete and takes the rows over as records, without looking into them. What is
lost with the private file is only time: it is written without a journal and never flushed.

It stands beside the database, where there must be room for the table anyway, under one name: whoever fills it holds
the right to write to the database, so what lies there with our mark was left by a load that was killed. What lies there
without it is somebody else's; then rows are bound one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
        path = Path(self._path).absolute()
        if not _made(path):
            return chain([first], batches)
        left: list[pa.RecordBatch] = []
        try:
            self._write(path, name, chain([first], _until_nan(batches, left)))
            private = self._attach(path)
        finally:
            with suppress(OSError):  # where a file that is open keeps its name, the next load takes it away
                path.unlink()
        self._connection.execute(f"INSERT INTO main.{quoted(name)} SELECT * FROM {private}.{_ROWS}")
        return chain(left, batches)

    def close(self) -> None:
        """Lets go of the private files, which are gone with that."""
        for name in self._attached:
            self._connection.execute(f"DETACH {name}")

    @io_step("table.bulk")
    def _write(self, path: Path, name: str, batches: Iterator[pa.RecordBatch]) -> None:
        import adbc_driver_manager as adbc  # noqa: PLC0415 - only for who loads many rows
        import adbc_driver_sqlite  # noqa: PLC0415

        with (
            driver_translated(str(path)),
            adbc_driver_sqlite.connect(path.as_uri()) as database,
            adbc.AdbcConnection(database) as private,
        ):
            for sql in self._beginning(name):
                _run(private, sql)
            with adbc.AdbcStatement(private) as statement:
                statement.set_options(**_INTO)
                statement.bind_stream(plain_rows(batches))
                statement.execute_update()

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


def _until_nan(batches: Iterator[pa.RecordBatch], left: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if has_nan(batch):
            left.append(batch)
            return
        yield batch
