"""Busy stores are asked again; what a lost reply had done is recognised and never done twice."""

from functools import partial
from hashlib import sha256

from msgspec.structs import replace
import pytest

from reconcile.core.entry import ABSENT, ANY, Digest
from reconcile.core.errors import BusyError, ChangedError, DamagedError, DeniedError
from reconcile.stores.memory import TRAITS, MemoryStore
from reconcile.stores.patience import Patience
from reconcile.stores.wrap import Retrying
from reconcile.stores.wrapper import Wrapper
from reconcile.testing.samples import body_of, content, listed, put, stream_of
from tests.stores.fakes import Breaking, Failing, Fault, OwnClock


class Unmarked(MemoryStore):
    """A store without metadata, and slow to hash: it tells neither tokens nor digests."""

    token = property()

    def prove(self, entry, hashes):
        return None


def retrying(inner, **patience):
    clock = OwnClock()
    return Retrying(inner, clock=clock, patience=Patience(clock, between=lambda low, high: high, **patience))


@pytest.mark.hazard("R08")
def test_a_busy_store_is_asked_again():
    failing = Failing(MemoryStore(), Fault("write"), Fault("write"))
    store = retrying(failing)
    store.write("a", body_of(b"1"), expect=ABSENT)
    assert failing.fired == 2
    assert content(store, "a") == b"1"


def test_other_errors_are_told_at_once():
    failing = Failing(MemoryStore(), Fault("stat", DeniedError("no")))
    with pytest.raises(DeniedError):
        retrying(failing).stat("a")
    assert failing.calls == ["stat"]


@pytest.mark.hazard("R13")
@pytest.mark.parametrize("inner", [MemoryStore, Unmarked])
def test_a_write_whose_reply_was_lost_is_recognised(inner):
    failing = Failing(inner(), Fault("write", lost=True))
    entry = retrying(failing).write("a", body_of(b"1", token="ours"), expect=ABSENT)
    assert failing.fired == 1
    assert failing.calls.count("write") == 2
    assert entry == failing.stat("a")


def test_an_update_whose_reply_was_lost_is_recognised():
    memory = MemoryStore()
    old = put(memory, "a", b"old")
    failing = Failing(memory, Fault("write", lost=True))
    retrying(failing).write("a", body_of(b"new", token="ours"), expect=old.version)
    assert failing.fired == 1
    assert content(memory, "a") == b"new"


@pytest.mark.parametrize("inner", [MemoryStore, Unmarked])
@pytest.mark.parametrize("foreign", [b"x", b"longer"], ids=["same size", "other size"])
def test_what_somebody_else_wrote_is_not_taken_for_ours(inner, foreign):
    memory = inner()
    intrude = partial(put, memory, "a", foreign)
    failing = Failing(memory, Fault("write", then=intrude))
    with pytest.raises(ChangedError):
        retrying(failing).write("a", body_of(b"1", token="ours"), expect=ABSENT)
    assert failing.fired == 1
    assert content(memory, "a") == foreign


def test_equal_bytes_under_another_token_are_not_ours():
    memory = MemoryStore()
    failing = Failing(memory, Fault("write", then=partial(put, memory, "a", b"1")))
    with pytest.raises(ChangedError):
        retrying(failing).write("a", body_of(b"1", token="ours"), expect=ABSENT)


def test_nothing_is_taken_for_ours_where_no_reply_was_lost():
    memory = Unmarked()
    put(memory, "a", b"1")
    with pytest.raises(ChangedError):
        retrying(memory).write("a", body_of(b"1"), expect=ABSENT)


def test_an_outcome_that_nothing_tells_stays_unknown():
    failing = Failing(Unmarked(), Fault("write", lost=True))
    with pytest.raises(BusyError):
        retrying(failing).write("a", stream_of(b"large"), expect=ABSENT)
    assert failing.calls.count("write") == 2


def test_a_lost_copy_and_a_lost_move_are_recognised_by_digest():
    memory = MemoryStore()
    put(memory, "a", b"1")
    store = retrying(Failing(memory, Fault("copy", lost=True), Fault("move", lost=True)))
    source = _with_digest(memory.stat("a"), b"1")
    assert store.copy(source, "b", expect=ABSENT) == memory.stat("b")
    assert store.move(source, "c", expect=ABSENT) == memory.stat("c")
    assert store.inner.fired == 2
    assert listed(memory) == ["b", "c"]


class Halves(Wrapper):
    """Moves by a copy and a delete, as stores do that cannot rename."""

    @property
    def traits(self):
        return replace(self.inner.traits, move_atomic=False)


@pytest.mark.hazard("R13")
@pytest.mark.parametrize("lost", ["copy", "delete"])
@pytest.mark.parametrize("told", [True, False], ids=["with a digest", "without"])
def test_a_move_in_two_halves_survives_the_loss_of_either_reply(lost, told):
    """Without a digest the source, while it is there, tells what was copied."""
    memory = MemoryStore()
    source = put(memory, "a", b"1")
    if told:
        source = _with_digest(source, b"1")
    failing = Failing(Marking(memory), Fault(lost, lost=True))
    moved = retrying(Halves(failing)).move(source, "b", expect=ABSENT)
    assert failing.fired == 1
    assert moved.version == memory.stat("b").version
    assert listed(memory) == ["b"]


class Marking(Wrapper):
    """Tells the digest of what it shows, as stores do that keep it beside the bytes."""

    def stat(self, key):
        there = self.inner.stat(key)
        return there and _with_digest(there, b"".join(self.inner.read(key)))


def test_a_copy_that_nothing_tells_from_others_stays_unknown():
    memory = MemoryStore()
    source = put(memory, "a", b"1")
    with pytest.raises(BusyError):
        retrying(Failing(memory, Fault("copy", lost=True))).copy(source, "b", expect=ABSENT)
    assert listed(memory) == ["a", "b"]


