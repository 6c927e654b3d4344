"""What hangs on a table of PostgreSQL that was kept, and comes back into its place."""

import pytest

from reconcile.core.entry import ABSENT
from tests.stores.table_kit import load, made, postgres  # noqa: F401 - a fixture

OLD, NEW = "id,name\n1,ann\n2,bob\n", "id,name\n3,cy\n4,di\n5,ed\n"


@pytest.fixture
def pg(tmp_path, request):
    with made("postgresql", tmp_path, request) as one:
        yield one


@pytest.mark.parametrize(
    "hung",
    [
        "CREATE INDEX mine ON people (name)",
        "ALTER TABLE people ADD PRIMARY KEY (id)",
        "ALTER TABLE people ADD CONSTRAINT grown CHECK (id > 0)",
        "ALTER TABLE people ADD CONSTRAINT apart UNIQUE (name)",
    ],
)
def test_a_table_that_comes_back_has_once_what_hung_on_it(pg, hung):
    def on_it():
        return pg.sql("SELECT conname::text FROM pg_constraint WHERE conrelid = 'people'::regclass"), pg.sql(
            "SELECT indexname::text FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'people'"
        )

    store = pg.store()
    load(store, "people", OLD)
    pg.sql(hung)
    then = on_it()
    for number in range(3):
        kept = f".reconcile/undo/{number}/people"
        store.copy(store.stat("people"), kept, expect=ABSENT)
        load(store, "people", NEW, expect=store.stat("people").version)
        assert on_it() == then
        store.move(store.stat(kept), "people", expect=store.stat("people").version)
        assert on_it() == then
    assert pg.sql("SELECT * FROM people ORDER BY id") == [(1, "ann"), (2, "bob")]


def test_what_hangs_on_a_table_that_is_moved_onto_another_goes_with_it(pg):
    store = pg.store()
    entry, there = load(store, "a", OLD), load(store, "people", NEW)
    pg.sql("CREATE INDEX by_name ON a (name)")
    store.move(entry, "people", expect=there.version)
    assert pg.sql(
        "SELECT tablename::text FROM pg_indexes WHERE schemaname = current_schema() AND indexname = 'by_name'"
    ) == [("people",)]
