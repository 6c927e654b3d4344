"""A small table of SQLite gets other rows where it stands, where that is the same as a swap and nobody hears of it."""

import pytest

from reconcile.core.entry import Version
from reconcile.core.errors import RefusedError
from tests.stores.table_kit import file, load, made  # noqa: F401 - a fixture

OLD, NEW = "id,name\n1,ann\n2,bob\n", "id,name\n3,cy\n"
MANY = (
    "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
    "INSERT INTO people SELECT i, 'x' FROM n"
)
KEPT = ".reconcile/undo/1/people"


@pytest.fixture
def one(tmp_path, request):
    with made("sqlite", tmp_path, request) as database:
        yield database


def root(one):
    """Which table it is: a swap gives the name to another one."""
    return one.sql("SELECT rootpage FROM sqlite_schema WHERE name = 'people'")


def replaced(one, *, meanwhile="", new=NEW):
    """Loads, keeps, edits and replaces; whether the table stayed where it was."""
    store = one.store()
    first = load(store, "people", OLD)
    store.copy(first, KEPT, expect=Version(""))
    if meanwhile:
        one.sql(meanwhile)
    before = root(one)
    load(store, "people", new, expect=store.stat("people").version)
    return store, before == root(one)


def test_the_old_rows_are_kept_and_seem_as_they_were(one):
    store, stayed = replaced(one)
    assert stayed
    assert one.sql("SELECT * FROM people") == [(3, "cy")]
    kept = store.stat(KEPT)
    assert b"".join(store.read(KEPT)) == b"id,name\n1,ann\n2,bob\n"
    back = store.copy(kept, "again", expect=Version(""))
    assert store.made_from(back) == store.made_from(kept)
    assert store.delete([("people", store.stat("people").version)]) == [None]
    assert one.sql("SELECT * FROM again") == [(1, "ann"), (2, "bob")]


def test_an_edit_by_hand_is_seen_in_what_was_kept(one):
    store, stayed = replaced(one, meanwhile="UPDATE people SET name = 'hand' WHERE id = 1")
    assert stayed
    assert b"hand" in b"".join(store.read(KEPT))
    assert store.made_from(store.stat(KEPT)) != store.made_from(store.stat("people"))


@pytest.mark.parametrize(
    ("meanwhile", "new"),
    [
        ("CREATE TRIGGER heard AFTER DELETE ON people BEGIN UPDATE people SET name = 'fired'; END", NEW),
        ("ALTER TABLE people RENAME COLUMN name TO called", NEW),
        ("", "id,name,more\n3,cy,x\n"),
        ("", "id,name\n" + "3,cy\n" * 201),
        (MANY, NEW),
    ],
    ids=["a trigger", "a column by hand", "another column", "many new rows", "many old rows"],
)
def test_else_the_tables_change_places(one, meanwhile, new):
    _, stayed = replaced(one, meanwhile=meanwhile, new=new)
    assert not stayed
    assert one.sql("SELECT name FROM people LIMIT 1") == [("cy",)]
    assert one.sql("SELECT count(*) FROM people") == [(new.count("\n") - 1,)]


def test_what_is_kept_as_the_first_rows_of_a_table_keeps_their_numbers(one, file):  # noqa: F811
    store = one.store()
    first = store.write("people", file(OLD), expect=Version(""))
    loaded = store.made_from(first)
    store.copy(first, KEPT, expect=Version(""))
    store.write("people", file(OLD + "3,cy\n"), expect=first.version)
    one.sql("DELETE FROM people WHERE id = 1")
    load(store, "people", NEW, expect=store.stat("people").version)
    assert b"".join(store.read(KEPT)) == b"id,name\n2,bob\n"
    assert store.made_from(store.stat(KEPT)) != loaded


def test_what_hangs_on_a_table_that_is_moved_goes_with_it(one):
    store = one.store()
    entry, there = load(store, "a", OLD), load(store, "people", NEW)
    one.sql("CREATE INDEX by_name ON a (name)")
    store.move(entry, "people", expect=there.version)
    assert one.sql("SELECT tbl_name FROM sqlite_schema WHERE name = 'by_name'") == [("people",)]


def test_a_name_in_another_spelling_becomes_ours(one):
    store = one.store()
    load(store, "people", OLD)
    load(store, "PEOPLE", NEW, expect=store.stat("people").version)
    assert one.sql("SELECT name FROM sqlite_schema WHERE name LIKE 'people'") == [("PEOPLE",)]


def test_rows_that_an_index_does_not_take_leave_all_as_it_was(one):
    store = one.store()
    entry = load(store, "people", OLD)
    one.sql("CREATE UNIQUE INDEX one_name ON people (name)")
    with pytest.raises(RefusedError, match="does not take the new rows") as told:
        load(store, "people", "id,name\n3,cy\n4,cy\n", expect=store.stat("people").version)
    assert (told.value.op, told.value.path) == ("replace", "people")
    assert one.sql("SELECT * FROM people") == [(1, "ann"), (2, "bob")]
    assert store.stat("people").version == entry.version
