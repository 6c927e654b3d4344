"""DuckDB as this house uses it: one quiet database in memory for the whole process, a cursor for each file.

Making a database costs more than reading a small file, so there is one. It downloads and loads no extensions, counts
time in UTC, and never writes beside the working directory.
"""

from __future__ import annotations

from functools import cache
import os
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import duckdb

MEMORY: Final = "2GB"
"""For all files that are read at once; one stream takes about 150 MB, whatever the limit and the size of the file."""

AHEAD: Final = "32MB"
"""So much is read ahead of who takes the rows, so that reading and writing go on side by side."""

MAX_THREADS: Final = 8
_HANDLE: Final = re.compile(r"/proc/self/fd/\d+")
BATCH_ROWS: Final = 1 << 16


@cache
def _database() -> duckdb.DuckDBPyConnection:
    import duckdb  # noqa: PLC0415 - heavy, only for who reads data files

    settings: dict[str, Any] = {
        "memory_limit": MEMORY,
        "threads": min(os.cpu_count() or 1, MAX_THREADS),
        "temp_directory": "",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": True,
    }
    database = duckdb.connect(":memory:", config=settings)
    database.execute("SET GLOBAL TimeZone = 'UTC'")
    return database


def cursor() -> duckdb.DuckDBPyConnection:
    """A connection of one's own; to be closed."""
    return _database().cursor()


def failures() -> tuple[type[BaseException], ...]:
    """What DuckDB and Arrow raise when reading fails, in the call or in the middle of a stream."""
    import duckdb  # noqa: PLC0415 - heavy
    import pyarrow as pa  # noqa: PLC0415 - heavy

    return duckdb.Error, pa.ArrowException, OSError


def told(error: BaseException, name: str) -> str:
    """What such a failure says first, with the name of the file in place of the handle it was read by."""
    return _HANDLE.sub(name.replace("\\", r"\\"), str(error).partition("\n")[0])


def literal(value: str) -> str:
    """`value` as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"
