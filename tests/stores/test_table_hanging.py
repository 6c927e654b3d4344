"""What hangs on a table is carried over to the next one, or the change is refused and says why."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
import time

import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import BusyError, DamagedError, RefusedError
from reconcile.testing.samples import body_of
from tests.stores.table_kit import database, load, made, postgres  # noqa: F401 - fixtures

OLD, NEW = "id,name\n1,ann\n2,bob\n", "id,name\n3,cy\n4,di\n5,ed\n"
WIDER = "id,name,more\n1,ann,x\n"


@pytest.fixture
def pg(tmp_path, request):
    with made("postgresql", tmp_path, request) as one:
        yield one


def test_indexes_and_views_outlive_a_load(database):  # noqa: F811
    store = database.store()
    first = load(store, "people", OLD)
    database.sql("CREATE INDEX by_name ON people (name)")
    database.sql("CREATE VIEW names AS SELECT name FROM people")
    seen = store.stat("people")
    assert seen.version == first.version
    load(store, "people", NEW, expect=first.version)
    assert sorted(database.sql("SELECT * FROM names")) == [("cy",), ("di",), ("ed",)]
    assert _indexes(database) == ["by_name"]
    again = store.stat("people")
    load(store, "people", OLD, expect=again.version)
    assert sorted(database.sql("SELECT * FROM names")) == [("ann",), ("bob",)]
    assert _indexes(database) == ["by_name"]


def test_a_default_outlives_a_load(tmp_path, request):
    with made("duckdb", tmp_path, request) as one:
        store = one.store()
        entry = load(store, "people", OLD)
        one.sql("ALTER TABLE people ALTER COLUMN name SET DEFAULT 'it''s nobody'")
        load(store, "people", NEW, expect=entry.version)
        one.sql("INSERT INTO people (id) VALUES (9)")
        assert one.sql("SELECT name FROM people WHERE id = 9") == [("it's nobody",)]


def _indexes(database):  # noqa: F811
    catalogue = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'people'",
        "duckdb": "SELECT index_name FROM duckdb_indexes() WHERE table_name = 'people'",
        "postgresql": "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'people'",
    }
    return sorted(name for (name,) in database.sql(catalogue[database.engine]))


def test_an_index_that_the_new_columns_cannot_bear_keeps_the_old_table(database):  # noqa: F811
    store = database.store()
    entry = load(store, "people", OLD)
    database.sql("CREATE INDEX by_name ON people (name)")
    with pytest.raises(RefusedError, match="name"):
        load(store, "people", "id,other\n1,x\n", expect=entry.version)
    assert sorted(database.sql("SELECT * FROM people")) == [(1, "ann"), (2, "bob")]
    assert store.stat("people") == entry
    assert list(store.leftovers()) == []


def test_a_view_has_the_name_of_a_file(database):  # noqa: F811
    store = database.store()
    load(store, "people", OLD)
    database.sql("CREATE VIEW v AS SELECT name FROM people")
    assert store.stat("v").kind != 0
    assert {entry.key: entry.kind for entry in store.list()}["v"] != 0
    with pytest.raises(RefusedError):
        load(store, "v", NEW)
    assert sorted(database.sql("SELECT * FROM v")) == [("ann",), ("bob",)]


def test_what_a_database_person_gave_stays_given(pg):
    store = pg.store()
    entry = load(store, "people", OLD)
    pg.sql("DROP ROLE IF EXISTS reader_of_people")
    pg.sql("CREATE ROLE reader_of_people")
    try:
        pg.sql("GRANT SELECT ON people TO reader_of_people")
        pg.sql("GRANT UPDATE (name) ON people TO PUBLIC")
        pg.sql("COMMENT ON TABLE people IS 'it''s people'")
        pg.sql("COMMENT ON COLUMN people.name IS 'first \"name\"'")
        pg.sql("ALTER TABLE people ADD CONSTRAINT one_each PRIMARY KEY (id)")
        pg.sql("ALTER TABLE people ADD CONSTRAINT some_name CHECK (length(name) > 0)")
        pg.sql('CREATE UNIQUE INDEX "By ""name""" ON people (lower(name)) WHERE id > 0')
        entry = load(store, "people", NEW, expect=store.stat("people").version)
        assert pg.sql("SELECT has_table_privilege('reader_of_people', 'people', 'SELECT')") == [(True,)]
        assert pg.sql("SELECT has_column_privilege('reader_of_people', 'people', 'name', 'UPDATE')") == [(True,)]
        assert pg.sql("SELECT obj_description('people'::regclass), col_description('people'::regclass, 2)") == [
            ("it's people", 'first "name"')
        ]
        names = "SELECT conname FROM pg_constraint WHERE conrelid = 'people'::regclass AND contype <> 'n' ORDER BY 1"
        assert pg.sql(names) == [("one_each",), ("some_name",)]
        assert _indexes(pg) == ['By "name"', "one_each"]
        with pytest.raises(RefusedError):
            load(store, "people", "id,name\n1,a\n1,b\n", expect=entry.version)
        assert pg.sql("SELECT count(*) FROM people") == [(3,)]
    finally:
        pg.sql("DROP OWNED BY reader_of_people")
        pg.sql("DROP ROLE reader_of_people")


