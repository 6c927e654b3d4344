"""Reading, copying, deleting, proving: each bound to the version that was seen."""

from dataclasses import replace

from msgspec.structs import replace as with_
import pytest

from reconcile.abilities import Marked, Versioned
from reconcile.core.entry import ABSENT, ANY, Version
from reconcile.core.errors import BusyError, ChangedError, DamagedError, DeniedError, NotFoundError, StoreError
from reconcile.ports import Hashes
from reconcile.stores.objects import s3_control
from reconcile.stores.objects.store import ObjectStore
from reconcile.stores.retry import Retrying
from reconcile.testing.samples import body_of, content, listed, put
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import Answer, answer, html, lose_after, lose_before, refuse, rewrite, tell
from tests.servers import moto_s3, seaweed_s3  # noqa: F401 - fixtures
from tests.stores.fakes import OwnClock


@pytest.fixture
def s3():
    with FakeS3() as server:
        yield server


@pytest.fixture
def store(s3):
    store = ObjectStore.open("s3://bucket/p", s3.options())
    yield store
    store.close()


def hashes_of(data):
    body = body_of(data)
    return Hashes(body.digest, body.md5)


# --- reading


@pytest.mark.hazard("R10")
@pytest.mark.parametrize("key", ["a", "odd\nkey"])
@pytest.mark.parametrize("cut", [0, 1, 100_000])
def test_content_that_is_cut_off_is_never_taken_for_the_whole(s3, store, key, cut):
    s3.put(f"p/{key}", b"x" * 300_000)
    fault = s3.fault("get", tell(lambda told: replace(told, cut=cut)), times=9)
    with pytest.raises(BusyError):
        content(store, key)
    assert fault.fired >= 1


@pytest.mark.hazard("R10")
def test_a_patient_reader_gets_all_of_it(s3, store):
    data = bytes(range(256)) * 4000
    s3.put("p/a", data)
    fault = s3.fault("get", tell(lambda told: replace(told, cut=500_000)))
    version = store.stat("a").version
    assert b"".join(Retrying(store, clock=OwnClock()).read("a", version=version)) == data
    assert fault.fired == 1


@pytest.mark.hazard("R18")
@pytest.mark.parametrize("key", ["a", "odd\nkey"])
@pytest.mark.parametrize("conditions", [True, False])
def test_another_version_is_not_read(s3, store, key, conditions):
    s3.conditions = conditions
    old = s3.put(f"p/{key}", b"old")
    s3.put(f"p/{key}", b"new")
    with pytest.raises(ChangedError):
        b"".join(store.read(key, version=Version(old.etag.strip('"'))))


@pytest.mark.parametrize("key", ["a", "odd\nkey"])
def test_a_span_of_nothing_is_nothing(s3, store, key):
    s3.put(f"p/{key}", b"0123")
    assert b"".join(store.read(key, span=(2, 2))) == b""
    assert b"".join(store.read(key, span=(1, 3))) == b"12"
    assert len(s3.ops("get")) == 1


# --- proving


def test_a_proof_costs_nothing_where_the_etag_is_the_md5(s3, store):
    s3.put("p/a", b"bytes")
    [entry] = store.list()
    assert store.prove(entry, hashes_of(b"bytes")) is True
    assert s3.ops("head", "get") == []


def test_what_is_not_marked_and_not_equal_stays_unknown(s3, store):
    s3.put("p/a", b"bytes")
    [entry] = store.list()
    assert store.prove(entry, hashes_of(b"other")) is None
    assert store.prove(with_(entry, version=Version("another")), hashes_of(b"other")) is None
    assert store.prove(with_(entry, key="gone"), hashes_of(b"other")) is None


def test_our_mark_proves_both_ways(store):
    entry = put(store, "a", b"bytes")
    for told in (entry, with_(entry, digest=None)):
        assert store.prove(told, Hashes(hashes_of(b"bytes").sha256)) is True
        assert store.prove(told, Hashes(hashes_of(b"other").sha256)) is False


def test_a_stranger_has_no_token(s3, store):
    s3.put("p/a", b"1")
    assert isinstance(store, Marked)
    assert store.token("a") == (store.stat("a").version, "")
    assert store.token("gone") is None


# --- copying


