"""A file that only grew costs its new rows; what it was before can still come back."""

import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import ChangedError, DamagedError, RefusedError
from reconcile.ports import Hashes
from reconcile.testing.samples import body_of, content
from tests.stores.table_kit import database, file, made, postgres, rows_read  # noqa: F401 - fixtures

HEAD = "id,v\n"
FIRST = HEAD + "".join(f"{number},first\n" for number in range(300))
MORE = FIRST + "".join(f"{number},more\n" for number in range(300, 310))
MOST = MORE + "310,most\n"


def rows(database):  # noqa: F811
    return sorted(database.sql("SELECT * FROM t"))


def proven(store, entry, text):
    return store.prove(entry, Hashes(body_of(text.encode()).digest))


def test_only_the_new_rows_are_loaded(database, file, rows_read):  # noqa: F811
    store = database.store()
    entry = store.write("t", file(FIRST), expect=ABSENT)
    entry = store.write("t", file(MORE), expect=entry.version)
    assert store.stat("t") == entry
    entry = store.write("t", file(MOST), expect=entry.version)
    assert rows_read == [300, 10, 1]
    assert len(rows(database)) == 311
    assert store.stat("t") == entry
    assert entry.size == len(MOST)
    assert proven(store, entry, MOST) is True
    assert list(store.leftovers()) == []
    database.sql("UPDATE t SET v = 'hand' WHERE id = 3")
    with pytest.raises(ChangedError):
        store.write("t", file(FIRST), expect=entry.version)
    assert store.stat("t").version != entry.version or database.engine == "duckdb"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (FIRST, FIRST.replace("7,first", "7,FIRST") + "301,x\n"),
        (FIRST.rstrip("\n"), FIRST.rstrip("\n") + "9\n301,x\n"),
        (FIRST, FIRST + "301.5,x\n"),
        (FIRST, FIRST + "text,x\n"),
        (FIRST, HEAD + "1,x\n"),
        (HEAD, HEAD + "1,x\n"),
    ],
    ids=["changed", "no-end", "wider", "other-type", "shorter", "no-rows"],
)
def test_what_did_not_simply_grow_is_loaded_whole(database, file, rows_read, before, after):  # noqa: F811
    store = database.store()
    entry = store.write("t", file(before), expect=ABSENT)
    entry = store.write("t", file(after), expect=entry.version)
    assert rows_read[-1] == after.count("\n") - 1 == len(rows(database))
    assert proven(store, entry, after) is True
    assert list(store.leftovers()) == []


def test_an_edited_table_is_not_appended_to(database, file, rows_read):  # noqa: F811
    store = database.store()
    store.write("t", file(FIRST), expect=ABSENT)
    database.sql("DELETE FROM t WHERE id = 3")
    entry = store.write("t", file(MORE), expect=store.stat("t").version)
    assert rows_read == [300, 310]
    assert proven(store, entry, MORE) is True


TRIGGERS = {
    "sqlite": (
        "CREATE TRIGGER mine BEFORE INSERT ON t BEGIN SELECT RAISE(IGNORE); END",
        "CREATE TRIGGER other AFTER INSERT ON t BEGIN UPDATE t SET v = 'x' WHERE id = 3; END",
    ),
    "postgresql": (
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER mine BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION nothing()",
    ),
}


@pytest.mark.parametrize(("engine", "which"), [("sqlite", 0), ("sqlite", 1)])
def test_triggers_of_others_do_not_fire_at_an_append(tmp_path, request, file, rows_read, engine, which):  # noqa: F811
    with made(engine, tmp_path, request) as database:  # noqa: F811
        store = database.store()
        entry = store.write("t", file(FIRST), expect=ABSENT)
        trigger = TRIGGERS[engine][which]
        database.sql(trigger)
        entry = store.write("t", file(MORE), expect=entry.version)
        assert rows_read == [300, 10]
        assert rows(database) == sorted((int(line.split(",")[0]), line.split(",")[1]) for line in MORE.split()[1:])
        assert proven(store, entry, MORE) is True
        assert (trigger,) in database.sql("SELECT sql FROM sqlite_schema WHERE type = 'trigger'")


