"""What hangs on a table of SQLite: it is not dropped from under it, and a rename takes it along."""

import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import RefusedError
from tests.stores.table_kit import load, made

OLD, NEW = "id,name\n1,ann\n2,bob\n", "id,name\n3,cy\n4,di\n5,ed\n"


@pytest.fixture
def lite(tmp_path, request):
    with made("sqlite", tmp_path, request) as one:
        yield one


HANGING = {
    "view v": "CREATE VIEW v AS SELECT name FROM people",
    "view w": "CREATE VIEW w AS SELECT p.name FROM other AS people JOIN PEOPLE AS p USING (id)",
    "a foreign key of pets": "CREATE TABLE pets (owner REFERENCES People (id))",
}


@pytest.mark.parametrize("told", HANGING)
@pytest.mark.parametrize("kept", [False, True])
def test_a_table_of_sqlite_that_others_need_is_not_dropped(lite, told, kept):
    store = lite.store()
    entry, other = load(store, "people", OLD), load(store, "other", OLD)
    lite.sql("CREATE INDEX by_name ON people (name)")
    lite.sql(HANGING[told])
    if kept:
        store.copy(entry, ".reconcile/undo/1/people", expect=ABSENT)
    (error,) = store.delete([("people", store.stat("people").version)])
    assert isinstance(error, RefusedError)
    assert error.message == f"others hang on it: {told}"
    assert store.inside("people", None).refused == f"others hang on it: {told}"
    assert lite.sql("SELECT count(*) FROM people") == [(2,)]
    if told != "view w":
        assert store.delete([("other", other.version)]) == [None]


@pytest.mark.parametrize("broken", [False, True])
def test_a_view_of_sqlite_goes_with_a_table_that_is_renamed(lite, broken):
    store = lite.store()
    entry = load(store, "people", OLD)
    lite.sql("CREATE VIEW v AS SELECT name FROM people")
    if broken:
        lite.sql("CREATE VIEW lost AS SELECT * FROM no_such_table")
    moved = store.move(entry, "folk", expect=ABSENT)
    assert store.stat("folk") == moved
    if not broken:
        assert lite.sql("SELECT * FROM v") == [("ann",), ("bob",)]
    again = load(store, "folk", NEW, expect=moved.version)
    assert store.stat("folk") == again
    assert broken or lite.sql("SELECT count(*) FROM v") == [(3,)]


@pytest.mark.parametrize("goes", ["deleted", "renamed"])
def test_a_trigger_of_another_table_goes_with_a_rename_and_never_to_what_is_kept(lite, goes):
    store = lite.store()
    entry = load(store, "people", OLD)
    store.copy(entry, ".reconcile/undo/1/people", expect=ABSENT)
    lite.sql("CREATE TABLE pets (name)")
    lite.sql("CREATE TRIGGER adds AFTER INSERT ON pets BEGIN INSERT INTO people VALUES (9, new.name); END")
    if goes == "deleted":
        assert store.delete([("people", store.stat("people").version)]) == [None]
    else:
        store.move(store.stat("people"), "folk", expect=ABSENT)
    [(sql,)] = lite.sql("SELECT sql FROM sqlite_schema WHERE name = 'adds'")
    assert ("INTO people" in sql) == (goes == "deleted")
    assert ('"folk"' in sql) == (goes == "renamed")
