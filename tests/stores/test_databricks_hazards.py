"""How the services of Databricks, or what stands before them, mislead a client; and that it is not misled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconcile.core.entry import ABSENT, Cover, Entry, Problem
from reconcile.core.errors import BusyError, StoreError
from reconcile.ports import Store
from reconcile.stores.patience import Patience
from reconcile.stores.registry import open_store
from reconcile.stores.wrap import Retrying
from reconcile.testing.samples import body_of, listed
from tests.fakes.databricks import Emulator
from tests.fakes.databricks import faults as broken
from tests.fakes.databricks.wire import Answer, as_json
from tests.stores.fakes import OwnClock

PLACES = {
    "dbfs": "dbfs:/landing",
    "volume": "/Volumes/main/default/landing",
    "workspace": "/Workspace/Shared/landing",
}
LISTINGS = "/api/2.0/(dbfs/list|fs/directories|workspace/list)"
CHANGES = ("POST|PUT|DELETE", "/api/2.0/(dbfs|fs/files|workspace)/")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        emulator.catalog.add("main", "default", "landing")
        yield emulator


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> str:
    """Where the files are, as the emulator has it."""
    return PLACES[request.param]


@pytest.fixture
def store(emulator: Emulator, place: str) -> Iterator[Store]:
    """The store there, asked as often as it is worth."""
    url = f"volume:{place}" if place.startswith("/Volumes") else place if ":" in place else f"workspace:{place}"
    inner = open_store(url, options={"host": emulator.url, "token": emulator.token, "concurrency": 4})
    store = Retrying(inner, clock=OwnClock(), patience=Patience(OwnClock(), attempts=3))
    yield store
    store.close()


def told(answer: Answer) -> broken.Act:
    """Nothing is done; this is said."""
    return lambda request, work: answer


NONSENSE = {
    "a page of a proxy": broken.html(),
    "an error in a 200": told(as_json({"error_code": "INTERNAL_ERROR", "message": "no"})),
    "null": told(as_json(None)),
    "a list": told(as_json([1])),
    "JSON that breaks off": told(Answer(200, b'{"files": [', {"content-type": "application/json"})),
}


# --- listings


@pytest.mark.hazard("R32", "R06")
@pytest.mark.parametrize("nonsense", [*NONSENSE, "nothing at all"])
def test_an_answer_that_is_no_listing_is_no_empty_directory(emulator, store, place, nonsense):
    emulator.put(f"{place}/dir/a")
    emulator.put(f"{place}/b")
    act = NONSENSE.get(nonsense, told(Answer(200)))
    fault = emulator.faults.add(act, "GET", LISTINGS, about="dir$", times=None)
    (problem,) = [item for item in store.list() if isinstance(item, Problem)]
    assert (problem.key, problem.cover) == ("dir", Cover.TREE)
    emulator.faults.heal()
    whole = emulator.faults.add(act, "GET", LISTINGS, times=None)
    with pytest.raises(StoreError):
        list(store.list())
    assert fault.fired
    assert whole.fired
    emulator.faults.heal()
    assert sorted(listed(store)) == ["b", "dir/a"]


@pytest.mark.hazard("R03")
def test_entries_that_are_told_twice_are_one_each(emulator, store, place):
    for name in ("a", "dir/b"):
        emulator.put(f"{place}/{name}")
    fault = emulator.faults.add(broken.listing(lambda entries: entries * 2), "GET", LISTINGS, times=None)
    keys = [item.key for item in store.list() if isinstance(item, Entry)]
    assert set(keys) <= {"a", "dir/b"}
    assert fault.fired
    problems = [item for item in store.list() if isinstance(item, Problem)]
    assert keys or problems


@pytest.mark.hazard("R23")
@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "nul\0", "\udcff"])
def test_a_listing_that_names_what_can_be_no_name_is_damaged(emulator, store, place, name):
    emulator.put(f"{place}/dir/a")
    emulator.put(f"{place}/b")

    def renamed(entries):
        return [{**each, "name": name, "path": f"{each['path'].rpartition('/')[0]}/{name}"} for each in entries]

    fault = emulator.faults.add(broken.listing(renamed), "GET", LISTINGS, about="dir$", times=None)
    found = {item.key: item for item in store.list()}
    assert isinstance(found.pop("dir"), Problem)
    assert [*found] == ["b"]
    assert fault.fired


# --- changes


@pytest.mark.hazard("R32", "R11")
@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_write_that_something_else_answered_is_made_or_fails(emulator, store, place, nonsense, nth):
    before = store.write("a", body_of(b"old text"), expect=ABSENT)
    fault = emulator.faults.add(NONSENSE[nonsense], *CHANGES, nth=nth)
    try:
        made = store.write("a", body_of(b"new text"), expect=before.version)
    except StoreError:
        made = None
    if made is not None:
        assert emulator.read(f"{place}/a") == b"new text"
        assert not place.startswith("/Workspace") or made.version != before.version, "the version of the old text"
    else:
        assert emulator.tree(place)[f"{place}/a"] in (b"old text", b"new text")
    assert fault.fired or nth > 1


@pytest.mark.hazard("R32")
@pytest.mark.parametrize("nonsense", NONSENSE)
def test_a_delete_that_something_else_answered_is_made_or_fails(emulator, store, place, nonsense):
    there = store.write("a", body_of(b"1"), expect=ABSENT)
    fault = emulator.faults.add(NONSENSE[nonsense], *CHANGES)
    (failed,) = store.delete([("a", there.version)])
    assert fault.fired == 1
    assert (failed is None) == (f"{place}/a" not in emulator.paths())


@pytest.mark.hazard("R11")
@pytest.mark.parametrize("times", [1, None])
def test_an_import_that_was_said_to_be_made_and_was_not_is_seen(emulator, times):
    """The same size as before: only number and time tell."""
    inner = open_store("workspace:/Workspace/Shared/landing", options={"host": emulator.url, "token": emulator.token})
    store = Retrying(inner, clock=OwnClock(), patience=Patience(OwnClock(), attempts=3))
    before = store.write("a", body_of(b"old text"), expect=ABSENT)
    fault = emulator.faults.add(told(as_json({})), "POST", "/api/2.0/workspace/import", times=times)
    if times is None:
        with pytest.raises(BusyError):
            store.write("a", body_of(b"new text"), expect=before.version)
        assert fault.fired == 3
    else:
        made = store.write("a", body_of(b"new text"), expect=before.version)
        assert emulator.read("/Workspace/Shared/landing/a") == b"new text"
        assert made.version != before.version
    store.close()
