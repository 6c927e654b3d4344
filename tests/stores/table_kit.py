"""What tests of tables share: the three databases, each with a client of its own to look behind the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
import sqlite3
from typing import Any

import pytest

from reconcile.core.entry import ABSENT, Entry, Version
from reconcile.ports import Body, Store
from reconcile.stores.options import StoreOptions
from reconcile.stores.recipe import Recipe
from reconcile.stores.tables import loading as table_loading
from reconcile.stores.tables.store import TableStore
from tests.flow.world import World
from tests.postgres import PASSWORD, postgres  # noqa: F401 - a fixture

ENGINES = ("sqlite", "duckdb", "postgresql")
_numbers = count()


@dataclass
class Database:
    """One empty database. `sql` is a client of another making than the store, as far as there is one.

    `place` is how a spec names it: target, stores, and what `table:` must say.
    """

    engine: str
    opened: Callable[[Recipe], TableStore]
    client: Callable[[], Any]
    place: tuple[str, dict[str, dict[str, str]], dict[str, str]]
    stores: list[Store] = field(default_factory=list)

    def store(self, **words: Any) -> TableStore:
        """A store on it; `words` are those of a `Recipe`."""
        store = self.opened(Recipe(**words))
        self.stores.append(store)
        return store

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """One statement of somebody else, committed; its rows."""
        if self.engine == "duckdb":  # nobody else may have it open
            for store in self.stores:
                store.close()
        with closing(self.client()) as client:
            cursor = client.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
            if self.engine == "sqlite":
                client.commit()
            return rows


@pytest.fixture(params=ENGINES)
def database(request, tmp_path) -> Iterator[Database]:
    """Each of the three."""
    with made(request.param, tmp_path, request) as one:
        yield one


@contextmanager
def made(engine: str, tmp_path: Any, request: Any) -> Iterator[Database]:
    """An empty database of one kind."""
    if engine == "postgresql":
        server = request.getfixturevalue("postgres")
        schema = server.made(server.schema())
        stores = {"pg": {"url": server.url, "password": PASSWORD}}
        one = Database(
            engine,
            lambda recipe: server.store(schema, recipe),
            lambda: server.connect(schema=schema),
            ("pg", stores, {"schema": schema}),
        )
    else:
        path = tmp_path / f"tables.{engine}"

        def opened(recipe: Recipe) -> TableStore:
            store = TableStore.open(f"{engine}:///{path}", StoreOptions(recipe=recipe))
            store.ensure()
            return store

        one = Database(engine, opened, lambda: connect(engine, str(path)), (f"{engine}:///{path}", {}, {}))
    try:
        yield one
    finally:
        for store in one.stores:
            store.close()


def connect(engine: str, path: str) -> Any:
    """A client of a database that is a file; it has `execute`, and must be closed."""
    return sqlite3.connect(path) if engine == "sqlite" else Attached(path)


class Attached:
    """A DuckDB file in an instance that all tests share: to make one takes fifty times as long as to attach a file."""

    def __init__(self, path: str) -> None:
        self._cursor = _instance().cursor()
        self._name = f"d{next(_numbers)}"
        literal = path.replace("'", "''")
        self._cursor.execute(f"ATTACH '{literal}' AS {self._name}; USE {self._name}")

    def execute(self, sql: str) -> Any:
        """The cursor, which has the rows."""
        return self._cursor.execute(sql)

    def close(self) -> None:
        """Others may open the file again."""
        self._cursor.execute(f"USE memory; DETACH {self._name}")
        self._cursor.close()


@cache
def _instance() -> Any:
    import duckdb

    return duckdb.connect(":memory:")


def load(store: Store, key: str, text: str | bytes, *, expect: Version = ABSENT) -> Entry:
    """Loads a CSV."""
    from reconcile.testing.samples import body_of  # only once the suite's assertions are rewritten

    return store.write(key, body_of(text.encode() if isinstance(text, str) else text), expect=expect)


def world_of(database: Database, root: Any, **options: Any) -> World:
    """A directory of data files kept as the tables of a database; `options` are those of the mapping."""
    target, stores, table = database.place
    table = {**table, **options.pop("table", {})}
    return World(root, target, options={"table": table, **options}, stores=stores, mapping="tables")


@pytest.fixture
def file(tmp_path) -> Callable[[str], Body]:
    """Writes a file and gives it as a large body: a stream with a handle."""

    def written(text: str) -> Body:
        path = tmp_path / "t.csv"
        path.write_text(text, encoding="utf-8")
        return Body(size_bytes=len(text.encode()), open=lambda: path.open("rb"), origin="t.csv")

    return written


@pytest.fixture
def rows_read(monkeypatch) -> list[int]:
    """How many rows each load read."""
    read: list[int] = []
    real = table_loading.fill

    def counted(session, name, batches):
        read.append(0)

        def counting():
            for batch in batches:
                read[-1] += batch.num_rows
                yield batch

        import pyarrow as pa

        real(session, name, pa.RecordBatchReader.from_batches(batches.schema, counting()))

    bound = table_loading.bind

    def at_hand(session, name, columns, values):
        read.append(len(values[0]))
        bound(session, name, columns, values)

    monkeypatch.setattr(table_loading, "fill", counted)
    monkeypatch.setattr(table_loading, "bind", at_hand)
    return read
