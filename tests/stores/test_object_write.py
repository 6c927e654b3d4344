"""A write is whole or not at all, bound to what is there, and believed only when the store proves that it kept it."""

from dataclasses import replace
from functools import partial
from io import BytesIO

from msgspec.structs import replace as with_
import pytest

from reconcile.core.entry import ABSENT, ANY, Version
from reconcile.core.errors import BusyError, ChangedError, DamagedError, DeniedError, NotFoundError, RefusedError
from reconcile.ports import Body
from reconcile.stores.lanes import PARTS
from reconcile.stores.objects import s3_multipart
from reconcile.stores.objects.store import ObjectStore
from reconcile.stores.options import StoreOptions
from reconcile.stores.retry import Retrying
from reconcile.testing.samples import body_of, content, listed, stream_of
from tests.fakes.s3 import FakeS3, etag_of
from tests.fakes.s3_faults import Answer, answer, fail_after, html, keep, lose_after, lose_before, refuse, tell
from tests.stores.fakes import OwnClock

LARGE = bytes(range(256)) * 200
"""Large where parts are small."""


@pytest.fixture
def s3():
    with FakeS3() as server:
        yield server


@pytest.fixture
def store(s3):
    store = ObjectStore.open("s3://bucket/p", s3.options())
    yield store
    store.close()


@pytest.fixture
def patient(store):
    return Retrying(store, clock=OwnClock())


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(s3_multipart, "PART_BYTES", 10_000)
    monkeypatch.setattr("reconcile.stores.objects.store.SMALL_BYTES", 20_000)


SIZES = pytest.mark.parametrize(
    "body", [body_of(b"new", token="t"), with_(stream_of(LARGE), token="t")], ids=["small", "large"]
)
pytestmark = pytest.mark.usefixtures("small_parts")


def test_what_is_kept_beside_the_bytes(s3):
    store = ObjectStore.open("s3://bucket/p", with_(s3.options(), sse="aws:kms=key-1", storage_class="STANDARD_IA"))
    for key, data in (("small", b"1"), ("large", LARGE)):
        body = with_(
            body_of(data, token="t"),
            content_type="text/x",
            attributes={"cache_control": "no-store", "Owner": "me"},
            tags={"a b": "c&d"},
        )
        store.write(key, body, expect=ABSENT)
    for request in s3.ops("put", "begin"):
        told = request.headers
        assert told["x-amz-meta-reconcile-token"] == "t"
        assert (
            told["x-amz-meta-reconcile-digest"]
            == f"{body_of(s3.objects[request.key].data).digest.hex()}-{len(s3.objects[request.key].data)}"
        )
        assert (told["content-type"], told["cache-control"], told["x-amz-meta-owner"]) == ("text/x", "no-store", "me")
        assert told["x-amz-tagging"] == "a+b=c%26d"
        assert told["x-amz-storage-class"] == "STANDARD_IA"
        assert told["x-amz-server-side-encryption"] == "aws:kms"
        assert told["x-amz-server-side-encryption-aws-kms-key-id"] == "key-1"
    assert len(s3.ops("put", "begin")) == 2
    store.close()


def test_a_mark_made_for_another_content_proves_nothing(s3, store):
    entry = store.write("a", body_of(b"1"), expect=ABSENT)
    assert store.stat("a").digest == entry.digest == body_of(b"1").digest
    s3.objects["p/a"] = replace(s3.objects["p/a"], data=b"22")
    assert store.stat("a").digest is None


@pytest.mark.hazard("R18", "R20")
@SIZES
def test_what_came_in_between_is_not_overwritten(s3, store, body):
    s3.put("p/a", b"theirs")
    for expect in (ABSENT, Version("0" * 32)):
        with pytest.raises(ChangedError):
            store.write("a", body, expect=expect)
    with pytest.raises(ChangedError):
        store.write("gone", body, expect=Version("0" * 32))
    assert {key: found.data for key, found in s3.objects.items()} == {"p/a": b"theirs"}
    assert s3.uploads == {}


