"""What somebody had begun before we changed a table in PostgreSQL, and committed while we waited for it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
import time

import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import BusyError, ChangedError
from reconcile.ports import Body
from tests.stores.table_kit import load, postgres  # noqa: F401 - a fixture

OLD = "id,name\n1,ann\n2,bob\n"
WAITS = "SELECT FROM pg_locks WHERE NOT granted AND relation = to_regclass('%s.people')"


def replaced(store, entry, _path):
    load(store, "people", "id,name\n9,new\n", expect=entry.version)


def dropped(store, entry, _path):
    [answer] = store.delete([("people", entry.version)])
    if answer is not None:
        raise answer


def renamed(store, entry, _path):
    store.move(entry, "others", expect=ABSENT)


def appended(store, entry, path):
    path.write_text(OLD + "3,eve\n")
    store.write("people", file(path), expect=entry.version)


def file(path):
    """A large body: a stream with a handle."""
    return Body(size_bytes=path.stat().st_size, open=lambda: path.open("rb"), origin=path.name)


@pytest.mark.hazard("Q16")
@pytest.mark.parametrize("act", [replaced, dropped, renamed, appended])
def test_an_edit_that_was_under_way_is_seen(postgres, tmp_path, act):  # noqa: F811
    schema, path = postgres.schema(), tmp_path / "people.csv"
    words = "-c%20default_transaction_isolation%3Dserializable"  # some roles have that for all they do
    path.write_text(OLD)
    with (
        closing(postgres.store(schema, url=f"{postgres.url}?options={words}")) as store,
        closing(postgres.connect(schema=schema)) as client,
    ):
        entry = store.write("people", file(path), expect=ABSENT)
        with pytest.raises(ChangedError):
            met(postgres, schema, "UPDATE people SET name = 'mine' WHERE id = 1", lambda: act(store, entry, path))
        assert sorted(client.execute("SELECT * FROM people").fetchall()) == [(1, "mine"), (2, "bob")]
        assert store.stat("people").version != entry.version
        assert list(store.leftovers()) == []


def test_a_view_that_was_being_made_finds_the_new_rows(postgres):  # noqa: F811
    schema = postgres.schema()
    with (
        closing(postgres.store(schema)) as store,
        closing(postgres.connect(schema=schema)) as client,
    ):
        entry = load(store, "people", OLD)
        store.copy(entry, ".reconcile/undo/1/people", expect=ABSENT)
        with pytest.raises(BusyError, match="hangs on it meanwhile"):
            met(postgres, schema, "CREATE VIEW names AS SELECT name FROM people", lambda: replaced(store, entry, None))
        replaced(store, entry, None)
        assert client.execute("SELECT * FROM names").fetchall() == [("new",)]


def met(server, schema, statement, act):
    """What comes of `act` when it has to wait for somebody's statement, which is committed then."""
    with (
        closing(server.connect(schema=schema)) as other,
        closing(server.connect(schema=schema)) as watching,
        ThreadPoolExecutor(1) as threads,
    ):
        other.autocommit = False
        other.execute(statement)
        doing = threads.submit(act)
        ends = time.monotonic() + 10
        while not watching.execute(WAITS % schema).fetchall():
            assert not doing.done(), doing.exception()
            assert time.monotonic() < ends, "it does not wait"
            time.sleep(0.01)
        other.commit()
        return doing.result()