@pytest.mark.parametrize(
    ("hangs", "told"),
    [
        ("CREATE VIEW names AS SELECT name FROM people", "view names"),
        ("CREATE MATERIALIZED VIEW names AS SELECT name FROM people", "view names"),
        ("CREATE TABLE pets (owner BIGINT REFERENCES people (id))", "foreign key pets_owner_fkey of pets"),
    ],
)
def test_what_others_hang_on_it_is_told_where_it_cannot_stay(pg, hangs, told):
    store = pg.store()
    load(store, "people", OLD)
    pg.sql("ALTER TABLE people ADD CONSTRAINT one_each UNIQUE (id)")
    pg.sql(hangs)
    seen = store.stat("people")
    [answer] = store.delete([("people", seen.version)])
    assert isinstance(answer, RefusedError)
    assert told in str(answer)
    with pytest.raises(RefusedError, match=told.partition(" ")[0]):
        store.move(seen, ".reconcile/undo/1/people", expect=ABSENT)
    with pytest.raises(RefusedError, match=told.partition(" ")[0]):
        load(store, "people", WIDER, expect=seen.version)
    assert told in store.inside("people", None).refused
    assert told in store.inside("people", body_of(WIDER.encode())).refused
    same = load(store, "people", NEW, expect=seen.version)
    assert pg.sql("SELECT count(*) FROM people") == [(3,)]
    assert store.stat("people") == same
    assert store.prove(same, _hashes(NEW)) is True


def _hashes(text):
    from reconcile.ports import Hashes

    return Hashes(body_of(text.encode()).digest)


def test_an_exchange_of_rows_is_kept_and_undone_too(pg):
    store = pg.store()
    entry = load(store, "people", OLD)
    pg.sql("CREATE VIEW names AS SELECT name FROM people")
    kept = store.copy(entry, ".reconcile/undo/1/people", expect=ABSENT)
    new = load(store, "people", NEW, expect=kept.version)
    aside = store.stat(kept.key)
    assert store.prove(aside, _hashes(OLD)) is True
    assert store.prove(new, _hashes(NEW)) is True
    back = store.move(aside, "people", expect=new.version)
    assert sorted(pg.sql("SELECT * FROM names")) == [("ann",), ("bob",)]
    assert store.prove(back, _hashes(OLD)) is True


@pytest.mark.hazard("Q16")
def test_rows_that_were_edited_do_not_pass_for_loaded_ones_after_an_exchange(pg):
    store = pg.store()
    load(store, "people", OLD)
    pg.sql("CREATE VIEW names AS SELECT name FROM people")
    pg.sql("UPDATE people SET name = 'eve' WHERE id = 1")
    kept = store.copy(store.stat("people"), ".reconcile/undo/1/people", expect=ABSENT)
    new = load(store, "people", NEW, expect=kept.version)
    back = store.move(store.stat(kept.key), "people", expect=new.version)
    assert sorted(pg.sql("SELECT * FROM names")) == [("bob",), ("eve",)]
    assert store.prove(back, _hashes(OLD)) is False
    assert store.stat("people") == back


FUNCTION = "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
TRIGGER = "CREATE TRIGGER mine BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION nothing()"


@pytest.mark.parametrize(
    ("hangs", "told"),
    [
        ((FUNCTION, TRIGGER), "trigger mine"),
        (("CREATE POLICY mine ON people USING (true)",), "policy mine"),
        (("CREATE RULE mine AS ON DELETE TO people DO INSTEAD NOTHING",), "rule mine"),
    ],
)
def test_what_cannot_be_carried_over_is_told(pg, hangs, told):
    store = pg.store()
    entry = load(store, "people", OLD)
    for statement in hangs:
        pg.sql(statement)
    with pytest.raises(RefusedError, match=told):
        load(store, "people", NEW, expect=entry.version)
    assert pg.sql("SELECT count(*) FROM people") == [(2,)]