@pytest.mark.hazard("R21")
@pytest.mark.parametrize("options", [{"conditions": "stat"}, {}], ids=["told", "found out"])
@SIZES
def test_where_nothing_is_compared_we_look_just_before(s3, body, options):
    s3.conditions = False
    s3.put("p/a", b"theirs")
    store = ObjectStore.open("s3://bucket/p", s3.options(**options))
    if not options:
        store.trust({"write": "stat"})
    assert store.traits.write == "stat"
    with pytest.raises(ChangedError):
        store.write("a", body, expect=ABSENT)
    assert s3.objects["p/a"].data == b"theirs"
    there = store.stat("a")
    assert store.write("a", body, expect=there.version).size == body.size_bytes
    assert all("if-match" not in request.headers for request in s3.ops("put", "complete"))
    last = [request.op for request in s3.log if request.op in ("part", "head", "complete", "put")][-2:]
    assert last == ["head", "complete" if body.data is None else "put"]
    store.close()


@pytest.mark.hazard("R07", "R08", "R22")
@pytest.mark.parametrize(
    "act",
    [
        lose_before(),
        refuse(503, "SlowDown"),
        refuse(429, ""),
        refuse(500, "InternalError"),
        refuse(409, "ConditionalRequestConflict"),
        refuse(400, "RequestTimeout"),
        refuse(400, "BadDigest"),
    ],
)
@pytest.mark.parametrize(("op", "data"), [("put", b"new"), ("begin", LARGE), ("part", LARGE), ("complete", LARGE)])
def test_a_moment_of_trouble_is_worth_another_try(s3, store, patient, act, op, data):
    fault = s3.fault(op, act)
    with pytest.raises(BusyError):
        store.write("a", stream_of(data), expect=ABSENT)
    assert s3.objects == {}
    assert s3.uploads == {}
    patient.write("a", stream_of(data), expect=ABSENT)
    assert fault.fired == 1
    assert s3.objects["p/a"].data == data


@pytest.mark.hazard("R07")
def test_the_store_says_how_long_to_wait(s3, store):
    fault = s3.fault("complete", refuse(503, "SlowDown", Retry_After="7"))
    with pytest.raises(BusyError) as caught:
        store.write("a", stream_of(LARGE), expect=ABSENT)
    assert fault.fired == 1
    assert caught.value.retry_after_s == 7


@pytest.mark.hazard("R31")
@pytest.mark.parametrize("act", [lose_after(), fail_after()])
@pytest.mark.parametrize("expect", ["absent", "old"])
@SIZES
def test_our_own_effect_is_recognised_when_its_answer_was_lost(s3, store, patient, act, body, expect):
    old = s3.put("p/a", b"old") if expect == "old" else None
    fault = s3.fault("complete" if body.data is None else "put", act)
    entry = patient.write("a", body, expect=Version(old.etag.strip('"')) if old else ABSENT)
    assert fault.fired == 1
    assert entry == store.stat("a")
    assert store.token("a") == (entry.version, "t")
    assert len(s3.ops("put", "complete")) == (1 if body.data is None else 2)  # large bodies are not sent again
    assert s3.uploads == {}


@pytest.mark.hazard("R31")
@pytest.mark.parametrize("op", ["begin", "part", "complete"])
@pytest.mark.parametrize(
    ("act", "kind"), [(refuse(403, "AccessDenied"), DeniedError), (html(), BusyError), (lose_before(), BusyError)]
)
def test_an_upload_that_fails_is_taken_away(s3, store, op, act, kind):
    s3.put("p/a", b"old")
    fault = s3.fault(op, act, nth=1 if op != "part" else 3)
    old = store.stat("a")
    with pytest.raises((kind, DamagedError)):
        store.write("a", stream_of(LARGE), expect=old.version)
    assert fault.fired == 1
    assert s3.uploads == {}
    assert content(store, "a") == b"old"


@pytest.mark.hazard("R31")
def test_an_orphan_that_cannot_be_taken_away_hides_no_error(s3, store):
    s3.fault("complete", refuse(403, "AccessDenied"))
    abort = s3.fault("abort", lose_before())
    with pytest.raises(DeniedError):
        store.write("a", stream_of(LARGE), expect=ABSENT)
    assert abort.fired == 1


def test_a_success_may_turn_out_to_be_an_error(s3, store):
    told = b"<Error><Code>InternalError</Code></Error>"
    fault = s3.fault("complete", answer(Answer(200, told)))
    with pytest.raises(BusyError):
        store.write("a", stream_of(LARGE), expect=ABSENT)
    assert fault.fired == 1


