"""A SQLite connection that a program hands out is used as it must be, and given back as it was."""

from contextlib import closing
import sqlite3

import pytest

import reconcile
from reconcile.core.entry import ABSENT
from reconcile.core.errors import BusyError, UsageError
from reconcile.stores.options import StoreOptions
from reconcile.stores.tables.store import TableStore
from tests.stores.table_kit import load

OLD, NEW = "id,name\n1,ann\n2,bob\n", "id,name\n1,cy\n2,di\n"


@pytest.fixture
def given():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    yield connection
    connection.close()


@pytest.fixture
def store(given):
    return TableStore.open("sqlite:///:memory:", StoreOptions(client=given))


def test_its_views_and_keys_find_the_new_table(given, store):
    given.execute("PRAGMA foreign_keys=ON")
    entry = load(store, "people", OLD)
    given.execute("CREATE VIEW names AS SELECT name FROM people")
    given.execute("CREATE TABLE pets (owner REFERENCES people (id))")
    store.copy(entry, ".reconcile/undo/1/people", expect=ABSENT)
    load(store, "people", NEW, expect=entry.version)
    assert given.execute("SELECT * FROM names").fetchall() == [("cy",), ("di",)]
    [(pets,)] = given.execute("SELECT sql FROM sqlite_schema WHERE name = 'pets'").fetchall()
    assert "REFERENCES people" in pets
    assert given.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert given.execute("PRAGMA legacy_alter_table").fetchone() == (0,)


def test_how_it_gives_rows_and_texts_is_its_owners(given, store):
    given.row_factory, given.text_factory = sqlite3.Row, bytes
    entry = load(store, "people", OLD)
    new = load(store, "people", NEW, expect=entry.version)
    assert store.stat("people") == new
    assert given.row_factory is sqlite3.Row
    assert given.execute("SELECT name FROM people").fetchone()["name"] == b"cy"


def test_a_transaction_that_it_has_open_is_left_alone(given, store):
    load(store, "people", OLD)
    given.execute("UPDATE people SET name = 'eve'")
    with pytest.raises(BusyError, match="in a transaction"):
        store.stat("people")
    given.rollback()
    assert given.execute("SELECT name FROM people WHERE id = 1").fetchone() == ("ann",)


def test_a_connection_for_one_thread_is_refused_before_anything_is_done():
    with closing(sqlite3.connect(":memory:")) as given, pytest.raises(UsageError, match="one thread") as caught:
        TableStore.open("sqlite:///:memory:", StoreOptions(client=given))
    assert "check_same_thread=False" in caught.value.hint


def test_a_database_in_memory_is_filled_through_python(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "people.csv").write_text(OLD, encoding="utf-8")
    mapping = {"tables": {"source": "./data", "target": "mem"}}
    stores = {"mem": {"url": "sqlite:///:memory:"}}
    spec = reconcile.Spec(mapping, stores=stores, clients={"mem": given})
    assert reconcile.apply(reconcile.plan(spec)).exit_code == 0
    assert given.execute("SELECT * FROM people").fetchall() == [(1, "ann"), (2, "bob")]
    (tmp_path / "data" / "people.csv").unlink()
    assert reconcile.apply(reconcile.plan(spec)).exit_code == 0
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        given.execute("SELECT * FROM people")
    with pytest.raises(UsageError, match="in memory"):
        reconcile.plan(reconcile.Spec(mapping, stores=stores))
    assert not (tmp_path / ":memory:").exists()


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("CREATE TEMP TABLE people (id, name)", "a temporary table, `people`"),
        (
            "CREATE TEMP TRIGGER heard AFTER INSERT ON people BEGIN DELETE FROM people; END",
            "a temporary trigger, `heard`",
        ),
    ],
)
def test_what_is_temporary_would_be_taken_for_a_table_of_the_database(given, store, made, told):
    load(store, "people", OLD)
    given.execute(made)
    given.commit()
    given.row_factory = lambda cursor, row: {
        column[0]: cell for column, cell in zip(cursor.description, row, strict=True)
    }
    with pytest.raises(UsageError, match=told):
        store.stat("people")
    assert given.execute("SELECT 1 AS one").fetchone() == {"one": 1}, "its rows are its owner's"
    given.row_factory = None
    given.execute(f"DROP {made.split()[2]} temp.{made.split()[3]}")
    given.commit()
    assert given.execute("SELECT * FROM people").fetchall() == [(1, "ann"), (2, "bob")]
    assert store.stat("people") is not None


def test_the_ledger_of_a_database_that_is_attached_is_not_ours(given, store, tmp_path):
    with closing(TableStore.open(f"sqlite:///{tmp_path}/other.db", StoreOptions())) as other:
        other.ensure()
        before = load(other, "people", OLD)
        given.execute("ATTACH ? AS other", (f"{tmp_path}/other.db",))
        assert store.stat("people") is None
        load(store, "people", NEW)
        assert given.execute("SELECT count(*) FROM main._reconcile_tables").fetchone() == (1,)
        assert other.stat("people") == before
