"""Tables that are filled in the first pass over their file: what turns out wrong later was never there."""

from __future__ import annotations

import pytest

from reconcile.core.entry import ABSENT
from reconcile.stores.data.file import DataError, Reading
from tests.stores.table_kit import database, file, postgres, rows_read  # noqa: F401 - fixtures

HEAD = "id,v\n"
ROWS = 1_000
SOUND = HEAD + "".join(f"{number},v{number}\n" for number in range(ROWS))
OTHER = HEAD + "".join(f"{number},w{number}\n" for number in range(ROWS))


def rows(database):  # noqa: F811
    return sorted(database.sql("SELECT * FROM t"), key=str)


@pytest.mark.hazard("Q02")
def test_a_file_of_one_kind_is_read_once(database, file, rows_read):  # noqa: F811
    store = database.store()
    entry = store.write("t", file(SOUND), expect=ABSENT)
    store.write("t", file(OTHER), expect=entry.version)
    assert rows_read == [ROWS, ROWS]
    assert rows(database) == sorted(((number, f"w{number}") for number in range(ROWS)), key=str)


@pytest.mark.hazard("Q02")
def test_types_are_those_of_the_whole_file(database, file, rows_read):  # noqa: F811
    store = database.store()
    entry = store.write("t", file(f"{SOUND}007,x\n"), expect=ABSENT)
    assert rows(database)[:2] == [("0", "v0"), ("007", "x")]
    assert len(rows_read) == 2, "the rows of the first were integers until the last"
    assert store.stat("t") == entry
    assert list(store.leftovers()) == []
    assert database.sql("SELECT rows, upto FROM _reconcile_tables") == [(ROWS + 1, 0)]


@pytest.mark.parametrize("table", [{}, {"on_schema_change": "evolve"}])
def test_types_that_are_known_stay_where_they_fit(database, file, rows_read, table):  # noqa: F811
    """A file of whole numbers alone does not make integers of a column of doubles."""
    store = database.store(**table)
    entry = store.write("t", file(f"{SOUND}0.5,x\n"), expect=ABSENT)
    fills = len(rows_read)
    store.write("t", file(OTHER), expect=entry.version)
    assert len(rows_read) == fills + 1
    assert {type(number) for number, _ in rows(database)} == {float}


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ("7,x,\n", "t.csv:1002:5: 3 cells, not 2"),
        ("7\n", "t.csv:1002:2: 1 cell, not 2"),
        ('7,"x\n', "t.csv:1002:3: a quote is opened and never closed"),
        ("7,x\0\n", "t.csv:1002:3: column `v` holds a NUL character"),
    ],
    ids=["too-many", "too-few", "quote", "nul"],
)
@pytest.mark.hazard("Q01")
def test_a_bad_record_at_the_end_leaves_what_was_there(database, file, last, said):  # noqa: F811
    store = database.store()
    with pytest.raises(DataError, match=said):
        store.write("t", file(SOUND + last), expect=ABSENT)
    assert store.stat("t") is None
    entry = store.write("t", file(SOUND), expect=ABSENT)
    with pytest.raises(DataError, match=said) as caught:
        store.write("t", file(OTHER + last), expect=entry.version)
    assert str(caught.value).endswith("The table keeps its 1,000 rows.")
    assert store.stat("t") == entry
    assert rows(database)[0] == (0, "v0")
    assert list(store.leftovers()) == []


@pytest.mark.hazard("Q01")
def test_a_bad_record_at_the_end_is_put_aside(database, file):  # noqa: F811
    store = database.store(reading=Reading(on_bad_rows="quarantine"))
    store.write("t", file(f"{SOUND}7,x,\n8,x\n"), expect=ABSENT)
    assert len(rows(database)) == ROWS + 1
    assert database.sql('SELECT line, reason FROM "t__rejected"') == [(ROWS + 2, "3 cells, not 2")]


def test_a_plan_reads_only_the_first_rows_of_a_large_file_and_says_so(database, file, monkeypatch):  # noqa: F811
    store = database.store()
    surprise = f"{SOUND}007,x\n"

    def foreseen() -> tuple[str, bool]:
        seen = store.inside("t", file(surprise))
        return seen.columns[0].now.lower(), "the types are those of its first rows" in seen.notes

    assert foreseen() == ("varchar" if database.engine == "duckdb" else "text", False)
    for limit in ("READ_BYTES", "COUNTED_BYTES"):
        monkeypatch.setattr(f"reconcile.stores.tables.inside.{limit}", 0)
    assert foreseen() == ("bigint", True)
    store.write("t", file(surprise), expect=ABSENT)
    surprise = f"{SOUND}8,x\n"
    assert store.inside("t", file(surprise)).columns == (), "they are known now, and stay while they fit"
