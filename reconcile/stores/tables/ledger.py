"""The ledger `_reconcile_tables`: what every table of ours was made from, beside it and written with it.

It stands in the database itself, and a row changes in the transaction that changes the table; so the two cannot
disagree, and whether a commit whose reply was lost has happened is told by the load id. Several keys may stand for one
table: a copy that is kept for undo is only another row, until the table it shares is replaced.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from reconcile.core.entry import Digest, Version
from reconcile.core.path import CONTROL_DIR
from reconcile.stores.data.file import Shape
from reconcile.stores.tables.engine import LEDGER, Seen, Session

LOADING: Final = f"{CONTROL_DIR}/load/"
"""Before the token of a load: the key of a table that is being filled."""

_COLUMNS: Final = (
    "key TEXT, name TEXT, load TEXT, digest TEXT, size BIGINT, rows BIGINT, rejected BIGINT, "
    "mark TEXT, checksum TEXT, recipe TEXT, shape TEXT, made_ns BIGINT, edits BIGINT, upto BIGINT"
)


class Row(Struct, frozen=True):
    """One table of ours: `key` in the store, `name` in the database, `load` the id of the load that filled it.

    `digest` (hexadecimal) and `size` (bytes) are those of the file, `rows` and `rejected` how many of its rows are in
    the table and in the one of rejects. `mark` and `checksum` are what the database tells of it while nobody edits it.
    `recipe` stands for how the file was read, `shape` is what was found. `made_ns`: when it came to its key (Unix).
    `edits` are those by others since, where the database counts them here. `upto`: only so many first rows are meant,
    of a table to which more were appended (0: all).
    """

    key: str
    name: str
    load: str
    digest: str = ""
    size: int = 0
    rows: int = 0
    rejected: int = 0
    mark: str = ""
    checksum: str = ""
    recipe: str = ""
    shape: str = ""
    made_ns: int = 0
    edits: int = 0
    upto: int = 0

    @property
    def source_digest(self) -> Digest:
        """The digest of the file."""
        return Digest(bytes.fromhex(self.digest))

    @property
    def found(self) -> Shape | None:
        """What was found when the file was read."""
        return msgspec.json.decode(self.shape, type=Shape) if self.shape else None

    def version(self, seen: Seen) -> Version:
        """That of the table, as it is seen now."""
        return Version(f"{self.load}.{self.upto}.first" if self.upto else f"{self.load}.{seen.rows}.{seen.mark}")


_NAMES: Final = Row.__struct_fields__


class Ledger:
    """The ledger, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_there = False

    def make(self) -> None:
        """Makes it where it is missing."""
        if self._found():
            return
        self._session.lock()
        self._session.run(f"CREATE TABLE IF NOT EXISTS {LEDGER} ({_COLUMNS})")
        self._session.run(f"CREATE INDEX IF NOT EXISTS {LEDGER}_by_key ON {LEDGER} (key)")

    def rows(self) -> list[Row]:
        """All of it; none where there is no ledger yet."""
        return self._select("ORDER BY key")

    def with_rejects(self) -> list[Row]:
        """Those of tables beside which there are rejects."""
        return self._select("WHERE rejected > 0 ORDER BY key")

    def row(self, key: str) -> Row | None:
        """The table under a key."""
        return next(iter(self._select("WHERE key = $1", key)), None)

    def known(self, keys: Iterable[str]) -> set[str]:
        """Those of a few keys that have a row."""
        asked = tuple(keys)
        if not asked or not self._found():
            return set()
        places = ", ".join(f"${number}" for number in range(1, len(asked) + 1))
        return {key for (key,) in self._session.run(f"SELECT key FROM {LEDGER} WHERE key IN ({places})", *asked)}

    def sharing(self, name: str) -> list[Row]:
        """All rows that stand for one table."""
        return self._select("WHERE name = $1 ORDER BY key", name)

    def put(self, row: Row) -> None:
        """Sets the row of its key."""
        self.drop(row.key)
        self.add(row)

    def add(self, *rows: Row) -> None:
        """The rows of keys that have none."""
        if not rows:
            return
        count = len(_NAMES)
        places = ", ".join(
            f"({', '.join(f'${number}' for number in range(start + 1, start + count + 1))})"
            for start in range(0, len(rows) * count, count)
        )
        values = (getattr(row, name) for row in rows for name in _NAMES)
        self._session.run(f"INSERT INTO {LEDGER} ({', '.join(_NAMES)}) VALUES {places}", *values)

    def drop(self, key: str) -> None:
        """Forgets a key."""
        self._session.run(f"DELETE FROM {LEDGER} WHERE key = $1", key)

    def renamed(self, name: str, new: str) -> None:
        """A table has another name now, whatever keys it has."""
        self._session.run(f"UPDATE {LEDGER} SET name = $2 WHERE name = $1", name, new)

    def edited(self, name: str) -> None:
        """Somebody edited a table in a way the database does not tell by itself: from now on it is told."""
        self._session.run(f"UPDATE {LEDGER} SET mark = mark || '+', edits = edits + 1 WHERE name = $1", name)

    def _found(self) -> bool:
        """Nobody takes it away within a transaction."""
        self._is_there = self._is_there or bool(self._session.columns(LEDGER))
        return self._is_there

    def _select(self, where: str, *values: str) -> list[Row]:
        if not self._found():
            return []
        return _rows(self._session.run(f"SELECT {', '.join(_NAMES)} FROM {LEDGER} {where}", *values))


def _rows(found: Iterable[tuple[object, ...]]) -> list[Row]:
    return [msgspec.convert(dict(zip(_NAMES, row, strict=True)), Row) for row in found]
