"""What differs from database to database: one transaction at a time, seen through a `Session`.

`store.py` keeps the promises of a store on top of this. To bring another database in, write an `Engine` and its
`Session` (the SQL dialect of a handful of calls); `.github/CONTRIBUTING.md` has the steps and an example that runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
import os
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, runtime_checkable

from msgspec import Struct

from reconcile.core.path import CONTROL_DIR
from reconcile.core.traits import Traits
from reconcile.ports import Leftover
from reconcile.stores.data.file import Column

if TYPE_CHECKING:
    import pyarrow as pa

Made = TypeVar("Made")

RESERVED: Final = "_reconcile_"
"""Names of tables, indexes and triggers that are ours alone begin so."""

LEDGER: Final = f"{RESERVED}tables"
BESIDE: Final = f"{CONTROL_DIR}/bulk"
"""The key of what a load that was killed left beside the database."""

REJECTED: Final = "__rejected"
"""What the table of the rows that were put aside has after the name of its table."""

TRAITS: Final = Traits(
    write="match",
    delete="match",
    copy="match",
    move="match",
    move_atomic=True,
    returns_version=True,
    proves=True,
    keeps="link",
    rows=True,
    reserved_prefixes=(RESERVED,),
)
"""What holds in every database: an act and its row in the ledger are one transaction, under the lock of a writer."""

SCAN_ROWS: Final = 1_000
"""So many rows are read at a time."""

AT_ONCE: Final = 50
"""So many tables are counted by one statement."""

MOST_TABLES: Final = 32
"""So many small ones are made in one transaction: more save hardly anything, and keep other writers waiting."""

BUSY_TIMEOUT_S: Final = 30.0
"""How long a database in one file is waited for that another program has for itself."""

BUSY_AGAIN_S: Final = 1.0
"""How long once that was in vain: of a thousand tables not each waits for the whole time."""


class Seen(Struct, frozen=True):
    """A table as the database shows it without much reading.

    `mark` is the text that was noted when we made the table for as long as nobody has touched it since, as far as the
    database can tell that cheaply; then another one, and a new one with every further edit. `rows` is how many it has,
    -1 when nobody counted them, as in a table that is not ours.
    """

    rows: int
    mark: str


class Limits(Struct, frozen=True):
    """What the columns of a table may be: how many (0: any number), how long a name (bytes, UTF-8), which names not."""

    columns: int = 0
    name_bytes: int = 0
    names: frozenset[str] = frozenset()

    def why_not(self, columns: Sequence[Column]) -> str:
        """Why no table can have these, in words; "" where it can."""
        if self.columns and len(columns) > self.columns:
            return f"has {len(columns):,} columns, the database takes {self.columns:,}"
        for name in (column.name for column in columns):
            if self.name_bytes and (length := len(name.encode())) > self.name_bytes:
                return f"the name of the column `{name}` is {length} bytes long, the database takes {self.name_bytes}"
            if name in self.names:
                return f"the database keeps the name of the column `{name}` for itself"
        return ""


class Session(Protocol):
    """One transaction. Names come as they are and are quoted in here; values travel apart from the SQL, as `$1`…."""

    def lock(self) -> None:
        """No other writer of ours comes between now and the end."""

    def hold(self, name: str) -> None:
        """Nobody at all changes this table between now and the end; who was about to is waited for, and seen."""

    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """One statement of portable SQL; its rows."""

    def scan(self, name: str, where: str = "TRUE") -> Iterator[Sequence[tuple[Any, ...]]]:
        """The rows of a table in the database's order, some at a time."""

    def names(self, name: str | None = None) -> dict[str, bool]:
        """What stands where a table could, ours too: True for a table, False for a view and the like.

        All of it, or what is called `name` or what the database takes for the same.
        """

    def look(self, made: Mapping[str, tuple[str, int]]) -> dict[str, Seen]:
        """The tables among the names in `made`, with the (mark, rows) that were noted for each (("", -1): never)."""

    def columns(self, name: str) -> tuple[tuple[str, str], ...]:
        """The columns of a table: name and type, as this database names types."""

    def fill(self, name: str, batches: pa.RecordBatchReader) -> None:
        """Appends all rows."""

    def checksum(self, name: str) -> str:
        """A sum over all the content, after a word for how it is made; "" where `look` notices every edit by itself.

        Sums that were made in two ways say nothing of each other.
        """

    def settle(self, name: str, load: str) -> Seen:
        """Notes that the table is now as the load made it: `look` compares with that. Its rows are counted."""

    def append(self, name: str, new: str, mark: str, load: str) -> Seen:
        """Adds the rows of the table `new` to a table that has `mark`; as `settle` for the rows of both loads."""

    def first(self, name: str, rows: int, mark: str) -> str:
        """The condition that holds for the rows a table had while it had `rows` of them, and `mark`."""

    def replace(self, new: str, name: str, aside: str, mark: str) -> tuple[str, str]:
        """Gives the table `new` the name `name`. What had it is called `aside` from now on, or goes when that is "".

        Whatever hangs on the old table (indexes, grants, comments, views …) hangs on the new one afterwards;
        `RefusedError` names what cannot be carried over. Returns the marks of what is called `name` and `aside` now:
        `mark`, which was that of `new`, and "" for the old one's own, or others where rows had to be copied.
        """

    def rename(self, name: str, new: str) -> None:
        """Renames a table; what hangs on it goes along."""

    def hanging(self, name: str) -> list[str]:
        """What else could not go on without this table, in words."""

    def holding(self, name: str) -> list[str]:
        """What keeps the table from getting other columns, in words."""

    def obstacles(self, name: str) -> list[str]:
        """What on the table keeps its rows from being replaced by others, in words."""


