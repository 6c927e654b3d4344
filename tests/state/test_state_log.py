"""The log of a shared state where its store fails, and where two come at the same moment."""

from __future__ import annotations

from contextlib import closing

from msgspec.structs import replace
import pytest

from reconcile.core.entry import ABSENT, ANY, Problem
from reconcile.core.errors import CorruptStateError, DamagedError, DeniedError, NotFoundError, StateError
from reconcile.ports import Holder
from reconcile.state import shared
from reconcile.state.deeds import Founded
from reconcile.state.lease import acquire
from reconcile.state.log import Beat, Log, _body
from reconcile.state.shared import open_shared
from reconcile.stores.memory import MemoryStore
from reconcile.stores.wrapper import Wrapper
from tests.state.state_kit import DOCS, FakeClock, fold_keys


class Failing(Wrapper):
    """A store on which one kind of call fails, once that is wanted."""

    def __init__(self, inner):
        super().__init__(inner)
        self.fails = ""

    def _maybe(self, op):
        if self.fails == op:
            raise DeniedError("may not", op=op, path="x", hint="sign in again")

    def list(self, under="", *, after=None, until=None):
        self._maybe("list")
        yield from super().list(under, after=after, until=until)
        if self.fails == "listed":
            yield Problem(f"{under}/x", "503")

    def read(self, path, **how):
        self._maybe("read")
        return super().read(path, **how)

    def write(self, path, body, *, expect):
        self._maybe("write")
        return super().write(path, body, expect=expect)

    def delete(self, items):
        return [DeniedError("may not", op="delete", path=key) for key, _ in items]


@pytest.fixture
def failing():
    return Failing(MemoryStore())


@pytest.mark.parametrize("op", ["list", "read", "write", "listed"])
def test_a_log_whose_store_fails_is_an_error_of_the_state(failing, op):
    log = Log(failing, write=True)
    failing.inner.write("log/000000000001", _body(b"x"), expect=ANY)
    failing.fails = op
    asked = {
        "list": lambda: log.numbers(0),
        "listed": lambda: log.numbers(0),
        "read": lambda: log.read("log/000000000001"),
        "write": lambda: log.beat(Beat(1, 1, Holder("x", "u", "h", 1, "apply", 1.0))),
    }
    with pytest.raises(StateError, match="503" if op == "listed" else "cannot be reached") as refusal:
        asked[op]()
    assert refusal.value.hint == ("" if op == "listed" else "sign in again")
    assert log.last_beat() is None


def test_an_object_of_the_log_that_was_cut_is_damage(failing):
    failing.inner.write("log/000000000001", _body(b"cut"), expect=ANY)
    with pytest.raises(CorruptStateError, match="damaged") as refusal:
        Log(failing, write=False).read("log/000000000001")
    assert "bring log/000000000001 back" in refusal.value.hint


