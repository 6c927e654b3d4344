"""The decorators: what may be seen through them, and what not."""

from msgspec.structs import replace
import pytest

from reconcile.abilities import Marked, Versioned
from reconcile.core.entry import ABSENT, ANY
from reconcile.core.errors import FencedError, NotFoundError, RefusedError
from reconcile.stores.memory import MemoryStore
from reconcile.stores.wrap import Fenced, ReadOnly, Throttled, Traced
from reconcile.testing.samples import body_of, content, listed, put
from tests.stores.fakes import Failing, OwnClock


@pytest.fixture
def store():
    store = MemoryStore()
    put(store, "a", b"kept")
    return store


@pytest.mark.hazard("P10")
@pytest.mark.parametrize(
    "change",
    [
        lambda store, entry: store.write("a", body_of(b"2"), expect=ANY),
        lambda store, entry: store.copy(entry, "b", expect=ABSENT),
        lambda store, entry: store.move(entry, "b", expect=ABSENT),
        lambda store, entry: store.delete([("a", entry.version)]),
        lambda store, entry: store.delete([]),
        lambda store, entry: store.ensure(),
    ],
    ids=["write", "copy", "move", "delete", "delete nothing", "ensure"],
)
def test_a_read_only_store_cannot_be_changed(store, change):
    looked_at = ReadOnly(store)
    entry = looked_at.stat("a")
    with pytest.raises(RefusedError):
        change(looked_at, entry)
    assert [found.key for found in store.list()] == ["a"]
    assert content(store, "a") == b"kept"


def test_a_read_only_store_can_be_looked_at(store):
    looked_at = ReadOnly(store)
    assert list(looked_at.list()) == [looked_at.stat("a")]
    assert content(looked_at, "a") == b"kept"
    assert looked_at.ensure(dry=True) == []
    assert looked_at.traits is store.traits
    assert looked_at.url == store.url


def test_a_fenced_store_is_changed_only_while_the_lease_is_ours(store):
    lost = []
    fenced = Fenced(store, lambda: bool(lost))
    entry = put(fenced, "b", b"1")
    lost.append("now")
    for change in (
        lambda: put(fenced, "c", b"1"),
        lambda: fenced.copy(entry, "c", expect=ABSENT),
        lambda: fenced.move(entry, "c", expect=ABSENT),
        lambda: fenced.delete([("b", ANY)]),
        fenced.ensure,
    ):
        with pytest.raises(FencedError, match="nothing more was written"):
            change()
    assert [one.key for one in fenced.list()] == ["a", "b"]
    assert content(fenced, "b") == b"1"


def test_a_lease_that_is_lost_between_the_two_halves_of_a_move_leaves_both_names():
    store = MemoryStore()
    store.traits = replace(store.traits, move_atomic=False)
    entry = put(store, "a", b"1")
    answers = iter((False, True))
    with pytest.raises(FencedError):
        Fenced(store, lambda: next(answers)).move(entry, "b", expect=ABSENT)
    assert listed(store) == ["a", "b"]


def test_a_wrapper_has_what_its_store_has_and_no_more(store):
    class Unmarked(MemoryStore):
        token = property()

    assert isinstance(ReadOnly(Traced(store, OwnClock(), print)), Marked)
    assert not isinstance(ReadOnly(Unmarked()), Marked)
    assert not isinstance(ReadOnly(store), Versioned)


class Keeping(MemoryStore):
    """A store that keeps versions, as a bucket does."""

    def version_id(self, entry):
        return f"id-{entry.version}"

    def versions(self, key):
        yield "id", self.stat(key)

    def restore(self, key, version_id, *, expect):
        return self.stat(key)


def test_old_versions_are_seen_and_not_restored_through_read_only():
    store = Keeping()
    entry = put(store, "a", b"1")
    looked_at = ReadOnly(store)
    assert isinstance(looked_at, Versioned)
    assert list(looked_at.versions("a")) == [("id", entry)]
    assert looked_at.version_id(entry) == f"id-{entry.version}"
    with pytest.raises(RefusedError):
        looked_at.restore("a", "id", expect=ANY)


def test_a_throttled_store_is_called_so_often_a_second(store):
    clock = OwnClock()
    throttled = Throttled(store, clock, per_second=4)
    for _ in range(9):
        throttled.stat("a")
    assert clock.time == 1000 + 8 / 4
    clock.time += 60  # a pause earns nothing but the next call
    throttled.stat("a")
    throttled.stat("a")
    assert clock.slept[-1] == 1 / 4


def test_every_call_is_heard_with_its_time(store):
    clock, heard = OwnClock(), []
    slow = Throttled(store, clock, per_second=1)
    slow.stat("a")
    traced = Traced(slow, clock, lambda *call: heard.append(call))
    traced.stat("a")
    list(traced.read("a"))
    traced.delete([("a", ANY), ("b", ANY)])
    assert heard == [("stat", "a", 1.0), ("read", "a", 1.0), ("delete", "a", 1.0)]


def test_a_failed_call_is_heard_too(store):
    heard = []
    failing = Failing(store, *())
    traced = Traced(failing, OwnClock(), lambda *call: heard.append(call))
    with pytest.raises(NotFoundError):
        list(traced.read("never"))
    assert heard == [("read", "never", 0.0)]
