"""A table of PostgreSQL is counted again unless nobody but us, and not we in it, can have changed it since."""

from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import ChangedError
from reconcile.ports import Body
from reconcile.stores.tables import postgres as table_postgres
from reconcile.stores.tables.postgres_memo import MOST_NEWS, MOST_OWN, Count, Memo, Snapshot
from tests.stores.table_kit import load, made, postgres  # noqa: F401 - a fixture

FIRST = "id,v\n" + "".join(f"{number},first\n" for number in range(300))
MORE = FIRST + "300,more\n"
DEEDS = st.lists(st.tuples(st.sampled_from(["begin", "commit", "abort"]), st.integers(0, 9), st.booleans()))


class Server:
    """Transactions by their numbers, as PostgreSQL shows them: who is under way is not seen."""

    def __init__(self):
        self.next, self.last, self.running, self.committed = 3, 2, {}, {}

    def begin(self, *, ours):
        self.running[self.next] = ours
        self.next += 1

    def end(self, xid, *, commits):
        ours = self.running.pop(xid)
        self.last = max(self.last, xid)
        if commits:
            self.committed[xid] = ours

    def snapshot(self):
        under_way = [xid for xid in self.running if xid <= self.last]
        return f"{min(under_way, default=self.last + 1)}:{self.last + 1}:{','.join(map(str, under_way))}"


def play(server, memo, deeds):
    for deed, at, ours in deeds:
        if deed == "begin":
            server.begin(ours=ours)
        elif server.running:
            xid = list(server.running)[at % len(server.running)]
            if server.running[xid]:
                memo.ours(xid, {"another"})
            server.end(xid, commits=deed == "commit")


def test_nothing_is_believed_of_a_standby_which_tells_no_snapshot():
    memo, then = Memo(), Snapshot.of("3:3:")
    memo.keep("t", "what", Snapshot.of(""), Count(1, ""))
    assert memo.recall("t", "what", then) is None
    memo.keep("t", "what", then, Count(1, ""))
    assert memo.recall("t", "what", Snapshot.of("")) is None
    assert memo.recall("t", "what", then) == Count(1, "")


@given(before=DEEDS, after=DEEDS)
def test_no_count_is_believed_after_a_commit_of_others(before, after):
    server, memo = Server(), Memo()
    play(server, memo, before)
    memo.keep("t", "what", Snapshot.of(server.snapshot()), Count(1, ""))
    seen = set(server.committed)
    play(server, memo, after)
    strange = [xid for xid in server.committed.keys() - seen if not server.committed[xid]]
    found = memo.recall("t", "what", Snapshot.of(server.snapshot()))
    if strange:
        assert found is None
    if not any(deed != "begin" for deed, *_ in after):
        assert found == Count(1, "")


def test_what_is_another_table_or_was_touched_or_is_long_ago_is_counted():
    now = Snapshot.of("5:5:")
    memo = Memo()
    assert memo.recall("t", "what", now) is None
    memo.keep("t", "what", now, Count(1, ""))
    assert memo.recall("t", "what", now) == Count(1, "")
    assert memo.recall("t", "of another load", now) is None
    memo.ours(5, {"another"})
    assert memo.recall("t", "what", Snapshot.of("6:6:")) == Count(1, "")
    memo.ours(6, {"t"})
    assert memo.recall("t", "what", Snapshot.of("7:7:")) is None
    assert memo.recall("t", "what", Snapshot.of("4:4:")) is None, "a server that was set back"
    for xid in range(5, 5 + MOST_NEWS + 1):
        memo.ours(xid, ())
    assert memo.recall("t", "what", Snapshot.of(f"{5 + MOST_NEWS}:{5 + MOST_NEWS}:")) == Count(1, "")
    assert memo.recall("t", "what", Snapshot.of(f"{6 + MOST_NEWS}:{6 + MOST_NEWS}:")) is None
    for xid in range(MOST_OWN):
        memo.ours(10_000 + xid, ())
    assert memo.recall("t", "what", Snapshot.of("6:6:")) is None


@pytest.fixture
def base(tmp_path, request):
    with made("postgresql", tmp_path, request) as one:
        yield one


@pytest.fixture
def counts(monkeypatch):
    """Every statement that counts rows."""
    said = []
    run = table_postgres.PostgresSession.run

    def heard(self, sql, *values):
        said.extend([sql] * ("FILTER (WHERE xmin NOT IN" in sql))
        return run(self, sql, *values)

    monkeypatch.setattr(table_postgres.PostgresSession, "run", heard)
    return said


def test_a_table_is_counted_once_for_a_whole_append_while_the_server_is_quiet(base, counts, tmp_path):
    """Other tests share the server: they may disturb a try, but hardly all of them."""
    path = tmp_path / "t.csv"
    path.write_text(MORE, encoding="utf-8")
    body = Body(size_bytes=len(MORE), open=lambda: path.open("rb"), origin="t.csv")
    store, looks = base.store(), []
    for key in (f"t{number}" for number in range(30)):
        entry = load(store, key, FIRST)
        counts.clear()
        assert entry in list(store.list())
        store.copy(entry, f".reconcile/undo/1/{key}", expect=ABSENT)
        grown = store.write(key, body, expect=entry.version)
        looks.append(sum(sql.endswith(f' FROM "{key}"') for sql in counts))
        assert store.stat(key) == grown
        assert base.sql(f"SELECT count(*) FROM {key}") == [(301,)]
        if looks[-1] == 1:
            return
    pytest.fail(f"was counted so often: {looks}")


def test_an_edit_that_is_committed_between_two_looks_is_seen(base, counts):
    store = base.store()
    entry = load(store, "t", FIRST)
    with closing(base.client()) as other:
        other.autocommit = False
        other.execute("UPDATE t SET v = 'by hand' WHERE id = 7")
        assert store.stat("t") == entry
        assert store.stat("t") == entry
        looks = len(counts)
        other.commit()
    seen = store.stat("t")
    assert len(counts) == looks + 1
    assert seen.version != entry.version
    assert store.stat("t") == seen
    with pytest.raises(ChangedError):
        load(store, "t", MORE, expect=entry.version)


def test_an_edit_within_a_savepoint_is_seen(base):
    store = base.store()
    entry = load(store, "t", FIRST)
    with closing(base.client()) as other:
        other.autocommit = False
        other.execute("SAVEPOINT one")
        other.execute("DELETE FROM t WHERE id = 7")
        other.execute("RELEASE one")
        assert store.stat("t") == entry
        other.commit()
    assert store.stat("t").version != entry.version


def test_our_own_write_is_seen(base):
    store = base.store()
    entry = load(store, "t", FIRST)
    assert store.stat("t") == entry
    entry = load(store, "t", MORE, expect=entry.version)
    assert store.stat("t") == entry
    moved = store.move(entry, "u", expect=ABSENT)
    assert (store.stat("t"), store.stat("u")) == (None, moved)
