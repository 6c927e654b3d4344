"""Who waits for whom in PostgreSQL: no reader for us for long, and we for nobody more than once."""

from contextlib import contextmanager
from threading import Event, Thread
import time

import pytest

from reconcile.core.entry import ABSENT, ANY
from reconcile.core.errors import BusyError, ChangedError, StoreError
from reconcile.flow.clock import RealClock
from reconcile.stores.data.file import Reading
from reconcile.stores.retry import Retrying
from reconcile.stores.tables import postgres_locks
from reconcile.stores.tables.postgres_locks import Turns
from tests.stores.table_kit import load, made, postgres  # noqa: F401 - fixtures

OLD, NEW = "id,name\n1,ann\n2,bob\n", "id,name\n3,cy\n"
WAIT_S, AGAIN_S, ASK_S = 2.5, 0.2, 0.05
BEHIND_S = 2.0
"""Well over what a reader waits behind one question of ours, well below what we wait in all."""


@pytest.fixture
def pg(tmp_path, request, monkeypatch):
    for name, seconds in (
        ("LOCK_TIMEOUT_S", WAIT_S),
        ("LOCK_AGAIN_S", AGAIN_S),
        ("FIRST_ASK_S", ASK_S),
        ("LONGEST_ASK_S", ASK_S),
    ):
        monkeypatch.setattr(postgres_locks, name, seconds)
    with made("postgresql", tmp_path, request) as one:
        yield one


@contextmanager
def idle(pg, statement):
    """Somebody who did this, and sits in his transaction."""
    with pg.client() as holder:
        holder.autocommit = False
        holder.execute(statement)
        yield holder
        holder.rollback()


@contextmanager
def reading(pg, table):
    """Somebody who reads a table again and again: how often, and how long it took at most."""
    stop, times = Event(), []

    def read():
        with pg.client() as client:
            while not stop.is_set():
                began = time.monotonic()
                client.execute(f"SELECT count(*) FROM {table}")
                times.append(time.monotonic() - began)
                time.sleep(0.01)

    reader = Thread(target=read)
    reader.start()
    try:
        yield times
    finally:
        stop.set()
        reader.join(10)


def replaced(store, entry):
    load(store, "people", NEW, expect=entry.version)


def dropped(store, entry):
    [answer] = store.delete([("people", entry.version)])
    if answer is not None:
        raise answer


def renamed(store, entry):
    store.move(entry, "others", expect=ABSENT)


def kept(store, entry):
    store.copy(entry, ".reconcile/undo/1/people", expect=ANY)
    replaced(store, entry)


def kept_and_dropped(store, entry):
    store.copy(entry, ".reconcile/undo/1/people", expect=ANY)
    dropped(store, entry)


ACTS = (replaced, dropped, renamed, kept, kept_and_dropped)


@pytest.mark.hazard("Q15")
@pytest.mark.parametrize("act", ACTS)
def test_no_reader_waits_behind_us_while_we_wait_for_another(pg, act):
    store = pg.store()
    entry = load(store, "people", OLD)
    with idle(pg, "SELECT * FROM people"), reading(pg, "people") as times:
        began = time.monotonic()
        with pytest.raises(BusyError, match="another session holds the table") as caught:
            act(store, entry)
        assert WAIT_S / 2 < time.monotonic() - began < 2 * WAIT_S, "once, and no more"
    assert caught.value.given_up
    assert max(times) < BEHIND_S
    assert len(times) > 5
    assert store.stat("people") == entry
    assert sorted(pg.sql("SELECT * FROM people")) == [(1, "ann"), (2, "bob")]
    assert list(store.leftovers()) == []
    act(store, entry)
    assert store.stat("people") != entry


def test_who_goes_in_time_is_waited_for(pg):
    store = pg.store()
    entry = load(store, "people", OLD)
    with idle(pg, "SELECT * FROM people") as holder:
        changing = Thread(target=replaced, args=(store, entry))
        changing.start()
        time.sleep(WAIT_S / 3)
        assert changing.is_alive()
        holder.rollback()
        changing.join(10)
    assert pg.sql("SELECT * FROM people") == [(3, "cy")]


def test_nobody_waits_for_a_table_because_of_another_one_that_it_names(pg):
    store = pg.store()
    load(store, "owners", OLD)
    pg.sql("ALTER TABLE owners ADD PRIMARY KEY (id)")
    load(store, "pets", OLD)
    pg.sql("ALTER TABLE pets ADD FOREIGN KEY (id) REFERENCES owners (id)")
    entry = store.stat("pets")
    with (
        idle(pg, "SELECT * FROM owners"),
        reading(pg, "pets") as pets,
        reading(pg, "owners") as owners,
        pytest.raises(BusyError),
    ):
        load(store, "pets", "id,name\n1,new\n", expect=entry.version)
    assert max(pets + owners) < BEHIND_S
    load(store, "pets", "id,name\n1,new\n", expect=entry.version)
    assert pg.sql("SELECT * FROM pets") == [(1, "new")]


