"""DuckDB's errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import os

from reconcile.core.errors import BusyError, DamagedError, DeniedError, RefusedError, StoreError


@contextmanager
def forgiving() -> Iterator[None]:
    """After an error nothing more can be done in a transaction, and not everything need be."""
    import duckdb  # noqa: PLC0415 - heavy

    with suppress(duckdb.Error):
        yield


@contextmanager
def translated(path: str) -> Iterator[None]:
    """DuckDB's errors, and the system's, as ours."""
    import duckdb  # noqa: PLC0415 - heavy

    try:
        yield
    except duckdb.IOException as error:
        raise _io_error(path, str(error)) from error
    except (duckdb.FatalException, duckdb.InternalException, duckdb.SerializationException) as error:
        raise DamagedError(_first_line(error), op="duckdb", path=path) from error
    except duckdb.Error as error:
        raise RefusedError(_first_line(error), op="duckdb", path=path) from error
    except OSError as error:
        kind = DeniedError if isinstance(error, PermissionError) else StoreError
        raise kind(os.strerror(error.errno or 0).lower(), op="duckdb", path=path) from error


def _io_error(path: str, told: str) -> StoreError:
    """DuckDB has one error for all that goes wrong with files, so its words must be read."""
    if is_busy(told):
        hint = "close what has it open, and run it again"
        return BusyError("is open in another process", op="duckdb", path=path, hint=hint)
    if "No space left" in told:
        return StoreError("the disk is full", op="duckdb", path=path)
    if "Permission denied" in told or "read-only" in told.lower():
        return DeniedError("may not be opened", op="duckdb", path=path)
    if "not a valid DuckDB" in told:
        return DamagedError("is no DuckDB file", op="duckdb", path=path)
    return StoreError(told.partition("\n")[0], op="duckdb", path=path)


def is_busy(told: str) -> bool:
    """Whether it is that another process has the file open."""
    return "set lock" in told


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
