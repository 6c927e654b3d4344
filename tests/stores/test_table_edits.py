"""Edits by hand are seen, and never lost."""

import sqlite3

import duckdb
import psycopg
import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import ChangedError, ReconcileError, RefusedError
from reconcile.ports import Hashes
from reconcile.stores.tables import sqlite_edits
from reconcile.stores.tables.sqlite_definition import constraints
from reconcile.testing.samples import body_of
from tests.stores.table_kit import database, load, made, postgres  # noqa: F401 - fixtures

OLD = "id,name\n1,ann\n2,bob\n"
EDITS = {
    "insert": "INSERT INTO people VALUES (3, 'eve')",
    "update": "UPDATE people SET name = 'eve' WHERE id = 1",
    "delete": "DELETE FROM people WHERE id = 1",
    "column": "ALTER TABLE people ADD COLUMN more TEXT",
}


@pytest.mark.hazard("Q16")
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_by_hand_is_never_overwritten_unseen(database, edit):  # noqa: F811
    store = database.store()
    entry = load(store, "people", OLD)
    database.sql(EDITS[edit])
    left = database.sql("SELECT * FROM people ORDER BY id")
    for act in (
        lambda: load(store, "people", "id,name\n9,new\n", expect=entry.version),
        lambda: store.move(entry, "others", expect=ABSENT),
    ):
        with pytest.raises(ChangedError):
            act()
    [answer] = store.delete([("people", entry.version)])
    assert isinstance(answer, ChangedError)
    assert database.sql("SELECT * FROM people ORDER BY id") == left
    seen = store.stat("people")
    assert seen.version != entry.version
    assert store.prove(seen, Hashes(body_of(OLD.encode()).digest)) is False


@pytest.mark.parametrize("edit", EDITS)
def test_who_has_seen_an_edit_may_replace_it_and_have_it_kept(database, edit):  # noqa: F811
    store = database.store()
    entry = load(store, "people", OLD)
    database.sql(EDITS[edit])
    left = sorted(database.sql("SELECT * FROM people"))
    store.delete([("people", entry.version)])  # refused; only now a database that tells little knows of the edit
    seen = store.stat("people")
    kept = store.copy(seen, ".reconcile/undo/1/people", expect=ABSENT)
    assert kept.version == seen.version
    new = load(store, "people", "id,name\n9,new\n", expect=seen.version)
    assert database.sql("SELECT * FROM people") == [(9, "new")]
    assert store.stat("people") == new
    aside = store.stat(".reconcile/undo/1/people")
    assert aside.version == kept.version
    assert store.delete([("people", new.version)]) == [None]
    back = store.move(aside, "people", expect=ABSENT)
    assert back.version == seen.version
    assert sorted(database.sql("SELECT * FROM people")) == left


@pytest.mark.parametrize("act", ["delete", "kept and delete", "move"])
def test_an_edit_is_seen_by_whatever_takes_a_table_from_its_name(database, act):  # noqa: F811
    store = database.store()
    entry = load(store, "people", OLD)
    if act == "kept and delete":
        store.copy(entry, ".reconcile/undo/1/people", expect=ABSENT)
    database.sql(EDITS["update"])
    if act == "move":
        with pytest.raises(ChangedError):
            store.move(entry, "others", expect=ABSENT)
    else:
        [answer] = store.delete([("people", entry.version)])
        assert isinstance(answer, ChangedError)
    assert sorted(database.sql("SELECT * FROM people")) == [(1, "eve"), (2, "bob")]
    assert store.stat("people").version != entry.version
    assert store.stat("others") is None


def test_an_edit_after_the_look_is_seen_too(database):  # noqa: F811
    store = database.store()
    load(store, "people", OLD)
    database.sql(EDITS["insert"])
    seen = store.stat("people")
    database.sql("INSERT INTO people VALUES (4, 'more')")
    with pytest.raises(ChangedError):
        load(store, "people", "id,name\n9,new\n", expect=seen.version)
    assert len(database.sql("SELECT * FROM people")) == 4


def test_a_table_that_was_made_anew_by_hand_is_a_strangers(database):  # noqa: F811
    store = database.store()
    entry = load(store, "people", OLD)
    database.sql("DROP TABLE people")
    assert store.stat("people") is None
    database.sql("CREATE TABLE people (id BIGINT, name TEXT)")
    database.sql("INSERT INTO people VALUES (1, 'mine'), (2, 'bob')")
    with pytest.raises(ChangedError):
        load(store, "people", "id,name\n9,new\n", expect=entry.version)
    assert len(database.sql("SELECT * FROM people")) == 2


@pytest.mark.hazard("Q16")
def test_a_table_that_was_made_anew_with_constraints_does_not_lose_them(database):  # noqa: F811
    store = database.store()
    entry = load(store, "people", OLD)
    database.sql("DROP TABLE people")
    database.sql("CREATE TABLE people (id BIGINT NOT NULL PRIMARY KEY, name TEXT CHECK (name <> ''))")
    database.sql("INSERT INTO people VALUES (1, 'ann'), (2, 'bob')")
    with pytest.raises(ReconcileError):
        load(store, "people", "id,name\n9,new\n", expect=entry.version)
    seen = store.stat("people")
    if database.engine == "postgresql":
        load(store, "people", "id,name\n9,new\n", expect=seen.version)
    else:
        told = store.inside("people", body_of(b"id,name\n9,new\n")).refused
        with pytest.raises(RefusedError, match="cannot be carried over") as caught:
            load(store, "people", "id,name\n9,new\n", expect=seen.version)
        assert all(word in text for text in (told, str(caught.value)) for word in ("PRIMARY KEY", "NOT NULL", "CHECK"))
    with pytest.raises(_ANY_ERROR):
        database.sql("INSERT INTO people VALUES (NULL, 'x')")


_ANY_ERROR = (sqlite3.IntegrityError, duckdb.ConstraintException, psycopg.IntegrityError)


def test_a_definition_is_read_once_whatever_columns_there_are(tmp_path, request, monkeypatch):
    """It is as long as there are columns: read with each, 1,500 of them took minutes."""
    read = []
    monkeypatch.setattr(sqlite_edits, "constraints", lambda sql: read.append(sql) or constraints(sql))
    with made("sqlite", tmp_path, request) as lite:
        store = lite.store()
        load(store, "wide", ",".join(f"c{at}" for at in range(300)) + "\n" + ",".join("7" * 300) + "\n")
        read.clear()
        assert [entry.key for entry in store.list()] == ["wide"]
        assert len(read) == 1


@pytest.mark.parametrize("rows", [3, 300])
def test_an_edit_that_is_no_text_is_seen_and_hides_no_other_table(tmp_path, request, rows):
    """SQLite keeps any bytes as a text."""
    with made("sqlite", tmp_path, request) as one:
        store = one.store()
        text = "id,name\n" + "".join(f"{number},x\n" for number in range(rows))
        entry, other = load(store, "people", text), load(store, "other", text)
        one.sql("UPDATE people SET name = CAST(x'ff41' AS TEXT) WHERE id = 1")
        found = {each.key: each.version for each in store.list()}
        assert found["other"] == other.version
        assert found["people"] != entry.version
        assert b"1,\xffA\n" in b"".join(store.read("people"))
        load(store, "people", text, expect=found["people"])
        assert store.made_from(store.stat("people")) == store.made_from(store.stat("other"))