INDEX = "CREATE INDEX mine ON people (id)"
SETTING = "SELECT {}::text FROM pg_class WHERE oid = 'people'::regclass"
COLUMN = "SELECT {} FROM pg_attribute WHERE attrelid = 'people'::regclass AND attname = 'name'"
ATOMIC = "CREATE FUNCTION mine() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM people; END"
SOME = "CREATE FUNCTION mine() RETURNS SETOF people LANGUAGE sql AS 'SELECT * FROM people'"
KEEPS_ITS_TABLE = [
    ((ATOMIC,), "SELECT mine() - count(*) FROM people", "mine()"),
    ((SOME,), "SELECT (SELECT count(*) FROM mine()) - count(*) FROM people", "mine()"),
    (
        (
            "CREATE TABLE whole (id BIGINT, name TEXT) PARTITION BY RANGE (id)",
            "ALTER TABLE whole ATTACH PARTITION people FOR VALUES FROM (0) TO (100)",
        ),
        "SELECT (SELECT count(*) FROM whole) - count(*) FROM people",
        "partition of whole",
    ),
    (("ALTER TABLE people REPLICA IDENTITY FULL",), SETTING.format("relreplident"), "relreplident"),
    (("CREATE STATISTICS mine ON id, name FROM people",), "SELECT stxname FROM pg_statistic_ext", "mine"),
    (
        (INDEX, "ALTER TABLE people CLUSTER ON mine"),
        "SELECT indisclustered FROM pg_index WHERE indexrelid = 'mine'::regclass",
        "index mine",
    ),
    ((INDEX, "COMMENT ON INDEX mine IS 'why'"), "SELECT obj_description('mine'::regclass)", "index mine"),
    (("ALTER TABLE people ALTER name SET STATISTICS 7",), COLUMN.format("attstattarget"), "column name"),
    (("ALTER TABLE people ALTER name SET STORAGE EXTERNAL",), COLUMN.format("attstorage::text"), "column name"),
    (
        ("CREATE PUBLICATION mine FOR TABLE people", "ALTER TABLE people REPLICA IDENTITY FULL"),
        "SELECT count(*) FROM pg_publication_rel WHERE prrelid = 'people'::regclass",
        "publication mine",
    ),
    (("ALTER TABLE people SET (toast.autovacuum_enabled = false)",), SETTING.format("oid"), "large values"),
]


@pytest.mark.parametrize(("hangs", "seen", "told"), KEEPS_ITS_TABLE)
def test_what_another_table_would_not_get_keeps_its_table(pg, hangs, seen, told):
    store = pg.store()
    load(store, "people", OLD)
    try:
        for statement in hangs:
            pg.sql(statement)
        before, table = pg.sql(seen), pg.sql("SELECT 'people'::regclass::oid")
        new = load(store, "people", NEW, expect=store.stat("people").version)
        assert pg.sql(seen) == before
        assert pg.sql("SELECT 'people'::regclass::oid") == table
        assert sorted(pg.sql("SELECT * FROM people")) == [(3, "cy"), (4, "di"), (5, "ed")]
        assert store.stat("people") == new
        assert told in store.inside("people", body_of(WIDER.encode())).refused
        with pytest.raises(RefusedError, match=told.replace("(", ".").replace(")", ".")):
            load(store, "people", WIDER, expect=new.version)
    finally:
        pg.sql("DROP PUBLICATION IF EXISTS mine")


@pytest.mark.parametrize(
    ("hangs", "seen"),
    [
        ("ALTER TABLE people SET (fillfactor = 70, autovacuum_enabled = false)", SETTING.format("reloptions")),
        ("ALTER TABLE people ALTER name SET DEFAULT 'it''s'", "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef"),
        ("REVOKE INSERT ON people FROM CURRENT_USER", SETTING.format("relacl")),
    ],
)
def test_what_another_table_can_be_given_goes_along(pg, hangs, seen):
    store = pg.store()
    load(store, "people", OLD)
    pg.sql(hangs)
    before, table = pg.sql(seen), pg.sql("SELECT 'people'::regclass::oid")
    entry = load(store, "people", NEW, expect=store.stat("people").version)
    assert pg.sql(seen) == before
    load(store, "people", WIDER, expect=entry.version)
    assert pg.sql(seen) == before
    assert pg.sql("SELECT 'people'::regclass::oid") != table


