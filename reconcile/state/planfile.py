"""A saved plan: one SQLite file that anyone can open, and that tells when it was edited."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
import sqlite3
from typing import Final

import msgspec

from reconcile.core.change import Change
from reconcile.core.errors import StalePlanError, UsageError
from reconcile.core.plan import Header, Plan
from reconcile.ports import io_step
from reconcile.state.files import make_private, unlink

_APPLICATION_ID: Final = 0x7265636F
_ROWS_AT_ONCE: Final = 500
_TABLES: Final = {
    "header": "CREATE TABLE header (id TEXT NOT NULL, document TEXT NOT NULL)",
    "changes": "CREATE TABLE changes (number INTEGER PRIMARY KEY, mapping TEXT NOT NULL, document TEXT NOT NULL)",
}
_UNREADABLE: Final = (sqlite3.Error, msgspec.DecodeError, ValueError, TypeError, RecursionError)
"""What reading a file raises that is no plan of ours; its author may mean us harm."""


def save_plan(plan: Plan, path: str) -> None:
    """Writes a plan to a new file; `UsageError` when something is there already, or it cannot be written.

    Digests and versions are in it, contents and secrets are not.
    """
    where = Path(path)
    try:
        make_private(where)
    except FileExistsError as error:
        hint = "name another, or remove it first"
        raise UsageError("the file exists", op="plan --out", path=path, hint=hint) from error
    except OSError as error:
        raise UsageError(str(error.strerror), op="plan --out", path=path, hint="name another file") from error
    try:
        database = sqlite3.connect(where)
        try:
            _fill(database, plan)
        finally:
            database.close()
    except sqlite3.Error as error:
        unlink(where)
        raise UsageError(str(error), op="plan --out", path=path) from error


@io_step("plan.fill")
def _fill(database: sqlite3.Connection, plan: Plan) -> None:
    database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    with database:
        for table in _TABLES.values():
            database.execute(table)
        database.execute("INSERT INTO header VALUES (?, ?)", (plan.id, msgspec.json.encode(plan.header).decode()))
        rows = ((change.mapping, msgspec.json.encode(change).decode()) for change in plan.changes())
        database.executemany("INSERT INTO changes (mapping, document) VALUES (?, ?)", rows)


def load_plan(path: str) -> Plan:
    """A saved plan; `UsageError` when there is none, `StalePlanError` when it is not as it was saved."""
    if not Path(path).is_file():
        raise UsageError("there is no such plan", op="plan", path=path, hint="make one: reconcile plan --out FILE")
    try:
        document, told = _header(path)
        header = msgspec.json.decode(document, type=Header)
        digest = sha256(document.encode())
        for text, _ in _documents(path, None):
            digest.update(text.encode())
    except _UNREADABLE as error:
        raise _unfit("is no saved plan of this version, or was cut, damaged or edited", path) from error
    if digest.hexdigest() != told:
        raise _unfit("was edited after it was saved", path)
    return Plan(header, partial(_changes, path), pinned=True, plan_id=told)


def _unfit(why: str, path: str) -> StalePlanError:
    return StalePlanError(why, op="plan", path=path, hint="make a new one: reconcile plan --out FILE")


def _open(path: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)


def _header(path: str) -> tuple[str, str]:
    """The document of the header, and the id the plan was saved under."""
    database = _open(path)
    try:
        _check_tables(database)
        row = database.execute("SELECT document, id FROM header").fetchone()
    finally:
        database.close()
    if row is None:
        raise _unfit("has no header", path)
    return _text(row[0]), row[1]


def _text(document: object) -> str:
    """A column of SQLite holds what it is given, bytes too."""
    if not isinstance(document, str):
        raise TypeError("a document is no text")
    return document


def _check_tables(database: sqlite3.Connection) -> None:
    """Nothing but our tables: a view in the place of one could say anything, and never end."""
    (application,) = database.execute("PRAGMA application_id").fetchone()
    tables = dict(database.execute("SELECT name, sql FROM sqlite_schema"))
    if application != _APPLICATION_ID or tables != _TABLES:
        raise ValueError("the tables are not those of a plan")


def _changes(path: str, mapping: str | None) -> Iterator[Change]:
    return (change for _, change in _documents(path, mapping))


def _documents(path: str, mapping: str | None) -> Iterator[tuple[str, Change]]:
    """The changes, each with the document it stands in: the id is of the documents, as they were written."""
    decode = msgspec.json.Decoder(Change).decode
    database = _open(path)
    try:
        cursor = database.execute(
            "SELECT document, mapping FROM changes WHERE ?1 IS NULL OR mapping = ?1 ORDER BY number", (mapping,)
        )
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            for document, filed in rows:
                change = decode(_text(document))
                if change.mapping != filed:  # rows are found by their mapping, which no digest covers
                    raise _unfit("was edited after it was saved", path)
                yield document, change
    finally:
        database.close()
