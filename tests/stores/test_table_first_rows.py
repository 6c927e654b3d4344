"""What is kept of a table that has grown since are its first rows: an edit of these is no content of a file."""

from __future__ import annotations

import pytest

from reconcile.core.entry import ABSENT
from tests.stores.table_kit import database, file, load, postgres  # noqa: F401 - fixtures

OLD = "id,name\n" + "".join(f"{number},n{number}\n" for number in range(300))
KEPT = ".reconcile/undo/1/t"


@pytest.fixture
def grown(database, file):  # noqa: F811
    """A store with a table that has grown, and what made it at first."""
    store = database.store()
    first = store.write("t", file(OLD), expect=ABSENT)
    made = store.made_from(first)
    store.copy(first, KEPT, expect=ABSENT)
    store.write("t", file(OLD + "9001,new\n"), expect=first.version)
    return store, made


def test_first_rows_are_as_they_were(grown):
    store, made = grown
    assert store.made_from(store.stat(KEPT)) == made
    back = store.copy(store.stat(KEPT), "back", expect=ABSENT)
    assert store.made_from(back) == made
    load(store, "t", "id,name\n1,x\n", expect=store.stat("t").version)
    assert store.made_from(store.stat(KEPT)) == made


@pytest.mark.hazard("Q16")
def test_an_edit_of_one_of_them_is_seen_in_what_is_kept(database, grown):  # noqa: F811
    store, made = grown
    database.sql("UPDATE t SET name = 'HAND' WHERE id = 5")
    assert store.made_from(store.stat(KEPT)) != made


@pytest.mark.hazard("Q16")
@pytest.mark.parametrize("goes", ["replaced", "deleted"])
def test_it_is_seen_also_when_the_table_they_were_in_is_gone(database, grown, goes):  # noqa: F811
    store, made = grown
    database.sql("UPDATE t SET name = 'HAND' WHERE id = 5")
    if database.engine == "duckdb":  # it tells of no edit by itself, and refuses once
        assert store.delete([("t", store.stat("t").version)]) != [None]
    if goes == "replaced":
        load(store, "t", "id,name\n1,x\n", expect=store.stat("t").version)
    else:
        assert store.delete([("t", store.stat("t").version)]) == [None]
    kept = store.stat(KEPT)
    assert store.made_from(kept) != made
    back = store.copy(kept, "back", expect=ABSENT)
    assert store.made_from(back) != made
