"""Many rows into a SQLite file at once: they are written beside it, and copied over as they lie on its pages.

Python binds values one by one, which takes several times as long as SQLite does for the rest. So another driver writes
the rows, an Arrow batch at a time, into a private file that nobody else opens; our own library, which alone may touch
the real file, attaches it when it is complete and takes the rows over as records, without looking into them. What is
lost with the private file is only time: it is written without a journal and never flushed.

It stands beside the database, where there must be room for the table anyway, under one name: whoever fills it holds
the right to write to the database, so what lies there was left by a load that was killed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
import os
from pathlib import Path
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from reconcile.stores.table_engine import RESERVED, quoted
from reconcile.stores.table_sqlite_errors import driver_translated
from reconcile.stores.table_values import has_nan, plain_batch

if TYPE_CHECKING:
    import pyarrow as pa

BULK_ROWS: Final = 20_000
"""From so many rows in a batch on it pays to fill a file of its own."""

SUFFIX: Final = "-reconcile"
"""What the private file is called after the database, as SQLite calls its own `-wal`."""

_ROWS: Final = f"{RESERVED}rows"
_UNSAFE: Final = ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE")
_INTO: Final = {"adbc.ingest.target_table": _ROWS, "adbc.ingest.mode": "adbc.ingest.mode.append"}


class Bulk:
    """Fills tables of one transaction. `connection` has begun it; `close` comes after its end."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path.with_name(path.name + SUFFIX)
        self._attached: list[str] = []

    def fill(self, name: str, kinds: Sequence[str], batches: Iterator[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        """Appends rows to the table `name`, whose columns have the types `kinds`; returns the batches that are left.

        They begin with one that the other driver would not write as it is: it takes not-a-number for NULL.
        """
        first = next(batches, None)
        if first is None or first.num_rows < BULK_ROWS or has_nan(first):
            return chain([first] if first is not None else (), batches)
        left: list[pa.RecordBatch] = []
        self._write(kinds, first, _until_nan(batches, left))
        self._take_over(name)
        return chain(left, batches)

    def close(self) -> None:
        """Lets go of the private files, which are gone with that."""
        for name in self._attached:
            self._connection.execute(f"DETACH {name}")

    def _write(self, kinds: Sequence[str], first: pa.RecordBatch, more: Iterator[pa.RecordBatch]) -> None:
        import adbc_driver_manager as adbc  # noqa: PLC0415 - only for who loads many rows
        import adbc_driver_sqlite  # noqa: PLC0415
        import pyarrow as pa  # noqa: PLC0415

        self._path.unlink(missing_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        [(encoding,)] = self._connection.execute("PRAGMA main.encoding").fetchall()
        columns = ", ".join(f"c{position} {kind}" for position, kind in enumerate(kinds))
        head = plain_batch(first)
        rows = pa.RecordBatchReader.from_batches(head.schema, chain([head], map(plain_batch, more)))
        with (
            driver_translated(str(self._path)),
            adbc_driver_sqlite.connect(self._path.absolute().as_uri()) as database,
            adbc.AdbcConnection(database) as private,
        ):
            for sql in (f"PRAGMA encoding='{encoding}'", *(f"PRAGMA {word}" for word in _UNSAFE)):
                _run(private, sql)
            _run(private, f"CREATE TABLE {_ROWS} ({columns})")
            with adbc.AdbcStatement(private) as statement:
                statement.set_options(**_INTO)
                statement.bind_stream(rows)
                statement.execute_update()

    def _take_over(self, name: str) -> None:
        """Once the file is attached it needs no name any more, and goes when it is let go of."""
        private = f"{RESERVED}bulk{len(self._attached)}"
        self._connection.execute(f"ATTACH ? AS {private}", (str(self._path.absolute()),))
        self._attached.append(private)
        with suppress(OSError):  # where a file that is open keeps its name, the next load takes it away
            self._path.unlink()
        self._connection.execute(f"INSERT INTO main.{quoted(name)} SELECT * FROM {private}.{_ROWS}")


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