@pytest.mark.hazard("R10", "L03")
@pytest.mark.parametrize("cut", [0, 1, 9_999, 10_000, 35_000])
def test_a_source_that_breaks_off_publishes_nothing(s3, store, cut):
    class Broken(BytesIO):
        def read(self, size=-1):
            if self.tell() >= cut:
                raise OSError("the disk is gone")
            return super().read(min(size, 1000))

    s3.put("p/a", b"old")
    with pytest.raises(OSError, match="the disk is gone"):
        store.write("a", Body(size_bytes=len(LARGE), open=partial(Broken, LARGE)), expect=store.stat("a").version)
    assert content(store, "a") == b"old"
    assert s3.uploads == {}
    assert s3.ops("complete") == []


@pytest.mark.hazard("R11", "R12", "R13")
@pytest.mark.parametrize(
    "change",
    [lambda data: data[:-1], lambda data: b"", lambda data: bytes([data[0] ^ 1]) + data[1:]],
    ids=["cut", "nothing", "bit"],
)
@pytest.mark.parametrize(("op", "data"), [("put", b"new bytes"), ("part", LARGE)])
def test_other_bytes_than_were_sent_are_noticed(s3, store, op, data, change):
    fault = s3.fault(op, keep(change))
    with pytest.raises(DamagedError):
        store.write("a", stream_of(data), expect=ABSENT)
    assert fault.fired == 1
    assert s3.ops("delete", "bulk") == []  # what is there now may be the only copy


@pytest.mark.hazard("R12")
def test_a_wrong_sum_is_not_believed(s3, store):
    wrong = tell(lambda told: replace(told, headers={"ETag": etag_of(b"other")}))
    fault = s3.fault("put", wrong)
    assert store.write("a", body_of(b"new"), expect=ABSENT).version == store.stat("a").version
    assert fault.fired == 1


@pytest.mark.parametrize(("op", "data"), [("put", b"new"), ("complete", LARGE)])
def test_under_a_key_of_kms_the_sum_is_another_one(s3, store, op, data):
    def encrypt(request, work):
        told = work(request)
        kept = s3.objects[request.key]
        s3.objects[request.key] = replace(
            kept,
            etag='"00000000000000000000000000000000"',
            headers=kept.headers | {"x-amz-server-side-encryption": "aws:kms"},
        )
        old, new = kept.etag.strip('"').encode(), b"0" * 32
        return replace(told, headers=told.headers | {"ETag": f'"{new.decode()}"'}, body=told.body.replace(old, new))

    s3.fault(op, encrypt)
    entry = store.write("a", stream_of(data), expect=ABSENT)
    assert entry.version == "0" * 32
    assert store.stat("a").version == entry.version


@pytest.mark.hazard("R32")
@pytest.mark.parametrize("op", ["put", "head", "get"])
def test_a_proxy_is_not_the_store(s3, store, op):
    s3.put("p/a", b"old")
    version = store.stat("a").version
    fault = s3.fault(op, html())
    act = {
        "put": lambda: store.write("a", body_of(b"new"), expect=version),
        "head": lambda: store.stat("a"),
        "get": lambda: content(store, "a"),
    }[op]
    with pytest.raises(BusyError if op == "put" else DamagedError):
        act()
    assert fault.fired == 1


@pytest.mark.hazard("R15", "R17")
@pytest.mark.parametrize("op", ["stat", "token", "read", "write", "delete"])
def test_forbidden_is_not_absent(s3, store, op):
    for which in ("head", "get", "put"):
        s3.fault(which, refuse(403, "RequestTimeTooSkewed"))
    act = {
        "stat": lambda: store.stat("a"),
        "token": lambda: store.token("a"),
        "read": lambda: content(store, "a"),
        "write": lambda: store.write("a", body_of(b"1"), expect=ABSENT),
        "delete": lambda: _raise(store.delete([("a", Version("1"))])[0]),
    }[op]
    with pytest.raises(DeniedError) as caught:
        act()
    if op in ("read", "write"):  # a HEAD has no body that could tell more
        assert "clock" in caught.value.hint


def _raise(error):
    raise error


