"""The index that `table.index_column` gives a table has the name of its table, whatever that was called before."""

from reconcile.core.entry import ABSENT
from reconcile.stores.data.file import Reading
from tests.stores.table_kit import database, load, postgres  # noqa: F401 - fixtures

ON = {
    "sqlite": "SELECT tbl_name, name FROM sqlite_schema WHERE type = 'index' AND substr(tbl_name, 1, 1) <> '_'",
    "duckdb": "SELECT table_name, index_name FROM duckdb_indexes() WHERE NOT starts_with(table_name, '_')",
    "postgresql": "SELECT tablename::text, indexname::text FROM pg_indexes "
    "WHERE schemaname = current_schema() AND NOT starts_with(tablename, '_')",
}


def test_a_table_that_is_renamed_leaves_its_name_to_the_next(database):  # noqa: F811
    store = database.store(reading=Reading(index_column=True))
    entry = load(store, "a", "x\n1\n")
    assert sorted(database.sql(ON[database.engine])) == [("a", "ix_a_index")]
    store.move(entry, "b", expect=ABSENT)
    assert sorted(database.sql(ON[database.engine])) == [("b", "ix_b_index")]
    load(store, "a", "x\n2\n")
    assert sorted(database.sql(ON[database.engine])) == [("a", "ix_a_index"), ("b", "ix_b_index")]
