"""What only a server can do: refuse, be away, lack a database; and what may be said of a connection."""

import msgspec
import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import BusyError, DeniedError, NotFoundError, RefusedError, StoreError
from reconcile.stores.options import StoreOptions
from reconcile.stores.patience import UnreachableError
from reconcile.stores.recipe import Recipe
from reconcile.stores.tables.store import TableStore
from reconcile.testing.samples import body_of
from tests.postgres import PASSWORD, Postgres, postgres  # noqa: F401 - a fixture
from tests.servers import free_ports

BODY = body_of(b"id,name\n1,ann\n")


@pytest.fixture
def opened():
    """Opens stores, and closes them in the end."""
    stores = []

    def opening(url, password=PASSWORD, **recipe):
        stores.append(TableStore.open(url, StoreOptions(password=password, recipe=Recipe(**recipe))))
        return stores[-1]

    yield opening
    for store in stores:
        store.close()


def everything(error):
    """All that an error could tell anybody."""
    told = []
    while error is not None:
        told += [str(error), repr(error), *map(str, error.args), str(getattr(error, "hint", ""))]
        error = error.__cause__ or error.__context__
    return "\n".join(told)


@pytest.mark.hazard("Q18")
def test_a_wrong_password_is_told_and_not_shown(postgres, opened):  # noqa: F811
    store = opened(postgres.url, "wrong-canary'@:/")
    for act in (lambda: list(store.list()), lambda: store.write("a", BODY, expect=ABSENT), store.ensure):
        with pytest.raises(DeniedError, match="does not let this user in") as caught:
            act()
        assert "wrong-canary" not in everything(caught.value)
    assert "wrong-canary" not in store.url
    assert "wrong-canary" not in repr(StoreOptions(password="wrong-canary"))


@pytest.mark.hazard("Q18")
def test_a_server_that_is_away_is_worth_another_try(postgres, opened):  # noqa: F811
    store = opened(Postgres(free_ports(1)).url, "secret-canary")
    with pytest.raises(UnreachableError, match="cannot be reached") as caught:
        store.stat("a")
    assert "host and port" in caught.value.hint
    assert "secret-canary" not in everything(caught.value)


def test_a_database_and_its_schema_are_made(postgres, opened):  # noqa: F811
    name = postgres.schema() + '"; DROP TABLE y; --'.replace('"', "'")
    url = postgres.url.removesuffix("postgres") + name.replace(" ", "%20").replace(";", "%3B")
    store = opened(url, schema="Mine")
    with pytest.raises(NotFoundError):
        list(store.list())
    assert store.stat("a") is None
    planned = store.ensure(dry=True)
    assert planned == [f"PostgreSQL database {name}", "schema Mine"]
    assert store.ensure() == planned
    assert store.ensure() == []
    entry = store.write("a", BODY, expect=ABSENT)
    store.write("a", BODY, expect=entry.version)
    store.close()
    with postgres.connect(name, schema='"Mine"') as client:
        assert client.execute("SELECT * FROM a").fetchall() == [(1, "ann")]


def test_a_right_that_is_missing_is_told(postgres, opened):  # noqa: F811
    schema = postgres.schema()
    opened(postgres.url, schema=schema).ensure()
    opened(postgres.url, schema=schema).write("a", BODY, expect=ABSENT)
    with postgres.connect() as client:
        client.execute("DROP ROLE IF EXISTS looker")
        client.execute(f"CREATE ROLE looker LOGIN PASSWORD 'look'; GRANT USAGE ON SCHEMA {schema} TO looker")
        client.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO looker")
    try:
        store = opened(postgres.url.replace("postgres@", "looker@"), "look", schema=schema)
        assert [entry.key for entry in store.list()] == ["a"]
        with pytest.raises(DeniedError, match="may not do that"):
            store.write("b", BODY, expect=ABSENT)
        store.close()
    finally:
        with postgres.connect() as client:
            client.execute("DROP OWNED BY looker; DROP ROLE looker")


def test_a_connection_that_the_server_ended_is_replaced(postgres, opened):  # noqa: F811
    store = opened(postgres.url, schema=postgres.schema())
    store.ensure()
    entry = store.write("a", BODY, expect=ABSENT)
    with store._engine.session(write=False) as session:
        [(backend,)] = session.run("SELECT pg_backend_pid()")
    with postgres.connect() as client:
        client.execute("SELECT pg_terminate_backend(%s)", (backend,))
    with pytest.raises(BusyError):
        store.stat("a")
    assert store.stat("a") == entry


def test_a_statement_that_may_not_take_so_long_is_not_tried_again(postgres, opened):  # noqa: F811
    schema = postgres.schema()
    entry = opened(postgres.url, schema=postgres.made(schema)).write("a", BODY, expect=ABSENT)
    store = opened(f"{postgres.url}?options=-c%20statement_timeout%3D100", schema=schema)
    with postgres.connect(schema=schema) as holder, holder.transaction():
        holder.execute("LOCK TABLE a")
        with pytest.raises(StoreError, match="statement timeout") as caught:
            store.stat("a")
    assert caught.value.permanent
    assert store.stat("a") == entry


def test_tables_of_two_schemas_are_two_stores(postgres, opened):  # noqa: F811
    one, other = postgres.schema(), postgres.schema()
    stores = [opened(postgres.url, schema=each) for each in (one, other)]
    for store in stores:
        store.ensure()
    assert stores[0].url != stores[1].url
    stores[0].write("a", BODY, expect=ABSENT)
    assert stores[1].stat("a") is None
    assert msgspec.json.encode(Recipe(schema=one).digest) == msgspec.json.encode(Recipe(schema=other).digest)


@pytest.mark.hazard("Q05")
@pytest.mark.parametrize("name", ["pg_settings", "pg_description", "PG_x"])
def test_no_table_has_a_name_as_those_of_the_catalogue(postgres: Postgres, opened, name):  # noqa: F811
    """PostgreSQL looks for it there first."""
    store = opened(postgres.url, schema=postgres.made(postgres.schema()))
    with pytest.raises(RefusedError, match="names that begin with `pg_` are reserved"):
        store.write(name, BODY, expect=ABSENT)
    assert list(store.list()) == []


def test_what_is_of_somebodys_own_type_is_read_as_its_text(postgres, opened):  # noqa: F811
    """Types come and go; the driver knows those of every server."""
    schema = postgres.made(postgres.schema())
    store = opened(postgres.url, schema=schema)
    assert list(store.list()) == []
    with postgres.connect(schema=schema) as client:
        client.execute("CREATE TYPE mood AS ENUM ('fine', 'so, so'); CREATE DOMAIN count AS int")
        client.execute("CREATE TABLE b (x int); CREATE TABLE a (m mood, many mood[], c count, row b, n int[])")
        client.execute("""INSERT INTO a VALUES ('so, so', '{fine,"so, so"}', 3, ROW(1), '{1,2}')""")
    assert b"".join(store.read("a")) == b'm,many,c,row,n\n"so, so","{fine,""so, so""}",3,(1),"[1, 2]"\n'