def test_an_append_that_would_meddle_with_rows_is_refused(tmp_path, request, file):  # noqa: F811
    with made("postgresql", tmp_path, request) as database:  # noqa: F811
        store = database.store()
        entry = store.write("t", file(FIRST), expect=ABSENT)
        for statement in TRIGGERS["postgresql"]:
            database.sql(statement)
        with pytest.raises(RefusedError, match="trigger mine"):
            store.write("t", file(MORE), expect=entry.version)
        assert store.stat("t") == entry
        assert list(store.leftovers()) == []


def test_an_append_counts_what_arrived(tmp_path, request, file, monkeypatch):  # noqa: F811
    from reconcile.stores.tables import postgres as table_postgres

    monkeypatch.setattr(table_postgres, "check_carried", lambda *_: None)
    with made("postgresql", tmp_path, request) as database:  # noqa: F811
        store = database.store()
        entry = store.write("t", file(FIRST), expect=ABSENT)
        for statement in TRIGGERS["postgresql"]:
            database.sql(statement)
        with pytest.raises(DamagedError, match="300 rows, not the 310"):
            store.write("t", file(MORE), expect=entry.version)
        assert store.stat("t") == entry
        assert list(store.leftovers()) == []


def test_what_was_there_before_an_append_comes_back(database, file):  # noqa: F811
    store = database.store()
    entry = store.write("t", file(FIRST), expect=ABSENT)
    kept = store.copy(entry, ".reconcile/undo/1/t", expect=ABSENT)
    entry = store.write("t", file(MORE), expect=kept.version)
    again = store.copy(entry, ".reconcile/undo/2/t", expect=ABSENT)
    entry = store.write("t", file(MOST), expect=again.version)
    assert len(rows(database)) == 311
    seen = {each.key: each for each in store.list(".reconcile")}
    for key, text in ((kept.key, FIRST), (again.key, MORE)):
        assert store.stat(key) == seen[key]
        assert seen[key].size == len(text)
        assert proven(store, seen[key], text) is True
        assert content(store, key).decode() == text
    replaced = store.write("t", file(HEAD + "1,new\n"), expect=entry.version)
    back = store.move(store.stat(again.key), "t", expect=replaced.version)
    assert len(rows(database)) == 310
    assert proven(store, back, MORE) is True
    back = store.move(store.stat(kept.key), "t", expect=back.version)
    assert len(rows(database)) == 300
    assert proven(store, back, FIRST) is True
    assert store.list(".reconcile") is not None
    assert list(store.list(".reconcile")) == []


def test_columns_that_hide_the_numbers_of_rows(database, file):  # noqa: F811
    store = database.store()
    text = "rowid,oid\n" + "".join(f"{number},x\n" for number in range(5))
    entry = store.write("t", file(text), expect=ABSENT)
    kept = store.copy(entry, ".reconcile/undo/1/t", expect=ABSENT)
    store.write("t", file(text + "9,y\n"), expect=kept.version)
    assert len(rows(database)) == 6
    if database.engine != "duckdb":
        assert proven(store, store.stat(kept.key), text) is True


def test_a_small_table_grows_by_many_rows(database, file):  # noqa: F811
    store = database.store()
    small = HEAD + "".join(f"{number},first\n" for number in range(10))
    entry = store.write("t", file(small), expect=ABSENT)
    for count in (600, 1200):
        text = small + "".join(f"{number},more\n" for number in range(10, count))
        entry = store.write("t", file(text), expect=entry.version)
        assert len(rows(database)) == count
    database.sql("UPDATE t SET v = 'by hand' WHERE id = 1000")
    with pytest.raises(ChangedError):
        store.write("t", file(small), expect=entry.version)
