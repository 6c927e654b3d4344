"""Names and values may hold anything."""

import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import ReconcileError, RefusedError
from reconcile.stores.data.file import Reading
from reconcile.testing.samples import content
from tests.stores.table_kit import database, load, made, postgres  # noqa: F401 - fixtures

NAMES = [
    'x"; DROP TABLE y; --',
    "x'; DROP TABLE y; --",
    "keep--x",
    "keep ",
    "order",
    "select",
    "2022",
    ".hidden",
    "%s",
    "$1",
    "?1",
    "a]b[c",
    "semi;colon",
    "new\nline",
    "ünï",
    "back\\slash",
    "{sha256}",
]


@pytest.mark.hazard("Q05")
def test_a_table_can_have_any_name(database):  # noqa: F811
    store = database.store()
    load(store, "y", "a\n1\n")
    load(store, "keep", "a\n1\n")
    for name in NAMES if database.engine == "sqlite" else NAMES[:8]:
        check_name(store, name)
    assert sorted(each.key for each in store.list()) == ["keep", "y"]


def check_name(store, name):
    entry = load(store, name, "a,b\n1,x\n")
    entry = load(store, name, "a,b\n2,y\n", expect=entry.version)
    assert content(store, name) == b"a,b\n2,y\n"
    kept = store.copy(entry, f".reconcile/undo/1/{name}", expect=ABSENT)
    assert store.delete([(name, kept.version)]) == [None]
    moved = store.move(store.stat(kept.key), f"{name}2", expect=ABSENT)
    assert content(store, moved.key) == b"a,b\n2,y\n"
    assert store.delete([(moved.key, moved.version)]) == [None]


@pytest.mark.hazard("Q05")
def test_no_table_has_a_name_of_ours_or_none_at_all(database):  # noqa: F811
    store = database.store()
    own = ["sqlite_x"] if database.engine == "sqlite" else []
    for name in ["", "nul\0", "_reconcile_tables", "_RECONCILE_x", "lone\udc80", *own]:
        with pytest.raises(RefusedError):
            load(store, name, "a\n1\n")
    assert list(store.list()) == []


@pytest.mark.hazard("Q05")
@pytest.mark.parametrize("free", [0, 5, 9])
def test_a_name_that_is_too_long_for_its_rejects_has_none(tmp_path, request, free):
    with made("postgresql", tmp_path, request) as database:  # noqa: F811
        store = database.store(reading=Reading(on_bad_rows="quarantine", types={"id": "integer"}))
        name = "n" * (63 - free)
        load(store, name, "id\n1\n")
        load(store, name[:-1], "id\n2\n")
        with pytest.raises(RefusedError, match="too long for a name"):
            load(store, name, "id\n1\nx\n", expect=store.stat(name).version)
        assert "too long" in store.inside(name, _body("id\n1\nx\n")).refused
        assert database.sql(f"SELECT * FROM {name}") == [(1,)]
        assert list(store.leftovers()) == []


@pytest.mark.hazard("Q05")
def test_a_column_can_have_any_name(database):  # noqa: F811
    store = database.store(reading=Reading(header=True))
    header = ",".join('"' + name.replace('"', '""') + '"' for name in NAMES)
    one, two = (",".join([value] * len(NAMES)) for value in "xy")
    entry = load(store, "t", f"{header}\n{one}\n")
    load(store, "t", f"{header}\n{two}\n", expect=entry.version)
    assert content(store, "t").decode().endswith(f"\n{two}\n")
    assert [column.name for column in store.inside("u", _body(f"{header}\n{two}\n")).columns] == NAMES


def _body(text):
    from reconcile.testing.samples import body_of

    return body_of(text.encode())


COLUMNS = {
    "as the database calls its own": ("ctid,rowid,oid\n1,2,3\n", {"postgresql": "keeps the name of the column `ctid`"}),
    "long": (f"{'c' * 70},b\n1,2\n", {"postgresql": "is 70 bytes long, the database takes 63"}),
    "long and alike": (f"{'c' * 63}x,{'c' * 63}y\n1,2\n", {"postgresql": "is 64 bytes long"}),
    "many": (
        f"{','.join(f'c{at}' for at in range(2_001))}\n{','.join('1' * 2_001)}\n",
        {"postgresql": "has 2,001 columns, the database takes 1,600", "sqlite": "the database takes 2,000"},
    ),
    "one letter in two spellings": ("\u00e9,e\u0301\n1,2\n", {}),
}


@pytest.mark.hazard("Q05")
@pytest.mark.parametrize("case", COLUMNS)
def test_columns_that_a_database_cannot_have_are_told_by_the_plan(database, case):  # noqa: F811
    text, refusing = COLUMNS[case]
    store = database.store()
    refused = refusing.get(database.engine)
    if refused is None:
        assert len(store.inside("t", _body(text)).columns) == text.partition("\n")[0].count(",") + 1
        load(store, "t", text)
        assert content(store, "t").decode() == text
        return
    for act in (lambda: store.inside("t", _body(text)), lambda: load(store, "t", text)):
        with pytest.raises(RefusedError, match=refused):
            act()
    assert list(store.list()) == []
    assert list(store.leftovers()) == []


@pytest.mark.hazard("Q06")
def test_a_value_is_only_a_value(database):  # noqa: F811
    store = database.store()
    hostile = ["'); DROP TABLE t; --", "${env.HOME}", "=1+1", "\\copy", "$1", "x\\", "\\.", "NULL", "Robert'); --"]
    load(store, "t", "id,v\n" + "".join(f'{at},"{text}"\n' for at, text in enumerate(hostile)))
    assert [value for (value,) in database.sql("SELECT v FROM t ORDER BY id")] == hostile


def test_a_nul_in_a_value_is_kept_or_refused(database):  # noqa: F811
    store = database.store()
    try:
        load(store, "t", "id,v\n1,a\0b\n")
    except ReconcileError:
        assert list(store.list()) == []
    else:
        assert database.sql("SELECT v FROM t") == [("a\0b",)]
