"""Many small files become tables in one transaction, and each of them just as if it had been written alone."""

from contextlib import closing, contextmanager
import tempfile

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import BusyError, ChangedError, StoreError
from reconcile.flow import insides
from reconcile.ports import HOOKS
from reconcile.stores.options import StoreOptions
from reconcile.stores.tables import sqlite as table_sqlite
from reconcile.stores.tables.store import TableStore
from reconcile.testing.samples import body_of
from tests.stores.table_kit import connect, database, load, made, postgres, world_of  # noqa: F401 - fixtures

PLAIN = "id,v\n1,a\n2,b\n"
MANY = "id,v\n" + "".join(f"{number},some\n" for number in range(300))
CELLS = st.sampled_from(["", "1", "-7", "1.50", "2.5", "true", "2024-01-02", "2024-01-02 10:00", "x", '"a,b"', '""'])
FILES = st.lists(st.lists(CELLS, min_size=2, max_size=2).map(",".join), max_size=4).map("\n".join)


GATHERING = ("sqlite", "duckdb")


@pytest.fixture(params=GATHERING)
def base(tmp_path, request):
    """An empty database that makes many at once."""
    with made(request.param, tmp_path, request) as one:
        yield one


only_sqlite = pytest.mark.parametrize("base", ["sqlite"], indirect=True)


@contextmanager
def heard(hook):
    HOOKS.append(hook)
    try:
        yield
    finally:
        HOOKS.remove(hook)


def bodies(**texts):
    return [(key, body_of(text.encode(), token=f"token-{key}")) for key, text in texts.items()]


def names(database):  # noqa: F811
    found = database.sql("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> '_reconcile_tables'")
    return sorted(name for (name,) in found)


def everything(engine, path):
    """All that is in a file, but when it was made."""
    with closing(connect(engine, path)) as client:
        told = client.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
        ledger = [column for _, column, *_ in client.execute("PRAGMA table_info(_reconcile_tables)").fetchall()]
        columns = ", ".join(column for column in ledger if column != "made_ns")
        tables = [name for kind, name, _ in told if kind == "table" and name != "_reconcile_tables"]
        rows = [client.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables]
        noted = client.execute(f"SELECT {columns} FROM _reconcile_tables ORDER BY key").fetchall()
        return told, [[[(cell, type(cell)) for cell in row] for row in one] for one in rows], noted