@pytest.mark.hazard("R12")
@pytest.mark.hazard("R13")
def test_our_write_that_holds_other_bytes_is_not_taken_for_done():
    """The reply was lost, the token is ours, and the bytes are not those we sent."""
    memory = MemoryStore()
    damaged = replace(body_of(b"0"), token="ours")
    sent = replace(body_of(b"1"), token="ours")
    write = Fault("write", then=partial(memory.write, "a", damaged, expect=ABSENT))
    failing = Failing(memory, write)
    with pytest.raises(DamagedError, match="other bytes"):
        retrying(failing).write("a", sent, expect=ABSENT)
    assert failing.fired == 1


def test_a_lost_move_without_a_digest_stays_unknown():
    memory = MemoryStore()
    source = put(memory, "a", b"1")
    with pytest.raises(BusyError):
        retrying(Failing(memory, Fault("move", lost=True))).move(source, "c", expect=ABSENT)


def test_a_copy_whose_source_changed_meanwhile_is_refused():
    memory = MemoryStore()
    source = put(memory, "a", b"1")
    edit = partial(put, memory, "a", b"22", expect=ANY)
    with pytest.raises(ChangedError):
        retrying(Failing(memory, Fault("copy", then=edit))).copy(source, "b", expect=ABSENT)


def test_a_delete_whose_reply_was_lost_is_done():
    memory = MemoryStore()
    entry = put(memory, "a", b"1")
    failing = Failing(memory, Fault("delete", lost=True))
    assert retrying(failing).delete([("a", entry.version)]) == [None]
    assert failing.fired == 1


class SomeBusy(MemoryStore):
    """Answers that one of many keys is busy, twice."""

    busy, asked = 2, []

    def delete(self, items):
        self.asked = [*self.asked, [key for key, _ in items]]
        answers = list(super().delete([item for item in items if item[0] != "slow" or not self.busy]))
        if self.busy:
            self.busy -= 1
            answers.insert([key for key, _ in items].index("slow"), BusyError("one of many"))
        return answers


def test_only_busy_deletes_are_tried_again():
    store = SomeBusy()
    for key in ("fast", "slow", "late"):
        put(store, key, b"1")
    stale = ChangedError
    answers = retrying(store).delete([("fast", ANY), ("slow", ANY), ("late", "stale")])
    assert [type(answer) for answer in answers] == [type(None), type(None), stale]
    assert store.asked == [["fast", "slow", "late"], ["slow"], ["slow"]]


def test_a_delete_that_stays_busy_says_so_in_its_place():
    store = SomeBusy()
    store.busy = 99
    put(store, "slow", b"1")
    answers = retrying(store, attempts=3).delete([("none", ANY), ("slow", ANY)])
    assert answers[0] is None
    assert isinstance(answers[1], BusyError)
    assert listed(store) == ["slow"]


def test_a_listing_goes_on_where_it_was_cut_off():
    memory = MemoryStore()
    keys = [f"k{n}" for n in range(7)]
    for key in keys:
        put(memory, key, b"1")
    breaking = Breaking(memory, "list", after=2, breaks=3)
    assert listed(retrying(breaking)) == keys
    assert breaking.fired == 3


class Unordered(MemoryStore):
    """Promises no order."""

    def __init__(self):
        super().__init__()
        self.traits = type(TRAITS)(order="none")


@pytest.mark.hazard("R01")
def test_a_listing_without_an_order_is_told_to_be_broken():
    memory = Unordered()
    for key in "abc":
        put(memory, key, b"1")
    with pytest.raises(BusyError):
        listed(retrying(Breaking(memory, "list", after=2, breaks=1)))
    assert listed(retrying(Breaking(memory, "list", after=0, breaks=1))) == ["a", "b", "c"]


def test_reading_a_version_goes_on_where_it_was_cut_off():
    memory = MemoryStore()
    data = bytes(range(256)) * (10 << 12)
    entry = put(memory, "a", data)
    for span in (None, (5, len(data) - 5)):
        breaking = Breaking(memory, "read", after=3, breaks=2)
        found = b"".join(retrying(breaking).read("a", version=entry.version, span=span))
        assert found == data[slice(*span) if span else slice(None)]
        assert breaking.fired == 2


class NoEmptySpans(MemoryStore):
    """As servers do, it takes a span of nothing for a mistake."""

    def read(self, key, *, version=None, span=None):
        assert span is None or span[0] < span[1]
        return super().read(key, version=version, span=span)


def test_what_was_cut_off_at_its_very_end_is_whole():
    memory = NoEmptySpans()
    entry = put(memory, "a", b"x" * (2 << 20))
    breaking = Breaking(memory, "read", after=2, breaks=1)
    assert len(b"".join(retrying(breaking).read("a", version=entry.version))) == 2 << 20
    assert breaking.fired == 1


def test_reading_no_version_in_particular_is_told_to_be_broken():
    memory = MemoryStore()
    put(memory, "a", b"x" * (5 << 20))
    with pytest.raises(BusyError):
        content(retrying(Breaking(memory, "read", after=2, breaks=1)), "a")


def test_reading_on_is_refused_when_the_content_is_another_one():
    memory = MemoryStore()
    entry = put(memory, "a", b"x" * (5 << 20))
    stream = retrying(Breaking(memory, "read", after=1, breaks=1)).read("a", version=entry.version)
    next(stream)
    put(memory, "a", b"y" * (5 << 20), expect=ANY)
    with pytest.raises(ChangedError):
        b"".join(stream)


def _with_digest(entry, data):
    return type(entry)(entry.key, entry.size, entry.version, digest=Digest(sha256(data).digest()))
