"""The contract on tables: SQLite, DuckDB and a real PostgreSQL."""

import pytest

from reconcile.stores.data.file import Reading
from reconcile.stores.options import StoreOptions
from reconcile.stores.recipe import Recipe
from reconcile.stores.tables.store import TableStore
from reconcile.testing import StoreContract
from tests.postgres import postgres  # noqa: F401 - a fixture
from tests.stores.dbapi_engine import DbapiEngine
from tests.stores.rowed import Rowed

RECIPE = Recipe(reading=Reading(format="csv", types={"at": "text", "held": "text"}))


class TestSqlite(StoreContract):
    scheme = "sqlite"
    large_bytes = 4 << 20

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path):
        self.path = tmp_path / "tables.db"
        self.stores = []

    def store_at(self, path):
        store = TableStore.open(f"{self.scheme}:///{path}", StoreOptions(recipe=RECIPE))
        self.stores.append(store)
        return store

    def open(self):
        store = self.store_at(self.path)
        store.ensure()
        return Rowed(store)

    def missing(self):
        return Rowed(self.store_at(self.path.with_name("yet") / "to be made.db"))

    def leftovers(self):
        return [left.key for left in self.stores[-1].leftovers()]


class TestDuckdb(TestSqlite):
    scheme = "duckdb"
    large_bytes = 2 << 20
    racers = 4
    test_a_name_is_kept_exactly_or_refused = None  # test_table_hostile has worse ones


class TestDbapi(StoreContract):
    """What somebody else would write for a database of theirs, on nothing but its DBAPI driver."""

    large_bytes = 1 << 20
    racers = 4
    test_a_name_is_kept_exactly_or_refused = None  # test_table_hostile has worse ones

    @pytest.fixture(autouse=True)
    def _server(self, postgres):  # noqa: F811
        self.server, self.schema = postgres, postgres.schema()
        with postgres.connect() as client:
            client.execute(f"CREATE SCHEMA {self.schema}")

    def connect(self):
        connection = self.server.connect(schema=self.schema)
        connection.autocommit = False
        return connection

    def open(self):
        self.store = TableStore(DbapiEngine(f"dbapi://{self.schema}", self.connect), RECIPE)
        return Rowed(self.store)

    def leftovers(self):
        return [left.key for left in self.store.leftovers()]


class TestPostgres(StoreContract):
    large_bytes = 2 << 20
    racers = 4
    test_a_name_is_kept_exactly_or_refused = None  # test_table_hostile has worse ones

    @pytest.fixture(autouse=True)
    def _server(self, postgres):  # noqa: F811
        self.server = postgres

    def open(self):
        self.store = self.server.store(self.server.schema(), RECIPE)
        return Rowed(self.store)

    def missing(self):
        name = self.server.schema()
        url = self.server.url.removesuffix("postgres") + name
        return Rowed(TableStore.open(url, StoreOptions(password=_password(), recipe=RECIPE)))

    def leftovers(self):
        return [left.key for left in self.store.leftovers()]


def _password():
    from tests.postgres import PASSWORD

    return PASSWORD