@pytest.mark.parametrize("engine", GATHERING)
@given(texts=st.lists(FILES.map("one,two\n{}".format) | st.sampled_from([MANY, PLAIN]), min_size=1, max_size=4))
def test_a_table_is_the_same_as_one_that_was_written_alone(engine, texts):
    items = [(f"t{number}", body_of(text.encode(), token=f"token{number}")) for number, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as room:
        entries = []
        for way in ("together", "alone"):
            with closing(TableStore.open(f"{engine}:///{room}/{way}", StoreOptions())) as store:
                store.ensure()
                made_now = store.write_many(items) if way == "together" else [None] * len(items)
                assert way == "alone" or None not in made_now
                entries.append(
                    [
                        found or store.write(key, body, expect=ABSENT)
                        for (key, body), found in zip(items, made_now, strict=True)
                    ]
                )
                assert [store.stat(key) for key, _ in items] == entries[-1]
        assert [entry.version for entry in entries[0]] == [entry.version for entry in entries[1]]
        together, alone = (everything(engine, f"{room}/{way}") for way in ("together", "alone"))
        assert together == alone


def test_what_is_not_plain_is_left_to_be_written_alone(base):
    store = base.store()
    load(store, "there", PLAIN)
    load(store, "dropped", PLAIN)
    base.sql("DROP TABLE dropped")
    base.sql("CREATE VIEW view AS SELECT 1")
    before = names(base)
    texts = {
        "good": PLAIN,
        "there": PLAIN,
        "THERE": PLAIN,
        "dropped": PLAIN,
        "view": PLAIN,
        "broken": 'id,v\n1,"a\n',
        "ragged": "id,v\n1,a,b\n",
        "empty": "",
        "_reconcile_x": PLAIN,
        "many": "id,v\n" + "1,some\n" * 1_000,
        "fine": "id,v\n",
    }
    entries = dict(zip(texts, store.write_many(bodies(**texts)), strict=True))
    assert [key for key, entry in entries.items() if entry is not None] == ["good", "fine"]
    assert names(base) == sorted([*before, "good", "fine"])
    assert store.stat("good") == entries["good"]


def test_two_spellings_of_one_name_are_both_left(base):
    store = base.store()
    assert store.write_many(bodies(one=PLAIN, twin=PLAIN, TWIN=PLAIN)) == [None, None, None]
    assert names(base) == []


@pytest.mark.parametrize(("moment", "at"), [("table.create", 2), ("table.fill", 2), ("table.commit", 1)])
def test_a_fault_takes_all_of_them_back(moment, at, base):
    store = base.store()
    load(store, "there", PLAIN)
    fired = []

    def fail(step, _told, done):
        if step == moment and not done:
            fired.append(step)
            if len(fired) == at:
                raise StoreError("the disk is full")

    with heard(fail):
        assert store.write_many(bodies(one=PLAIN, two=PLAIN)) == [None, None]
    assert len(fired) >= at
    assert names(base) == ["there"]
    assert None not in store.write_many(bodies(one=PLAIN, two=PLAIN))


def test_what_was_committed_is_known_though_the_reply_was_lost(base):
    store = base.store()

    def lose(step, _told, done):
        if step == "table.commit" and done:
            raise StoreError("the reply was lost")

    with heard(lose), pytest.raises(StoreError, match="reply was lost"):  # of the look, too
        store.write_many(bodies(one=PLAIN, two=PLAIN))
    assert names(base) == ["one", "two"]
    lost = []

    def lose_once(step, _told, done):
        if step == "table.commit" and done and not lost:
            lost.append(step)
            raise StoreError("the reply was lost")

    with heard(lose_once):
        entries = store.write_many(bodies(three=PLAIN, four=PLAIN))
    assert lost
    assert [store.stat("three"), store.stat("four")] == entries


@only_sqlite
def test_somebody_elses_lock_is_told_once_for_all(base, monkeypatch):
    monkeypatch.setattr(table_sqlite, "BUSY_TIMEOUT_S", 0.1)
    store = base.store()
    with closing(base.client()) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BusyError):
            store.write_many(bodies(one=PLAIN, two=PLAIN))
    assert names(base) == []


@only_sqlite
def test_an_edit_afterwards_is_noticed(base):
    store = base.store()
    entries = store.write_many(bodies(small=PLAIN, large=MANY))
    for key, entry in zip(("small", "large"), entries, strict=True):
        assert store.stat(key) == entry
        base.sql(f"UPDATE {key} SET v = 'by hand' WHERE id = 1")
        assert store.stat(key).version != entry.version


@pytest.mark.parametrize("base", ["duckdb"], indirect=True)
def test_an_edit_of_values_is_noticed_before_it_is_overwritten(base):
    store = base.store()
    [entry, *_] = store.write_many(bodies(one=PLAIN, two=PLAIN))
    base.sql("UPDATE one SET v = 'by hand' WHERE id = 1")
    with pytest.raises(ChangedError):
        load(store, "one", MANY, expect=entry.version)
    assert sorted(base.sql("SELECT * FROM one")) == [(1, "by hand"), (2, "b")]


def test_only_a_database_that_says_so_is_asked(database):  # noqa: F811
    store = database.store()
    entries = store.write_many(bodies(one=PLAIN, two=PLAIN))
    assert [entry is not None for entry in entries] == [bool(store.traits.together)] * 2
    assert (store.stat("one") is not None) == bool(store.traits.together)


def test_a_run_makes_them_together_and_tells_of_each(base, tmp_path, monkeypatch):
    monkeypatch.setattr(insides, "LOOKED_INTO", 0)
    world = world_of(base, tmp_path / "world")
    world.put(**{f"t{number}.csv": PLAIN for number in range(40)}, **{"bad.csv": "id,v\n1,a,b\n"})
    commits = []
    with heard(lambda step, _told, done: commits.append(step) if step == "table.commit" and done else None):
        result = world.apply()
    ended = {outcome.key: outcome.outcome for outcome in result.outcomes}
    assert ended == {**{f"t{number}": "done" for number in range(40)}, "bad": "failed"}
    assert len(commits) < 20
    world.write("bad.csv", PLAIN)
    world.settled()
    assert names(base) == sorted(ended)