class Shortening(Wrapper):
    """A store that keeps half of what it is sent, `times` times, and finds it out; another's write comes `first`."""

    def __init__(self, inner, times, first=None):
        super().__init__(inner)
        self.times, self.first, self.expected = times, first, []

    def write(self, path, body, *, expect):
        self.expected.append(expect)
        if self.first is not None:
            self.inner.write(path, self.first, expect=ANY)
            raise DamagedError("keeps other bytes than were sent", op="write", path=path)
        if len(self.expected) > self.times:
            return super().write(path, body, expect=expect)
        half = body.data[: len(body.data) // 2]
        self.inner.write(path, replace(_body(half), token=body.token), expect=expect)
        raise DamagedError("keeps other bytes than were sent", op="write", path=path)


@pytest.mark.hazard("R11")
@pytest.mark.hazard("R13")
def test_a_commit_that_was_kept_wrong_is_sent_again_by_who_made_it():
    """Else it would stop everybody, and nobody but its maker knows what it should be."""
    store = Shortening(MemoryStore(), times=1)
    log = Log(store, write=True)
    log.append(1, "family", Founded("family"))
    assert log.entry(1).deed == Founded("family")
    assert store.expected[0] == ABSENT
    assert store.expected[1] not in (ABSENT, ANY)


def test_a_commit_that_is_kept_wrong_again_is_an_error():
    store = Shortening(MemoryStore(), times=9)
    with pytest.raises(StateError, match="keeps other bytes"):
        Log(store, write=True).append(1, "family", Founded("family"))
    assert len(store.expected) == 2


def test_a_commit_of_another_is_never_sent_over():
    store = Shortening(MemoryStore(), times=9, first=replace(_body(b"another's"), token="another's"))
    with pytest.raises(StateError, match="keeps other bytes"):
        Log(store, write=True).append(1, "family", Founded("family"))
    assert store.expected == [ABSENT]
    assert b"".join(store.read("log/000000000001")) == b"another's"


def test_a_place_that_is_not_there_holds_no_commits(failing):
    def missing(*_args, **_named):
        raise NotFoundError("no such bucket", op="list", path="x")

    failing.list = missing
    assert Log(failing, write=False).numbers(0) == []


def test_names_that_are_no_commits_are_passed_over(failing):
    for name in ("log/readme", "log/000000000002", "log/000000000007"):
        failing.inner.write(name, _body(b"x"), expect=ANY)
    log = Log(failing, write=True)
    assert (log.numbers(0), log.numbers(2), log.numbers(7)) == ([2, 7], [7], [])
    with pytest.raises(StateError, match="cannot be removed"):
        log.remove("log/000000000002", ANY)


def test_of_two_that_found_a_family_one_does(monkeypatch, tmp_path):
    """Who comes second goes on with what the first began."""
    monkeypatch.setenv("RECONCILE_CACHE_DIR", str(tmp_path / "a"))
    memory = MemoryStore()

    class Late(Wrapper):
        """Looks before the other has begun, and writes after."""

        def write(self, path, body, *, expect):
            if path == "log/000000000001" and not began:
                began.append(open_shared(memory, write=True))
                monkeypatch.setenv("RECONCILE_CACHE_DIR", str(tmp_path / "b"))
            return super().write(path, body, expect=expect)

    began = []
    with closing(open_shared(Late(memory), write=True)) as second, closing(began[0]) as first:
        assert second.lineage == first.lineage != ""


def test_a_machine_whose_copies_are_all_in_use_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("RECONCILE_CACHE_DIR", str(tmp_path))
    memory, tried = MemoryStore(), []

    def at(path, _log):
        tried.append(path.parent.name[-1])
        raise shared.LockedError("in the middle of a commit", holder="another", hint="wait")

    with monkeypatch.context() as patched:
        patched.setattr(shared, "_at", at)
        with pytest.raises(shared.LockedError):
            open_shared(memory, write=True)
    assert tried == ["0", "1", "2"]
    open_shared(memory, write=True).close()


def test_a_deed_that_another_process_of_this_machine_did_is_not_done_again(monkeypatch, tmp_path):
    """Two processes, one working copy: what the one has read of the log, the other has written already."""
    monkeypatch.setenv("RECONCILE_CACHE_DIR", str(tmp_path / "a"))
    memory = MemoryStore()
    one, other = open_shared(memory, write=True), open_shared(memory, write=True)
    assert one.path == other.path
    monkeypatch.setenv("RECONCILE_CACHE_DIR", str(tmp_path / "b"))
    elsewhere = open_shared(memory, write=True)
    lease = acquire(elsewhere, "apply", clock=FakeClock())
    fold_keys(elsewhere, lease, ["x"])
    lease.release()
    entry = one._log.entry

    def slow(number):
        read = entry(number)
        other.catch_up()
        return read

    monkeypatch.setattr(one._log, "entry", slow)
    one.catch_up()
    assert [row.key for row in one.records(DOCS.id)] == ["x"]
    assert one.head() == other.head() == elsewhere.head()
    for state in (one, other, elsewhere):
        state.close()