@runtime_checkable
class Binding(Protocol):
    """A session that takes the rows of a small file as Python has them: no other form of them need be made."""

    def bind(self, name: str, columns: Sequence[Column], values: Sequence[Sequence[Any]]) -> None:
        """Appends all rows, which are given by column."""


@runtime_checkable
class Gathering(Binding, Protocol):
    """A session that makes many small tables as one."""

    def settle_all(self, loads: Mapping[str, str]) -> dict[str, tuple[Seen, str]]:
        """`settle` and `checksum` for each of the tables, which are given with their loads."""


@runtime_checkable
class Taking(Protocol):
    """A session behind which readers wait while it waits for a table that it takes from them."""

    def take(self) -> None:
        """Said before tables are dropped and renamed: from here on nothing is waited for longer than readers may be."""


class Engine(Protocol):
    """One database, whether it exists yet or not."""

    @property
    def url(self) -> str:
        """The canonical URL, without secrets."""

    @property
    def traits(self) -> Traits:
        """What a store of its tables can do."""

    @property
    def exclusive(self) -> bool:
        """Whether a transaction that writes keeps all other writers out from its beginning."""

    @property
    def limits(self) -> Limits:
        """What the columns of a table may be."""

    def type_of(self, column: Column) -> str:
        """The type a column is given here, as `Session.columns` would name it."""

    def session(self, *, write: bool) -> AbstractContextManager[Session]:
        """A transaction: committed at the end, rolled back when anything is raised; errors translated.

        `write` keeps other writers out from the start. `NotFoundError` when the database is not there.
        """

    def ensure(self, *, dry: bool) -> list[str]:
        """Makes the database (and schema); returns, in words, what was (`dry`: would be) made."""

    def close(self) -> None:
        """Gives back connections; idempotent."""


@runtime_checkable
class InTurns(Protocol):
    """An engine with sessions that wait for a moment only, and then let all pass who came meanwhile."""

    def in_turns(self, work: Callable[[], Made]) -> Made:
        """What `work` gives, which is one transaction: begun again, after a pause, while others hold its tables."""


@runtime_checkable
class FillsBeside(Protocol):
    """An engine whose loads fill a file beside the database, which stays behind when they are killed."""

    def left_beside(self) -> Leftover | None:
        """That file, if there is one; a living load may be filling it."""

    def clear_beside(self) -> None:
        """Removes it, unless a living load fills it."""


def one_url(scheme: str, path: str) -> str:
    """The URL of a database file, one and the same however its path is spelled: links are followed."""
    return f"{scheme}:///{path if path == ':memory:' else os.path.realpath(path)}"


def quoted(name: str) -> str:
    """An identifier, as SQL writes it in every dialect here."""
    return '"' + name.replace('"', '""') + '"'