@pytest.mark.parametrize("conditions", [True, False])
@pytest.mark.hazard("R18", "R20", "R21")
def test_a_copy_is_bound_to_both_its_ends(s3, store, conditions):
    s3.conditions = conditions
    old = put(store, "a", b"old")
    s3.put("p/taken", b"theirs")
    with pytest.raises(ChangedError):
        store.copy(old, "taken", expect=ABSENT)
    s3.put("p/a", b"edited")
    with pytest.raises(ChangedError):
        store.copy(old, "b", expect=ABSENT)
    with pytest.raises(ChangedError):
        store.move(with_(old, key="gone"), "b", expect=ABSENT)
    assert {key: found.data for key, found in s3.objects.items()} == {"p/a": b"edited", "p/taken": b"theirs"}


def test_a_copy_keeps_our_mark(s3, store):
    entry = put(store, "a", b"bytes")
    copied = store.copy(entry, "dir/b", expect=ABSENT)
    assert copied == store.stat("dir/b") == with_(entry, key="dir/b")


def test_large_objects_are_copied_in_parts(store, s3, monkeypatch):
    monkeypatch.setattr(s3_control, "COPY_BYTES", 10)
    monkeypatch.setattr(s3_control, "COPY_PART_BYTES", 8)
    entry = put(store, "a", b"0123456789abcdef!")
    copied = store.copy(entry, "b", expect=ABSENT)
    assert content(store, "b") == b"0123456789abcdef!"
    assert copied.digest == entry.digest
    assert copied.version.endswith("-3")
    s3.put("p/a", b"0123456789abcdef?")
    store.trust({"copy": "match"})
    with pytest.raises(ChangedError):
        store.copy(entry, "c", expect=ABSENT)
    assert s3.uploads == {}
    assert listed(store) == ["a", "b"]


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (answer(Answer(200, b"<Error><Code>InternalError</Code></Error>")), BusyError),
        (html(), BusyError),
        (rewrite("<ETag>.*</ETag>", "<ETag>other</ETag>"), DamagedError),
    ],
)
def test_a_copy_that_says_yes_may_mean_no(s3, store, told, kind):
    entry = put(store, "a", b"bytes")
    s3.fault("copy", told)
    with pytest.raises(kind):
        store.move(entry, "b", expect=ABSENT)
    assert content(store, "a") == b"bytes"


@pytest.mark.hazard("R16")
def test_a_move_that_may_not_delete_leaves_both(s3, store):
    entry = put(store, "a", b"bytes")
    fault = s3.fault("bulk", refuse(403, "AccessDenied"))
    with pytest.raises(DeniedError):
        store.move(entry, "b", expect=ABSENT)
    assert fault.fired == 1
    assert listed(store) == ["a", "b"]


# --- deleting

HOW = pytest.mark.parametrize(
    "conditions", [{}, {"delete": "match"}, {"delete": "match", "bulk": "match"}], ids=["look", "one by one", "bulk"]
)


@pytest.mark.hazard("R18", "R05")
@HOW
def test_only_what_was_seen_is_deleted(s3, store, conditions):
    store.trust(conditions)
    seen = {key: put(store, key, key.encode()).version for key in ("a", "b", "odd\x01key", "vanished")}
    s3.put("p/b", b"edited")
    s3.objects.pop("p/vanished")
    told = store.delete([*seen.items(), ("never", Version("1")), ("a//b", ANY)])
    assert [type(error).__name__ for error in told] == ["NoneType", "ChangedError", *["NoneType"] * 3, "RefusedError"]
    assert list(s3.objects) == ["p/b"]


@pytest.mark.hazard("R16")
def test_each_object_has_its_own_answer(s3, store):
    for key in ("a", "b"):
        put(store, key, b"1")
    denied = "<Error><Key>p/b</Key><Code>AccessDenied</Code></Error>"
    s3.fault("bulk", rewrite("<Deleted><Key>p/b</Key></Deleted>", denied))
    told = store.delete([("a", ANY), ("b", ANY)])
    assert [type(error) for error in told] == [type(None), DeniedError]


@pytest.mark.parametrize("told", [rewrite("<Deleted>.*</Deleted>", ""), html()])
def test_what_is_not_said_to_be_gone_is_not(s3, store, told):
    put(store, "a", b"1")
    fault = s3.fault("bulk", told)
    [error] = store.delete([("a", ANY)])
    assert fault.fired == 1
    assert isinstance(error, BusyError)


