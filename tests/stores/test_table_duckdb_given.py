"""What a given DuckDB connection shows first is never taken for a table of ours; no view loses its table."""

from contextlib import closing

import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import RefusedError, UsageError
from reconcile.stores.options import StoreOptions
from reconcile.stores.tables.store import TableStore
from tests.stores.table_kit import load, made

OLD = "id,name\n1,ann\n2,bob\n"


@pytest.fixture
def given():
    import duckdb

    with closing(duckdb.connect()) as connection:
        yield connection


@pytest.mark.parametrize(
    ("deed", "undone", "told"),
    [
        ("CREATE TEMP TABLE people (id INT)", "DROP TABLE temp.people", "a temporary table or view, `people`"),
        ("CREATE TEMP VIEW people AS SELECT 1", "DROP VIEW temp.people", "a temporary table or view, `people`"),
        ("CREATE SCHEMA other; SET schema = 'other'", "SET schema = 'main'", "works in the schema other"),
    ],
)
def test_what_comes_before_the_tables_is_refused(given, deed, undone, told):
    store = TableStore.open("duckdb:///:memory:", StoreOptions(client=given))
    entry = load(store, "people", OLD)
    given.execute(deed)
    for act in (lambda: store.stat("people"), lambda: load(store, "people", OLD, expect=entry.version)):
        with pytest.raises(UsageError, match=told):
            act()
    given.execute(undone)
    assert store.stat("people") == entry


@pytest.mark.parametrize(
    "view", ["(k) AS SELECT name FROM people", "AS WITH p AS (SELECT * FROM People) SELECT * FROM p"]
)
def test_a_table_that_a_view_needs_is_neither_dropped_nor_renamed(tmp_path, request, view):
    with made("duckdb", tmp_path, request) as one:
        store = one.store()
        entry, other = load(store, "people", OLD), load(store, "other", OLD)
        one.sql(f'CREATE VIEW "a ""view" {view}')
        (error,) = store.delete([("people", entry.version)])
        assert isinstance(error, RefusedError)
        assert error.message == 'others hang on it: view a "view'
        with pytest.raises(RefusedError, match="others hang on it"):
            store.move(entry, "folk", expect=ABSENT)
        assert one.sql("SELECT count(*) FROM people") == [(2,)]
        assert store.delete([("other", other.version)]) == [None]
        load(store, "people", "id,name\n3,cy\n", expect=store.stat("people").version)
        assert one.sql('SELECT count(*) FROM "a ""view"') == [(1,)]
