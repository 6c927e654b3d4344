"""Tables in one schema of a PostgreSQL database, through ADBC: rows go in by COPY, as a stream.

PostgreSQL notes with every row which transaction wrote it, and a load is one transaction: so each edit by hand is seen
by counting, whatever it changed. A swap renames; readers wait for the few milliseconds it takes, and see the old table
or the new one; `postgres_locks` says how little they wait where we have to wait ourselves. Only who holds a
snapshot from before (REPEATABLE READ) and first asks for the table after it finds none of its rows;
`postgres_swap` says when rows are exchanged inside the table instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from msgspec import structs

from reconcile.core.errors import NotFoundError, UsageError
from reconcile.stores.data.file import Column
from reconcile.stores.options import StoreOptions
from reconcile.stores.tables.engine import AT_ONCE, LEDGER, RESERVED, TRAITS, Limits, Made, Seen, quoted
from reconcile.stores.tables.postgres_catalogue import HERE, OID, dependents, obstacles, readable, uncarried
from reconcile.stores.tables.postgres_errors import translated
from reconcile.stores.tables.postgres_locks import Waiting, Waits, Want, in_turns, milliseconds
from reconcile.stores.tables.postgres_memo import Count, Memo, Snapshot
from reconcile.stores.tables.postgres_swap import swap
from reconcile.stores.tables.steps import check_carried, commit, rename

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection
    import pyarrow as pa

_SIGNS_OF_LIFE: Final = {"idle": "60", "interval": "10", "count": "6"}
"""After so many seconds of silence, every so often, so many times: two minutes until an end of a wire is given up."""

_KNOWN_TYPES: Final = {"adbc.postgresql.type_resolver_mode": "builtin"}
"""The driver knows the types that every server has, and need not read all of this one, where each table is one."""

KEEPALIVES: Final = {f"tcp_keepalives_{word}": value for word, value in _SIGNS_OF_LIFE.items()}
"""How soon the server lets go of what a machine that died held: of its locks, above all."""

LIMITS: Final = Limits(
    columns=1_600, name_bytes=63, names=frozenset({"tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"})
)
"""Longer names would be cut short in silence, and two of them might become one."""

_TYPES: Final = {
    "text": "text",
    "integer": "bigint",
    "double": "double precision",
    "boolean": "boolean",
    "date": "date",
    "time": "time without time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "blob": "bytea",
    "json": "json",
}
_SNAPSHOT: Final = "CASE WHEN pg_is_in_recovery() THEN '' ELSE txid_current_snapshot()::text END"


class PostgresEngine:
    """One schema of one database. Every thread has a connection of its own while it works."""

    def __init__(self, url: str, password: str, schema: str) -> None:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2].removesuffix(":5432") or "localhost"
        host = host if "%2f" in host.lower() else host.lower()  # a socket is a path
        self.url = f"postgresql://{host}{parts.path}" + ("" if schema == "public" else f"#{schema}")
        self.traits = structs.replace(TRAITS, waits=True, max_key_bytes=63, reserved_prefixes=(RESERVED, "pg_"))
        self.limits = LIMITS
        self.exclusive = False
        self._parts = parts
        self._password = password
        self._schema = schema
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        self._memo = Memo()
        self._waits = Waits()

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        """`postgresql://USER@HOST:PORT/DATABASE`; the password is an option."""
        if options.client is not None:
            raise UsageError("takes no client", op="open", path=url)
        return cls(url, options.password, (options.recipe.schema if options.recipe else "") or "public")

    def type_of(self, column: Column) -> str:
        """Decimals are exact numbers."""
        return _TYPES.get(column.type) or column.type.replace("decimal", "numeric")

    @contextmanager
    def session(self, *, write: bool) -> Iterator[PostgresSession]:
        """A reader sees one moment; a writer, whatever its user's settings, all that was committed before it held."""
        with self._waits.noted(write=write) as waiting, translated(self.url):
            connection = self._connected(self._parts.path)
            sound = False
            try:
                session = PostgresSession(connection, self._schema, self._memo, waiting)
                level = "READ COMMITTED" if write else "REPEATABLE READ, READ ONLY"
                session.run(f"SET TRANSACTION ISOLATION LEVEL {level}")
                session.enter(write=write)
                yield session
                session.told()
                commit(connection.commit)
                sound = True
            finally:
                if sound:
                    self._idle.put(connection)
                else:
                    _let_go(connection)

    def in_turns(self, work: Callable[[], Made]) -> Made:
        """See `postgres_locks`."""
        return in_turns(self._waits, work)

    def ensure(self, *, dry: bool) -> list[str]:
        """The database, and the schema in it."""
        made = []
        if not self._exists():
            name = unquote(self._parts.path.strip("/"))
            made.append(f"PostgreSQL database {name}")
            if not dry:
                self._admin(f"CREATE DATABASE {quoted(name)}")
        if self._schema != "public" and not (made and dry) and not self._has_schema():
            made.append(f"schema {self._schema}")
            if not dry:
                self._admin(f"CREATE SCHEMA IF NOT EXISTS {quoted(self._schema)}", self._parts.path)
        elif self._schema != "public" and made and dry:
            made.append(f"schema {self._schema}")
        return made

    def close(self) -> None:
        """All connections that nobody uses."""
        with suppress(Empty):
            while True:
                _let_go(self._idle.get_nowait())

    def _connected(self, path: str) -> Connection:
        if path == self._parts.path:
            with suppress(Empty):
                return self._idle.get_nowait()
        from adbc_driver_postgresql.dbapi import connect  # noqa: PLC0415 - heavy

        user = quote(self._parts.username or "", safe="") if self._parts.username else ""
        secret = f":{quote(self._password, safe='')}" if self._password else ""
        host = self._parts.netloc.rpartition("@")[2]
        netloc = f"{user}{secret}@{host}" if user or secret else host
        alive = "&".join(f"keepalives_{word}={value}" for word, value in _SIGNS_OF_LIFE.items())
        words = "&".join(filter(None, (alive, self._parts.query)))  # what the URL itself says comes last, and holds
        made: Connection = connect(urlunsplit(("postgresql", netloc, path, words, "")), _KNOWN_TYPES)
        return made

    def _exists(self) -> bool:
        try:
            with translated(self.url):
                connection = self._connected(self._parts.path)
        except NotFoundError:
            return False
        self._idle.put(connection)
        return True

    def _has_schema(self) -> bool:
        try:
            with self.session(write=False):
                return True
        except NotFoundError:
            return False

    def _admin(self, sql: str, path: str = "/postgres") -> None:
        """What cannot stand in a transaction, or comes before there is anything to stand in."""
        with translated(self.url):
            connection = self._connected(path)
            try:
                connection.adbc_connection.set_autocommit(True)
                with connection.cursor() as cursor:
                    cursor.execute(sql)
            finally:
                _let_go(connection)