@pytest.mark.hazard("R08")
@pytest.mark.parametrize("act", [lose_before(), lose_after(), refuse(503, "SlowDown")])
@HOW
def test_a_lost_answer_to_a_delete_is_asked_again(s3, store, conditions, act):
    store.trust(conditions)
    entry = put(store, "a", b"1")
    fault = s3.fault("delete" if conditions == {"delete": "match"} else "bulk", act)
    assert Retrying(store, clock=OwnClock()).delete([("a", entry.version)]) == [None]
    assert fault.fired == 1
    assert s3.objects == {}


@pytest.mark.hazard("R15", "R32")
@pytest.mark.parametrize("act", [refuse(404, "NoSuchBucket"), answer(Answer(404, b"<html>Not here</html>"))])
@HOW
def test_what_is_not_found_and_still_there_is_not_deleted(s3, store, conditions, act):
    """A proxy, or a service that has lost its way, says so of everything."""
    store.trust(conditions)
    entry = put(store, "a", b"1")
    fault = s3.fault("delete" if conditions == {"delete": "match"} else "bulk", act)
    [error] = store.delete([("a", entry.version)])
    assert fault.fired == 1
    assert isinstance(error, StoreError)
    assert list(s3.objects) == ["p/a"]


def test_many_deletes_are_few_requests(s3, store):
    for number in range(1500):
        s3.put(f"p/{number}")
    told = store.delete([(str(number), ANY) for number in range(1500)])
    assert told == [None] * 1500
    assert s3.objects == {}
    assert len(s3.ops("bulk")) == 2


# --- the bucket


@pytest.mark.hazard("R21")
def test_a_probe_finds_out_what_is_compared(s3, store):
    s3.fault("get", answer(Answer(200, b"<VersioningConfiguration/>")), times=2)
    assert store.probe() == {"write": "match", "copy": "match", "bulk": "match", "delete": "match", "keeps": "copy"}
    s3.conditions = False
    found = store.probe()
    assert found == {"write": "stat", "copy": "stat", "bulk": "none", "delete": "stat", "keeps": "copy"}
    store.trust(found)
    assert (store.traits.write, store.traits.copy, store.traits.move, store.traits.delete) == (
        "stat",
        "stat",
        "stat",
        "stat",
    )
    assert s3.objects == {}


def test_a_bucket_is_made_once(s3, store):
    missing = s3.fault("head", answer(Answer(404)), times=2)
    assert store.ensure(dry=True) == ["bucket bucket"]
    assert s3.ops("put") == []
    assert store.ensure() == ["bucket bucket"]
    assert [request.key for request in s3.ops("put")] == [None]
    assert store.ensure() == []
    assert missing.fired == 2


def test_a_bucket_of_others_is_not_missing(s3, store):
    s3.fault("head", answer(Answer(403)))
    with pytest.raises(DeniedError):
        store.ensure()


@pytest.mark.hazard("R27")
@pytest.mark.parametrize("server_name", ["moto_s3", "seaweed_s3"])
def test_old_versions_come_back(request, server_name):
    server = request.getfixturevalue(server_name)
    bucket = server.bucket()
    server.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    store = ObjectStore.open(f"s3://{bucket}/p", server.options())
    assert isinstance(store, Versioned)
    first = put(store, "a", b"1")
    first_id = store.version_id(first)
    second = put(store, "a", b"22", expect=first.version)
    with pytest.raises(ChangedError):
        store.version_id(first)
    second_id = store.version_id(second)
    assert store.delete([("a", second.version)]) == [None]
    assert store.stat("a") is None
    assert listed(store) == []
    found = [(one, entry.version) for one, entry in store.versions("a")]
    assert found == [(second_id, second.version), (first_id, first.version)]
    with pytest.raises(ChangedError):
        store.restore("a", first_id, expect=second.version)
    restored = store.restore("a", first_id, expect=ABSENT)
    assert (restored.version, restored.digest) == (first.version, first.digest)
    assert content(store, "a") == b"1"
    with pytest.raises(NotFoundError):
        store.restore("a", "never", expect=ANY)
    store.trust(store.probe())
    assert store.traits.keeps == "versions"
    store.close()


@pytest.mark.parametrize(
    ("server_name", "copy", "bulk", "keeps"),
    [("moto_s3", "stat", "none", "copy"), ("seaweed_s3", "match", "match", "copy")],
)
def test_real_servers_are_seen_through(request, server_name, copy, bulk, keeps):
    server = request.getfixturevalue(server_name)
    store = ObjectStore.open(server.prefix(), server.options())
    assert store.probe() == {"write": "match", "copy": copy, "bulk": bulk, "delete": "match", "keeps": keeps}
    assert listed(store, ".reconcile") == []
    store.close()
