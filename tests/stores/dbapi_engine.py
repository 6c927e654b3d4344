"""A worked example: the tables of another database, through nothing but its DBAPI driver (here psycopg's).

What a database has to be told in its own words stands in `lock`, `hold`, `names`, `columns`, `obstacles` and
`type_of`; the rest would do for most. It knows no cheap sign of an edit, so all rows are summed up before anything is
replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
import re
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from msgspec import structs
import psycopg

from reconcile.core.errors import BusyError, RefusedError
from reconcile.stores.data.file import Column
from reconcile.stores.tables.engine import SCAN_ROWS, TRAITS, Limits, Seen, quoted
from reconcile.stores.tables.steps import check_carried, commit, put_in_place, rename
from reconcile.stores.tables.values import python_columns

if TYPE_CHECKING:
    import pyarrow as pa

_TYPES: Final = {"integer": "bigint", "double": "double precision", "boolean": "boolean", "date": "date"}
_HERE: Final = "pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND n.nspname = current_schema()"


class DbapiEngine:
    """One database; a connection for each transaction, which the next one goes on with."""

    def __init__(self, url: str, connect: Callable[[], Any]) -> None:
        self.url = url
        self.traits = structs.replace(TRAITS, max_key_bytes=63)
        self.limits = Limits(columns=1_600, name_bytes=63)
        self.exclusive = False
        self._connect = connect
        self._idle: list[Any] = []

    def type_of(self, column: Column) -> str:
        """What has no type here is text, as it is written."""
        return _TYPES.get(column.type, "text")

    @contextmanager
    def session(self, *, write: bool) -> Iterator[DbapiSession]:
        """Committed at the end, rolled back when anything is raised."""
        try:
            connection = self._taken()
            try:
                yield DbapiSession(connection)
                commit(connection.commit)
            except BaseException:
                connection.close()  # what was not committed is rolled back
                raise
            self._idle.append(connection)
        except psycopg.OperationalError as error:
            raise BusyError(str(error), op="sql", path=self.url) from error
        except psycopg.Error as error:
            raise RefusedError(str(error), op="sql", path=self.url) from error

    def ensure(self, *, dry: bool) -> list[str]:
        """Somebody else made it."""
        return []

    def close(self) -> None:
        """All connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _taken(self) -> Any:
        with suppress(IndexError):
            return self._idle.pop()
        return self._connect()


class DbapiSession:
    """One transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def lock(self) -> None:
        """Our writers come one after the other."""
        self.run("SELECT pg_advisory_xact_lock(7)")

    def hold(self, name: str) -> None:
        """Everybody's writers wait for us, and we first for them."""
        self.run(f"LOCK TABLE {quoted(name)} IN SHARE ROW EXCLUSIVE MODE")

    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """`$1` is written `%(v1)s` by this driver."""
        named = re.sub(r"\$(\d+)", r"%(v\1)s", sql.replace("%", "%%")) if values else sql
        words = {f"v{at}": value for at, value in enumerate(values, start=1)}
        cursor = self._connection.cursor()
        cursor.execute(named, words or None)
        return list(cursor.fetchall()) if cursor.description else []

    def scan(self, name: str, where: str = "TRUE") -> Iterator[Sequence[tuple[Any, ...]]]:
        """Some rows at a time."""
        cursor = self._connection.cursor()
        cursor.execute(f"SELECT * FROM {quoted(name)} WHERE {where}")
        while rows := cursor.fetchmany(SCAN_ROWS):
            yield rows

    def names(self, name: str | None = None) -> dict[str, bool]:
        """The views of the standard would do as well, and take ten times as long."""
        sql = f"SELECT c.relname::text, c.relkind IN ('r', 'p') FROM {_HERE} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
        return dict(self.run(sql) if name is None else self.run(f"{sql} AND c.relname = $1", name))

    def columns(self, name: str) -> tuple[tuple[str, str], ...]:
        """In their order."""
        sql = (
            f"SELECT a.attname::text, format_type(a.atttypid, a.atttypmod) FROM {_HERE} AND c.relname = $1 "
            "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        )
        return tuple((str(column), str(kind)) for column, kind in self.run(sql, name))

    def look(self, made: Mapping[str, tuple[str, int]]) -> dict[str, Seen]:
        """Rows and columns; `+` is what the ledger adds for an edit that was only seen in the sum."""
        seen = {}
        for name, (noted, _) in made.items():
            if columns := self.columns(name):
                mark = f"{crc32(repr(columns).encode()):08x}"
                [(rows,)] = self.run(f"SELECT count(*) FROM {quoted(name)}") if noted else [(-1,)]
                seen[name] = Seen(rows, mark + "+" * noted.count("+"))
        return seen

    def fill(self, name: str, batches: pa.RecordBatchReader) -> None:
        """Bound, row by row; a database with a way for bulk takes that."""
        places = ", ".join(["%s"] * len(batches.schema))
        for batch in batches:
            rows = zip(*python_columns(batch), strict=True)
            self._connection.cursor().executemany(f"INSERT INTO {quoted(name)} VALUES ({places})", rows)

    def checksum(self, name: str) -> str:
        """Of every row by itself, so that their order does not count."""
        rows = (repr(tuple(row)).encode() for some in self.scan(name) for row in some)
        return f"sha256 {sum(int.from_bytes(sha256(row).digest()) for row in rows) % 2**256:064x}"

    def settle(self, name: str, load: str) -> Seen:
        """Rows and columns."""
        return self.look({name: ("new", 0)})[name]

    def append(self, name: str, new: str, mark: str, load: str) -> Seen:
        """The sum over all content is made anew."""
        check_carried(self, name)
        self.run(f"INSERT INTO {quoted(name)} SELECT * FROM {quoted(new)}")
        return self.settle(name, load)

    def first(self, name: str, rows: int, mark: str) -> str:
        """Rows have no numbers here: what was there before an append cannot be told apart any more."""
        raise RefusedError("which rows came first is not known", op="read", path=name)

    def replace(self, new: str, name: str, aside: str, mark: str) -> tuple[str, str]:
        """Nothing is carried over, so nothing may be lost: `obstacles` must name all that could hang on a table."""
        check_carried(self, name)
        put_in_place(self, new, name, aside)
        return mark, ""

    def rename(self, name: str, new: str) -> None:
        """What hangs on it goes along."""
        rename(self, name, new)

    def hanging(self, name: str) -> list[str]:
        """What could not go on without it."""
        return self.obstacles(name)

    def holding(self, name: str) -> list[str]:
        """The same."""
        return self.obstacles(name)

    def obstacles(self, name: str) -> list[str]:
        """Constraints, indexes, triggers and views of it."""
        sql = (
            "SELECT 'constraint ' || constraint_name FROM information_schema.table_constraints "
            "WHERE table_schema = current_schema() AND table_name = $1 "
            "UNION SELECT 'trigger ' || trigger_name FROM information_schema.triggers "
            "WHERE event_object_schema = current_schema() AND event_object_table = $1 "
            "UNION SELECT 'view ' || view_name FROM information_schema.view_table_usage "
            "WHERE table_schema = current_schema() AND table_name = $1 "
            "UNION SELECT 'index ' || indexname FROM pg_indexes "
            "WHERE schemaname = current_schema() AND tablename = $1 ORDER BY 1"
        )
        return [str(told) for (told,) in self.run(sql, name)]
