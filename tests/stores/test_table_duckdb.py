"""What is DuckDB's own: a file that another process has open is waited for, and definitions are read once."""

from contextlib import closing, contextmanager
import subprocess
import sys
import time

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import BusyError, StoreError
from reconcile.stores.tables import duckdb_file
from reconcile.stores.tables.duckdb import DuckdbSession
from reconcile.stores.tables.duckdb_catalogue import Catalogue
from reconcile.testing.samples import body_of
from tests.stores.table_kit import load, made

PLAIN = "id,v\n1,a\n2,b\n"
HOLDS = (
    "import duckdb, sys\n"
    "with duckdb.connect(sys.argv[1], read_only=sys.argv[2] == 'read'):\n"
    "    print('open', flush=True)\n"
    "    sys.stdin.read()\n"
)


@pytest.fixture
def base(tmp_path, request):
    """An empty DuckDB database."""
    with made("duckdb", tmp_path, request) as one:
        yield one


@contextmanager
def held(path, how):
    """Open in another process until what is given is closed."""
    words = [sys.executable, "-c", HOLDS, str(path), how]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"open\n"
        yield other.stdin
        other.stdin.close()


@pytest.fixture
def asked(monkeypatch):
    """Each time that a file was asked for, which takes no time."""
    times = []
    real = duckdb.connect

    def connect(*args, **words):
        times.append(args)
        return real(*args, **words)

    monkeypatch.setattr(duckdb, "connect", connect)
    monkeypatch.setattr(duckdb_file, "BUSY_ASK_S", 0.02)
    return times


@pytest.mark.parametrize(("how", "act"), [("write", "list"), ("write", "write"), ("read", "write")])
def test_a_file_that_another_process_has_open_is_waited_for(base, tmp_path, monkeypatch, asked, how, act):
    store = base.store()
    load(store, "there", PLAIN)
    store.close()
    sleep = time.sleep
    with held(tmp_path / "tables.duckdb", how) as open_there:

        def close_then(seconds):
            if len(asked) == 3:
                open_there.close()
            sleep(seconds)

        asked.clear()
        monkeypatch.setattr(time, "sleep", close_then)
        if act == "list":
            assert [entry.key for entry in store.list()] == ["there"]
        else:
            load(store, "new", PLAIN)
    assert len(asked) > 3


def test_who_waited_in_vain_does_not_wait_so_long_again(base, tmp_path, monkeypatch, asked):
    monkeypatch.setattr(duckdb_file, "BUSY_TIMEOUT_S", 0.2)
    monkeypatch.setattr(duckdb_file, "BUSY_AGAIN_S", 0.0)
    store = base.store()
    store.close()
    with held(tmp_path / "tables.duckdb", "write"):
        tries = []
        for _ in range(2):
            asked.clear()
            with pytest.raises(BusyError, match="open in another process"):
                load(store, "new", PLAIN)
            tries.append(len(asked))
        assert tries[0] > 2
        assert tries[1] == 1
    load(store, "new", PLAIN)
    store.close()
    asked.clear()
    with held(tmp_path / "tables.duckdb", "write"), pytest.raises(BusyError):
        load(store, "other", PLAIN)
    assert len(asked) > 2


def test_nobody_in_this_process_shares_the_open_file(base, tmp_path):
    load(base.store(), "there", PLAIN)
    for config in ({}, duckdb_file._NO_DOWNLOADS):
        with pytest.raises(duckdb.Error, match="different configuration"):
            duckdb.connect(str(tmp_path / "tables.duckdb"), config=config)


def test_definitions_are_read_once_for_many_tables(base, monkeypatch):
    store = base.store()
    for number in range(6):
        load(store, f"t{number}", PLAIN)
    store.close()
    read = []
    real = Catalogue._run

    def counted(self, sql, *values):
        read.extend([sql] * ("duckdb_columns()" in sql or "duckdb_tables()" in sql))
        return real(self, sql, *values)

    monkeypatch.setattr(Catalogue, "_run", counted)
    for entry in list(store.list()):
        store.inside(entry.key, body_of((PLAIN + "3,c\n").encode()))
    looked = len(read)
    assert looked <= 5  # names, columns, comments, defaults, constraints
    for entry in list(store.list()):
        load(store, entry.key, PLAIN + "3,c\n", expect=entry.version)
    assert len(read) <= 2 * looked  # opened once more, for writing


def test_a_table_that_another_made_while_the_file_was_closed_is_seen(base):
    store = base.store()
    load(store, "there", PLAIN)
    base.sql('ALTER TABLE there ADD COLUMN "more" INT')
    base.sql("CREATE TABLE mine (x INT)")
    assert {entry.key for entry in store.list()} == {"there", "mine"}
    assert [name for name, _ in store._engine._file._catalogue.columns("there")] == ["id", "v", "more"]


NAMES = st.sampled_from(["t", "T", 'a"b', "with space", "Ä", "ä", "x.y"])
OURS = st.one_of(
    st.builds('CREATE TABLE "{}" ("id" BIGINT, "v w" DECIMAL(10,2))'.format, NAMES),
    st.builds('CREATE TABLE "{}" AS SELECT 1 AS one'.format, NAMES),
    st.builds('DROP TABLE IF EXISTS "{}"'.format, NAMES),
    st.builds('ALTER TABLE "{}" RENAME TO "{}"'.format, NAMES, NAMES),
    st.builds('CREATE INDEX IF NOT EXISTS "i" ON "{}" ("id")'.format, NAMES),
    st.builds('DROP INDEX "{}"'.format, st.just("i")),
    st.builds("COMMENT ON TABLE \"{}\" IS 'said'".format, NAMES),
    st.builds('COMMENT ON COLUMN "{}"."id" IS \'said\''.format, NAMES),
    st.builds('ALTER TABLE "{}" ALTER COLUMN "id" SET DEFAULT 7'.format, NAMES),
    st.builds('ALTER TABLE "{}" ADD COLUMN "new" INT'.format, NAMES),
    st.builds('CREATE VIEW "{}" AS SELECT 1 AS seen'.format, NAMES),
)


@settings(max_examples=60)
@given(statements=st.lists(OURS.map(lambda sql: sql.replace('a"b', 'a""b')), max_size=12), asks=st.booleans())
def test_what_is_remembered_is_what_the_database_would_say(statements, asks):
    with closing(duckdb.connect(":memory:")) as connection:
        known = Catalogue(connection)
        for sql in statements:
            connection.execute("BEGIN")
            try:
                DuckdbSession(connection, known).run(sql)
                connection.execute("COMMIT")
            except duckdb.Error:
                connection.execute("ROLLBACK")
                known.forget()
            if asks:
                assert told(known) == told(Catalogue(connection))
        assert told(known) == told(Catalogue(connection))


def told(catalogue):
    names = catalogue.names()
    kinds = ("constraint", "index", "comment", "default")
    return (
        names,
        {name: catalogue.names(name.swapcase()) for name in names},
        {name: catalogue.columns(name) for name in names},
        {name: [sorted(catalogue.hanging(kind, name)) for kind in kinds] for name in names},
        catalogue.columns("nothing"),
    )


def test_what_was_taken_back_is_not_remembered(base):
    store = base.store()
    load(store, "there", PLAIN)

    def fail(session):
        session.run('CREATE TABLE "gone" (x INT)')
        assert session.names("gone") == {"gone": True}
        raise StoreError("the disk is full")

    with pytest.raises(StoreError), store._engine.session(write=True) as session:
        fail(session)
    assert store.stat("gone") is None
    load(store, "gone", PLAIN, expect=ABSENT)