@pytest.mark.parametrize(("data", "expect"), [(b"1", ABSENT), (b"1", Version("1")), (LARGE, ABSENT), (LARGE, ANY)])
def test_a_missing_bucket_is_not_a_missing_object(s3, store, data, expect):
    s3.fault("put", refuse(404, "NoSuchBucket"))
    s3.fault("begin", refuse(404, "NoSuchBucket"))
    with pytest.raises(NotFoundError) as caught:
        store.write("a", stream_of(data), expect=expect)
    assert "reconcile create" in caught.value.hint


@pytest.mark.hazard("R32", "S11")
@pytest.mark.parametrize("op", ["list", "head", "get", "put", "begin", "complete"])
def test_credentials_follow_no_redirect(s3, store, op):
    with FakeS3() as elsewhere:
        s3.put("p/a", b"old")
        elsewhere.put("p/a", b"planted")
        fault = s3.fault(op, answer(Answer(307, b"", {"Location": f"{elsewhere.endpoint}/bucket/p/a"})))
        act = {
            "list": lambda: list(store.list()),
            "head": lambda: store.stat("a"),
            "get": lambda: content(store, "a"),
            "put": lambda: store.write("b", body_of(b"1"), expect=ABSENT),
        }.get(op, lambda: store.write("b", stream_of(LARGE), expect=ABSENT))
        with pytest.raises(RefusedError):
            act()
        assert fault.fired == 1
        assert elsewhere.log == []


@pytest.mark.hazard("R28")
@pytest.mark.parametrize("code", ["AccessDenied", "InvalidObjectState", "KMS.DisabledException"])
def test_what_one_object_refuses_is_said_of_it(s3, store, code):
    fault = s3.fault("get", refuse(403, code))
    with pytest.raises(DeniedError) as caught:
        content(store, "a")
    assert fault.fired == 1
    assert (caught.value.path, caught.value.op) == ("a", "read")


@pytest.mark.hazard("R35", "N07", "R23")
@pytest.mark.parametrize("key", ["", "/a", "a//b", "../a", "a/", "nul\0", "back\\slash", "k" * 1023])
def test_names_that_cannot_be_are_refused_before_anything_is_sent(s3, store, key):
    with pytest.raises(RefusedError):
        store.write(key, body_of(b"1"), expect=ANY)
    with pytest.raises(RefusedError):
        store.write("large", Body(size_bytes=(5 << 40) + 1, open=BytesIO), expect=ANY)
    assert s3.log == []
    store.write("k" * 1022, body_of(b"1"), expect=ABSENT)
    assert listed(store) == ["k" * 1022]


def test_parts_grow_with_the_object():
    assert s3_multipart.part_bytes(1) == s3_multipart.PART_BYTES
    for size in (5 << 40, (5 << 40) - 1, s3_multipart.PART_BYTES * PARTS + 1):
        assert -(-size // s3_multipart.part_bytes(size)) <= PARTS


@pytest.mark.hazard("S01")
def test_no_secret_is_in_a_url_or_an_error(s3):
    options = StoreOptions(endpoint=s3.endpoint, extra={"access_key_id": "id", "secret_access_key": "hush-hush"})
    store = ObjectStore.open("s3://bucket/p", options)
    s3.fault("put", refuse(403, "SignatureDoesNotMatch"))
    with pytest.raises(DeniedError) as caught:
        store.write("a", body_of(b"1"), expect=ABSENT)
    assert "hush" not in f"{store.url}{caught.value}{caught.value.__cause__}{options!r}"
    store.close()


@pytest.mark.parametrize("data", [b"", b"new", LARGE])
@pytest.mark.parametrize("damaged", [False, True])
def test_etags_of_an_own_kind_cost_a_look_at_the_bytes(s3, store, data, damaged):
    def own(request, work):
        told = work(request)
        kept = s3.objects[request.key]
        s3.objects[request.key] = replace(kept, etag='"own"', data=kept.data[::-1] if damaged else kept.data)
        body = told.body.replace(kept.etag.strip('"').encode(), b"own")
        return replace(told, headers=told.headers | {"ETag": '"own"'}, body=body)

    s3.fault("put", own)
    s3.fault("complete", own)
    if damaged and data:
        with pytest.raises(DamagedError):
            store.write("a", stream_of(data), expect=ABSENT)
    else:
        assert store.write("a", stream_of(data), expect=ABSENT).version == "own"
    assert bool(s3.ops("get")) == bool(data)
