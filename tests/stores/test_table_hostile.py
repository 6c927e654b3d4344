"""Names and values may hold anything."""

import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import ReconcileError, RefusedError
from reconcile.stores.data_file import Reading
from reconcile.testing.samples import content
from tests.stores.table_kit import database, load, postgres  # noqa: F401 - fixtures

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
@pytest.mark.parametrize("name", NAMES)
def test_a_table_can_have_any_name(database, name):  # noqa: F811
    store = database.store()
    load(store, "y", "a\n1\n")
    load(store, "keep", "a\n1\n")
    entry = load(store, name, "a,b\n1,x\n")
    entry = load(store, name, "a,b\n2,y\n", expect=entry.version)
    assert content(store, name) == b"a,b\n2,y\n"
    kept = store.copy(entry, f".reconcile/undo/1/{name}", expect=ABSENT)
    assert store.delete([(name, kept.version)]) == [None]
    moved = store.move(store.stat(kept.key), f"{name}2", expect=ABSENT)
    assert content(store, moved.key) == b"a,b\n2,y\n"
    assert store.delete([(moved.key, moved.version)]) == [None]
    assert sorted(each.key for each in store.list()) == ["keep", "y"]


@pytest.mark.hazard("Q05")
@pytest.mark.parametrize("name", ["", "nul\0", "_reconcile_tables", "_RECONCILE_x", "lone\udc80", "sqlite_x"])
def test_no_table_has_a_name_of_ours_or_none_at_all(database, name):  # noqa: F811
    store = database.store()
    if name == "sqlite_x" and database.engine != "sqlite":
        pytest.skip("only SQLite keeps these names for itself")
    with pytest.raises(RefusedError):
        load(store, name, "a\n1\n")
    assert list(store.list()) == []


@pytest.mark.hazard("Q05")
@pytest.mark.parametrize("name", NAMES)
def test_a_column_can_have_any_name(database, name):  # noqa: F811
    store = database.store(reading=Reading(header=True))
    header = '"' + name.replace('"', '""') + '"'
    entry = load(store, "t", f"{header},b\n1,x\n")
    entry = load(store, "t", f"{header},b\n2,y\n", expect=entry.version)
    assert content(store, "t").decode().endswith("2,y\n")
    assert [column.name for column in store.inside("u", _body(f"{header},b\n2,y\n")).columns] == [name, "b"]


def _body(text):
    from reconcile.testing.samples import body_of

    return body_of(text.encode())


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
