"""Whoever reads while a table is replaced sees the old rows or the new ones: never none, some of them, or a mixture."""

from contextlib import closing, contextmanager
import sqlite3
from threading import Event, Thread

import pytest

from reconcile.core.entry import ABSENT
from tests.stores.table_kit import database, load, made, postgres  # noqa: F401 - fixtures

OLD = "id,v\n" + "".join(f"{number},old\n" for number in range(1_000))
NEW = "id,v\n" + "".join(f"{number},new\n" for number in range(1_500))
WHOLE = {(1_000, "old", "old"), (1_500, "new", "new")}
LOOK = "SELECT count(*), min(v), max(v) FROM t"


@contextmanager
def looking(database, store):  # noqa: F811
    """A way to look that is not the store's; of DuckDB another cursor, since no other process may have it open."""
    if database.engine == "duckdb":
        with closing(store._engine._file._connection.cursor()) as cursor:
            yield lambda: cursor.execute(LOOK).fetchone()
    elif database.engine == "sqlite":
        with closing(database.client()) as client:
            yield lambda: client.execute(LOOK).fetchone()
    else:
        with database.client() as client:
            yield lambda: client.execute(LOOK).fetchone()


def swapped(database, swaps, least_reads, *, keep):  # noqa: F811
    """Replaces a table again and again while two readers look; every answer that was not a whole table."""
    store = database.store()
    entry = load(store, "t", OLD)
    stop, reads, wrong = Event(), [0, 0], []

    def read(at):
        try:
            with looking(database, store) as look:
                while not stop.is_set():
                    seen = tuple(look())
                    reads[at] += 1
                    if seen not in WHOLE:
                        wrong.append(seen)
        except Exception as error:  # noqa: BLE001 - told by the test
            wrong.append(error)

    readers = [Thread(target=read, args=(at,)) for at in range(2)]
    for reader in readers:
        reader.start()
    done = 0
    while done < swaps or (sum(reads) < least_reads and not wrong):
        if keep:
            store.copy(entry, f".reconcile/undo/{done}/t", expect=ABSENT)
        entry = load(store, "t", (NEW, OLD)[done % 2], expect=entry.version)
        done += 1
    stop.set()
    for reader in readers:
        reader.join(30)
    assert min(reads) > 0
    return wrong


@pytest.mark.hazard("Q07")
@pytest.mark.parametrize("keep", [False, True], ids=["dropped", "kept"])
def test_a_reader_sees_a_whole_table(database, keep):  # noqa: F811
    assert swapped(database, 6, 60, keep=keep) == []


@pytest.mark.campaign
@pytest.mark.parametrize("keep", [False, True], ids=["dropped", "kept"])
def test_ten_thousand_reads_see_whole_tables(database, keep):  # noqa: F811
    assert swapped(database, 100, 10_000, keep=keep) == []


def test_a_reader_of_a_view_sees_a_whole_table_while_rows_are_exchanged(tmp_path, request):
    with made("postgresql", tmp_path, request) as one:
        load(one.store(), "t", OLD)
        one.sql("CREATE VIEW seen AS SELECT * FROM t")
        one.sql("ALTER TABLE t RENAME TO kept_t; ALTER TABLE kept_t RENAME TO t")
        store = one.store()
        entry = store.stat("t")
        with one.client() as reader:
            reader.autocommit = False
            reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            assert reader.execute("SELECT count(*) FROM seen").fetchone() == (1_000,)
            reader.commit()
            reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            reader.execute("SELECT 1")
            load(store, "t", NEW, expect=entry.version)
            assert reader.execute("SELECT count(*), max(v) FROM seen").fetchone() == (1_000, "old")


def test_a_reader_of_a_file_that_was_no_wal_is_served_as_well(tmp_path, request):
    with made("sqlite", tmp_path, request) as one:
        with closing(sqlite3.connect(tmp_path / "tables.sqlite")) as client:
            client.execute("PRAGMA journal_mode=DELETE")
        assert swapped(one, 4, 20, keep=False) == []