def test_a_right_that_was_taken_away_does_not_come_back_by_default(pg):
    store = pg.store()
    pg.sql("DROP ROLE IF EXISTS default_reader")
    pg.sql("CREATE ROLE default_reader")
    try:
        pg.sql(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {pg.place[2]['schema']} GRANT SELECT ON TABLES TO default_reader")
        entry = load(store, "people", OLD)
        pg.sql("REVOKE ALL ON people FROM default_reader")
        load(store, "people", NEW, expect=entry.version)
        assert pg.sql("SELECT has_table_privilege('default_reader', 'people', 'SELECT')") == [(False,)]
    finally:
        pg.sql("DROP OWNED BY default_reader")
        pg.sql("DROP ROLE default_reader")


VIEW = "CREATE VIEW names AS SELECT name FROM people"
DELETES_NOTHING = (
    "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE TRIGGER mine BEFORE DELETE ON people FOR EACH ROW EXECUTE FUNCTION nothing()",
)
WRITES_ANOTHER = (
    "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.name = ''x''; RETURN NEW; END'",
    TRIGGER,
)


@pytest.mark.parametrize(
    ("hangs", "told"),
    [
        (DELETES_NOTHING, "trigger mine"),
        (WRITES_ANOTHER, "trigger mine"),
        (("CREATE POLICY mine ON people USING (true)",), "policy mine"),
        (("CREATE RULE mine AS ON DELETE TO people DO INSTEAD NOTHING",), "rule mine"),
        (("CREATE TABLE grown () INHERITS (people)", "INSERT INTO grown VALUES (7, 'gus')"), "grown"),
        (("ALTER TABLE people ENABLE ROW LEVEL SECURITY",), "row level security"),
    ],
)
def test_what_would_meddle_with_the_rows_is_told_before_they_are_exchanged(pg, hangs, told):
    store = pg.store()
    load(store, "people", OLD)
    for statement in (VIEW, *hangs):
        pg.sql(statement)
    before = pg.sql("SELECT * FROM people ORDER BY id")
    assert told in store.inside("people", body_of(NEW.encode())).refused
    with pytest.raises(RefusedError, match=told):
        load(store, "people", NEW, expect=store.stat("people").version)
    assert pg.sql("SELECT * FROM people ORDER BY id") == before


def test_rows_that_did_not_all_arrive_are_not_recorded(pg, monkeypatch):
    from reconcile.stores.tables import postgres_swap as table_postgres_swap

    monkeypatch.setattr(table_postgres_swap, "check_carried", lambda *_: None)
    store = pg.store()
    entry = load(store, "people", OLD)
    for statement in (VIEW, *DELETES_NOTHING):
        pg.sql(statement)
    with pytest.raises(DamagedError, match="5 rows"):
        load(store, "people", NEW, expect=entry.version)
    assert pg.sql("SELECT * FROM people ORDER BY id") == [(1, "ann"), (2, "bob")]
    assert store.stat("people") == entry


def test_a_table_that_somebody_holds_is_not_waited_for_for_ever(pg, monkeypatch):
    from reconcile.stores.tables import postgres_locks as table_postgres

    monkeypatch.setattr(table_postgres, "LOCK_TIMEOUT_S", 1)
    store = pg.store()
    entry = load(store, "people", OLD)
    with pg.client() as holder:
        holder.autocommit = False
        holder.execute("SELECT * FROM people")
        began = time.monotonic()
        with pytest.raises(BusyError, match="another session"):
            load(store, "people", NEW, expect=entry.version)
        assert 0.9 < time.monotonic() - began < 10
        holder.rollback()
    load(store, "people", NEW, expect=entry.version)


@pytest.mark.hazard("Q15")
def test_a_locked_sqlite_file_is_waited_for_once(tmp_path, request, monkeypatch):
    from reconcile.stores.tables import sqlite as table_sqlite

    with made("sqlite", tmp_path, request) as one:
        store = one.store()
        entry = load(store, "people", OLD)
        monkeypatch.setattr(table_sqlite, "BUSY_TIMEOUT_S", 0.4)
        monkeypatch.setattr(table_sqlite, "BUSY_AGAIN_S", 0.0)
        waited = []
        with closing(one.client()) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(2):
                began = time.monotonic()
                with pytest.raises(BusyError, match="locked"):
                    load(store, "people", NEW, expect=entry.version)
                waited.append(time.monotonic() - began)
                assert store.stat("people") == entry
            other.rollback()
        assert waited[1] < 0.3 < waited[0]
        load(store, "people", NEW, expect=entry.version)
        assert not store._engine._waited_in_vain


def test_of_two_loaders_one_wins(database):  # noqa: F811
    one = database.store()
    entry = load(one, "people", OLD)
    other = one if database.engine == "duckdb" else database.store()

    def write(which):
        store, text = which
        try:
            return load(store, "people", text, expect=entry.version)
        except Exception as error:  # noqa: BLE001 - looked at below
            return error

    with ThreadPoolExecutor(2) as threads:
        told = list(threads.map(write, [(one, NEW), (other, "id,name\n9,zoe\n")]))
    winners = [one for one in told if not isinstance(one, Exception)]
    assert len(winners) == 1, told
    assert one.stat("people") == winners[0]
    assert database.sql("SELECT count(*) FROM people") == [(3 if told[0] in winners else 1,)]
    assert list(one.leftovers()) == []