def test_rows_that_were_put_aside_are_not_kept_from_their_readers(pg):
    store = pg.store(reading=Reading(on_bad_rows="quarantine"))
    bad = "id,name\n" + "".join(f"{number},x\n" for number in range(200)) + "1,2,3\n"
    entry = load(store, "people", bad)
    assert store.put_aside() == {"people": ("people__rejected", 1)}
    with (
        idle(pg, "SELECT * FROM people"),
        reading(pg, "people__rejected") as rejects,
        reading(pg, "people") as times,
        pytest.raises(BusyError),
    ):
        replaced(store, entry)
    with (
        idle(pg, "SELECT * FROM people__rejected"),
        reading(pg, "people__rejected") as again,
        reading(pg, "people") as others,
        pytest.raises(BusyError),
    ):
        replaced(store, entry)
    assert max(rejects + times + again + others) < BEHIND_S
    assert pg.sql("SELECT count(*) FROM people__rejected") == [(1,)]
    replaced(store, entry)
    assert store.put_aside() == {}


def test_rows_that_are_exchanged_are_known_by_their_transaction(pg):
    store = pg.store()
    entry = load(store, "people", OLD)
    pg.sql("CREATE VIEW names AS SELECT name FROM people")
    with idle(pg, "SELECT * FROM people"):
        entry = load(store, "people", NEW, expect=entry.version)
    assert store.stat("people") == entry


@pytest.mark.hazard("Q15")
def test_what_is_held_is_waited_for_once(pg):
    store, waited = pg.store(), []
    retrying = Retrying(store, clock=RealClock())
    entries = {name: load(store, name, OLD) for name in ("a", "b", "c")}
    with idle(pg, "LOCK TABLE a, b IN ACCESS EXCLUSIVE MODE"):
        for act in (
            lambda: retrying.stat("a"),
            lambda: list(retrying.list()),
            lambda: load(retrying, "a", NEW, expect=entries["a"].version),
            lambda: load(retrying, "b", NEW, expect=entries["b"].version),
        ):
            began = time.monotonic()
            with pytest.raises(BusyError):
                act()
            waited.append(time.monotonic() - began)
        load(retrying, "c", NEW, expect=entries["c"].version)
    assert WAIT_S - 0.1 < waited[0] < 2 * WAIT_S
    assert max(waited[1:]) < WAIT_S - 0.2
    for name in ("a", "b"):
        assert retrying.stat(name) == entries[name]
        load(retrying, name, NEW, expect=entries[name].version)
    assert store._engine._waits.most_s() == WAIT_S


def test_who_waits_for_another_writer_of_ours_comes_to_his_turn(pg):
    one, other = pg.store(), pg.store()
    entry, others = load(one, "people", OLD), load(other, "pets", OLD)
    with idle(pg, "SELECT * FROM people"):
        with pytest.raises(BusyError):
            replaced(one, entry)
        with pg.client() as turn:
            turn.autocommit = False
            turn.execute("SELECT pg_advisory_xact_lock(hashtext('reconcile'), hashtext(current_schema()))")
            changing = Thread(target=lambda: load(one, "pets", NEW, expect=others.version))
            changing.start()
            time.sleep(2 * AGAIN_S)
            turn.rollback()
            changing.join(10)
    assert pg.sql("SELECT * FROM pets") == [(3, "cy")]


@pytest.mark.hazard("Q16")
@pytest.mark.parametrize("act", ACTS)
def test_an_edit_that_got_through_while_we_waited_is_seen(pg, act):
    store = pg.store()
    entry, told = load(store, "people", OLD), []

    def change():
        try:
            act(store, entry)
        except StoreError as error:
            told.append(error)

    with idle(pg, "SELECT * FROM people") as holder:
        changing = Thread(target=change)
        changing.start()
        time.sleep(3 * ASK_S)
        pg.sql("UPDATE people SET name = 'mine' WHERE id = 1")
        holder.rollback()
        changing.join(10)
    assert [type(error) for error in told] == [ChangedError]
    assert sorted(pg.sql("SELECT * FROM people")) == [(1, "mine"), (2, "bob")]


def test_a_table_is_asked_for_the_longer_the_more_it_costs_to_ask():
    first_s, longest_s = postgres_locks.FIRST_ASK_S, postgres_locks.LONGEST_ASK_S
    turns = Turns(postgres_locks.LOCK_TIMEOUT_S)
    assert turns.take(0.0) == first_s
    assert turns.goes_on()
    turns.pause()
    assert turns.take(0.0) == 2 * first_s
    assert turns.take(5.0) == longest_s
    late = Turns(1.0)
    late.waited(5.0)
    assert late.take(5.0) == first_s
    assert not late.goes_on()


def test_the_index_of_a_table_that_is_renamed_is_not_waited_for_before_its_readers(pg):
    store = pg.store(reading=Reading(index_column=True))
    entry = load(store, "people", OLD)
    with idle(pg, "SELECT * FROM people"), reading(pg, "people") as times, pytest.raises(BusyError):
        renamed(store, entry)
    assert max(times) < BEHIND_S
    renamed(store, entry)
    assert store.stat("people") is None