class PostgresSession:
    """One transaction of PostgreSQL. A statement has a cursor of its own: one that failed stays broken."""

    def __init__(self, connection: Connection, schema: str, memo: Memo, waiting: Waiting) -> None:
        self._connection = connection
        self._schema = schema
        self._memo = memo
        self._waiting = waiting
        self._xid = 0
        self._touched: set[str] = set()
        self._held: dict[str, tuple[str, Count] | None] = {}

    def enter(self, *, write: bool) -> None:
        """Everything happens in one schema, and waits for nobody for ever."""
        timeout = milliseconds(self._waiting.timeout_s)
        settings = {"search_path": quoted(self._schema), "lock_timeout": timeout, **KEEPALIVES}
        calls = ", ".join(f"set_config('{word}', ${at}, true)" for at, word in enumerate(settings, start=1))
        self.run(f"SELECT {calls}", *settings.values())
        [(schema, xid)] = self.run(f"SELECT current_schema(), {'txid_current()' if write else '0::bigint'}")
        self._xid = int(xid)
        if schema != self._schema:
            raise NotFoundError("there is no such schema", op="open", path=self._schema)

    def told(self) -> None:
        """Before it is committed: who counts tables may take its doing for ours."""
        if self._xid:
            self._memo.ours(self._xid, self._touched)

    def lock(self) -> None:
        """A lock with a name, held to the end."""
        with self._waiting.for_turn():
            self.run("SELECT pg_advisory_xact_lock(hashtext('reconcile'), hashtext($1))", self._schema)
        self._wait_at_most(self._waiting.turns.left_s())

    def hold(self, name: str) -> None:
        """Readers go on."""
        with self._waiting.for_hold():
            self.run(f"LOCK TABLE {quoted(name)} IN SHARE ROW EXCLUSIVE MODE")
        self._held.setdefault(name)

    def take(self) -> None:
        """Whoever comes after us waits behind us."""
        if (ask_s := self._waiting.take()) is not None:
            self._wait_at_most(ask_s)

    def _wait_at_most(self, seconds: float) -> None:
        """For the statements that come."""
        if seconds != self._waiting.timeout_s:
            self._waiting.timeout_s = seconds
            self.run("SELECT set_config('lock_timeout', $1, true)", milliseconds(seconds))

    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """As it is."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    def scan(self, name: str, where: str = "TRUE") -> Iterator[Sequence[tuple[Any, ...]]]:
        """In the order they lie."""
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {readable(self, name)} FROM {quoted(name)} WHERE {where}")
            while rows := cursor.fetchmany(1_000):
                yield rows

    def names(self, name: str | None = None) -> dict[str, bool]:
        """Partitioned and foreign tables count as no tables of ours."""
        kinds = "AND c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S', 'c')"
        sql = f"SELECT c.relname::text, c.relkind = 'r' FROM pg_class c WHERE {HERE} {kinds}"
        if name is None:
            return dict(self.run(sql))
        return dict(self.run(f"{sql} AND c.relname = $1", name))

    def look(self, made: Mapping[str, tuple[str, int]]) -> dict[str, Seen]:
        """Counted, with the rows that other transactions wrote."""
        now = self._identities(made)
        loads = {name: noted.split(".")[1] for name, (noted, _) in made.items() if name in now and noted}
        counts = {name: self._known(name, f"{now[name][0]}.{load}", now[name][2]) for name, load in loads.items()}
        unknown = iter([(name, load) for name, load in loads.items() if counts[name] is None])
        while some := list(islice(unknown, AT_ONCE)):
            sql = " UNION ALL ".join(_counting(at, name, load) for at, (name, load) in enumerate(some))
            for at, rows, edit, snapshot in self.run(sql):
                name, load = some[at]
                counts[name] = self._counted(name, f"{now[name][0]}.{load}", snapshot, Count(int(rows), edit))
        seen = {}
        for name in (name for name in made if name in now):
            oid, shape, _ = now[name]
            rows, edit = counts.get(name) or Count(-1, "")
            seen[name] = Seen(rows, f"{oid}.{loads.get(name, '-')}.{shape}{edit and '+'}{edit}")
        return seen

    def _known(self, name: str, what: str, snapshot: str) -> Count | None:
        """Counted before, while this transaction held the table or since when nobody can have changed it."""
        if name in self._touched:
            return None
        held = self._held.get(name)
        if held is not None and held[0] == what:
            return held[1]
        count = self._memo.recall(name, what, Snapshot.of(snapshot))
        return self._noted(name, what, count) if count is not None else None

    def _counted(self, name: str, what: str, snapshot: str, count: Count) -> Count:
        if not self._xid:
            self._waiting.had.add(Want.READ)
        if name not in self._touched:
            self._memo.keep(name, what, Snapshot.of(snapshot), count)
        return self._noted(name, what, count)

    def _noted(self, name: str, what: str, count: Count) -> Count:
        if name in self._held:
            self._held[name] = (what, count)
        return count

    def _identities(self, names: Mapping[str, object]) -> dict[str, tuple[int, str, str]]:
        """By table: its identity, what stands for its columns, and the snapshot that shows it so."""
        only = tuple(names) if len(names) == 1 else ()
        found = self.run(
            "SELECT c.relname::text, c.oid::bigint, (SELECT substr(md5(string_agg("
            "quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ',' ORDER BY a.attnum)), 1, 8) "
            "FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), "
            f"{_SNAPSHOT} FROM pg_class c WHERE {HERE} AND c.relkind = 'r' {'AND c.relname = $1' if only else ''}",
            *only,
        )
        return {name: (oid, shape or "-", snapshot) for name, oid, shape, snapshot in found if name in names}

    def columns(self, name: str) -> tuple[tuple[str, str], ...]:
        """In their order."""
        found = self.run(
            "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
            f"WHERE a.attrelid = {OID} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            name,
        )
        return tuple((str(column), str(kind)) for column, kind in found)

    def fill(self, name: str, batches: pa.RecordBatchReader) -> None:
        """By COPY."""
        self._touched.add(name)
        with self._connection.cursor() as cursor:
            cursor.adbc_ingest(name, batches, mode="append", db_schema_name=self._schema)

    def checksum(self, name: str) -> str:  # noqa: ARG002 - every edit is seen by who made it
        """None is needed."""
        return ""

    def settle(self, name: str, load: str) -> Seen:  # noqa: ARG002 - the transaction itself is what marks the rows
        """The rows are those that this transaction wrote."""
        return self._settled(name, "")

    def _settled(self, name: str, before: str) -> Seen:
        [(xid,)] = self.run("SELECT (txid_current() % 4294967296)::text")
        return self.look({name: (f"-.{before}{xid}", 0)})[name]

    def append(self, name: str, new: str, mark: str, load: str) -> Seen:  # noqa: ARG002 - nothing of it stays
        """The rows are those of the transactions that loaded before, and of this one."""
        check_carried(self, name)
        before = self.look({name: (mark, 0)})[name]
        self._touched.add(name)
        sql = f"INSERT INTO {quoted(name)} SELECT * FROM {quoted(new)} RETURNING 1"
        [(added,)] = self.run(f"WITH added AS ({sql}) SELECT count(*) FROM added")
        [(xid,)] = self.run("SELECT (txid_current() % 4294967296)::text")
        oid, loads, rest = mark.split(".", 2)
        if name not in self._held or before.mark != mark:
            return self._settled(name, f"{loads},")
        return Seen(before.rows + int(added), f"{oid}.{loads},{xid}.{rest}")

    def first(self, name: str, rows: int, mark: str) -> str:  # noqa: ARG002 - who wrote a row tells more
        """By the transactions that wrote them."""
        return f"xmin IN ({_xids(mark.split('.')[1])})"

    def replace(self, new: str, name: str, aside: str, mark: str) -> tuple[str, str]:
        """See `postgres_swap`."""
        self._touched |= {new, name, aside}
        exchanged = swap(self, new, name, aside)
        if not exchanged:
            return mark, ""
        marks = [self.settle(each, "").mark if each else "" for each in (name, aside)]
        return marks[0], marks[1]

    def rename(self, name: str, new: str) -> None:
        """Indexes go along by themselves."""
        self._touched |= {name, new}
        rename(self, name, new)

    def hanging(self, name: str) -> list[str]:
        """Views and foreign keys of others, functions that know it, the table that it is a partition of."""
        return dependents(self, name)

    def holding(self, name: str) -> list[str]:
        """Those, and what another table would not get."""
        return dependents(self, name) + uncarried(self, name, LEDGER)

    def obstacles(self, name: str) -> list[str]:
        """Triggers, rules, row level security and tables that inherit."""
        return obstacles(self, name)


def _xids(load: str) -> str:
    return ", ".join(f"'{int(xid)}'::xid" for xid in load.split(","))


def _counting(at: int, name: str, load: str) -> str:
    """How many rows a table has, and a text for those that the load did not write."""
    edits = f"sum(xmin::text::bigint) FILTER (WHERE xmin NOT IN ({_xids(load)}))"
    return f"SELECT {at}, count(*), coalesce(({edits})::text, ''), {_SNAPSHOT} FROM {quoted(name)}"


def _let_go(connection: Connection) -> None:
    """Closed; what it had not committed is rolled back."""
    import adbc_driver_manager  # noqa: PLC0415 - heavy

    with suppress(adbc_driver_manager.Error):
        connection.close()
