"""Every type a file can have is kept without loss in every database, and a load of the same rows changes none."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from reconcile.core.entry import ABSENT
from reconcile.stores.data.file import Reading
from reconcile.testing.samples import body_of
from tests.stores.table_kit import database, file, load, made, postgres  # noqa: F401 - fixtures

TYPES = {
    "whole": "integer",
    "real": "double",
    "price": "decimal(9,2)",
    "long": "decimal(30,4)",
    "yes": "boolean",
    "day": "date",
    "at": "timestamp",
    "seen": "timestamptz",
    "words": "text",
    "doc": "json",
}
FIRST = (
    "9007199254740993,1.5,64.50,12345678901234567890123456.7891,true,2024-02-29,2024-01-02 03:04:05.678,"
    '2024-01-02T03:04:05Z,007,"{""a"": 1}"'
)
SECOND = "-9223372036854775808,-0.1,189.00,0.0001,false,1970-01-01,1999-12-31 23:59:59,2024-01-02T03:04:05+02:00,NA,[]"
ROWS = [FIRST, SECOND, ",,,,,,,,,"]
TEXT = ",".join(TYPES) + "\n" + "\n".join(ROWS) + "\n"


@pytest.mark.hazard("Q02")
def test_no_value_is_changed(database):  # noqa: F811
    store = database.store(reading=Reading(types=TYPES), key=("whole",))
    entry = load(store, "t", TEXT)
    found = database.sql("SELECT whole, real, price, long, yes, words FROM t ORDER BY whole")
    found = sorted((row for row in found if row[0] is not None), key=lambda row: row[0])
    exact = [
        (one, two, Decimal(str(three)), Decimal(str(four)), bool(five), six)
        for one, two, three, four, five, six in found
    ]
    assert exact == [
        (-9223372036854775808, -0.1, Decimal(189), Decimal("0.0001"), False, "NA"),
        (9007199254740993, 1.5, Decimal("64.5"), Decimal("12345678901234567890123456.7891"), True, "007"),
    ]
    [times] = database.sql('SELECT "day", "at", seen FROM t WHERE words = \'007\'')
    day, at, seen = times
    if database.engine == "sqlite":
        day, at, seen = date.fromisoformat(day), datetime.fromisoformat(at), datetime.fromisoformat(seen)
    assert (day, at.isoformat()) == (date(2024, 2, 29), "2024-01-02T03:04:05.678000")
    assert seen.astimezone(UTC) == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    same = store.inside("t", body_of(TEXT.encode()))
    assert same.columns == ()
    assert (same.rows_was, same.rows_now, same.added, same.changed, same.removed) == (3, 3, 0, 0, 0)
    load(store, "t", TEXT, expect=entry.version)
    assert len(database.sql("SELECT * FROM t")) == 3


@pytest.mark.hazard("Q02")
def test_a_decimal_that_a_database_keeps_as_text_is_the_text_of_the_file(tmp_path, request, file):  # noqa: F811
    texts = ["1234567890123456.0000001", "0.0000001", "0.0000000", "-0.0000012", ""]
    data = "n,m\n" + "".join(f"{text},x\n" for text in texts)
    with made("sqlite", tmp_path, request) as base:
        store = base.store()
        load(store, "small", data)
        store.write("large", file(data), expect=ABSENT)
        for name in ("small", "large"):
            assert base.sql(f"SELECT n FROM {name}") == [(text or None,) for text in texts]


def test_a_column_that_is_spelled_otherwise_evolves_and_is_no_second_one(database):  # noqa: F811
    store = database.store(on_schema_change="evolve")
    first = load(store, "t", "id,v,w\n1,a,2\n")
    again = load(store, "t", "ID,W,x\n7,2.5,new\n", expect=first.version)
    with store._engine.session(write=False) as session:
        assert [name for name, _ in session.columns("t")] == ["ID", "v", "W", "x"]
    assert database.sql("SELECT * FROM t") == [(7, None, 2.5, "new")]
    load(store, "t", "ID,w,W\n1,2,3\n" if database.engine == "postgresql" else "ID,w\n1,2\n", expect=again.version)
    assert database.sql("SELECT count(*) FROM t") == [(1,)]
