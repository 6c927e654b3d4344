"""Uploads that were begun and not completed: known by their mark, listed, and given up without touching any other."""

from __future__ import annotations

from msgspec.structs import replace
import pytest

from reconcile.abilities import Tidy
from reconcile.core.entry import ABSENT
from reconcile.core.errors import BusyError, DamagedError, DeniedError
from reconcile.ports import Body
from reconcile.stores.objects import s3_multipart
from reconcile.stores.objects.store import ObjectStore
from reconcile.stores.retry import Retrying
from reconcile.testing.samples import stream_of
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import lose_before, refuse, rewrite
from tests.servers import moto_s3, seaweed_s3  # noqa: F401 - fixtures
from tests.stores.fakes import OwnClock

LARGE = bytes(range(256)) * 160


@pytest.fixture
def s3():
    with FakeS3() as server:
        yield server


@pytest.fixture
def store(s3, monkeypatch):
    monkeypatch.setattr("reconcile.stores.objects.store.SMALL_BYTES", 10_000)
    monkeypatch.setattr(s3_multipart, "PART_BYTES", 10_000)
    store = ObjectStore.open("s3://bucket/p", s3.options())
    yield store
    store.close()


def large(told: list[str]) -> Body:
    return replace(stream_of(LARGE), begun=told.append)


def test_a_mark_is_told_before_the_first_part(s3, store):
    parts_then = []
    body = replace(stream_of(LARGE), begun=lambda mark: parts_then.append((mark, len(s3.ops("part")))))
    store.write("a", body, expect=ABSENT)
    assert parts_then == [("upload upload-1", 0)]
    assert list(store.leftovers()) == []


def test_who_may_not_tell_sends_nothing(s3, store):
    def refused(mark: str) -> None:
        raise DeniedError("the lease is lost")

    with pytest.raises(DeniedError):
        store.write("a", replace(stream_of(LARGE), begun=refused), expect=ABSENT)
    assert (s3.ops("part"), s3.uploads, s3.objects) == ([], {}, {})


@pytest.mark.hazard("R31")
def test_an_orphan_is_listed_and_given_up_by_its_mark(s3, store):
    told: list[str] = []
    s3.fault("complete", refuse(403, "AccessDenied"))
    abort = s3.fault("abort", lose_before())
    with pytest.raises(DeniedError):
        store.write("sub/ü +&<b>", large(told), expect=ABSENT)
    assert abort.fired == 1
    s3.uploads["strange"] = ("elsewhere/a", {}, {})
    [left] = store.leftovers()
    assert (left.key, [left.mark]) == ("sub/ü +&<b>", told)
    assert left.began_ns == 1_704_067_200 * 10**9
    store.discard(left.key, left.mark)
    assert set(s3.uploads) == {"strange"}
    store.discard(left.key, left.mark)


def test_what_is_no_upload_is_not_asked_about(s3, store):
    store.discard("a", "0f0f0f0f0f0f0f0f")
    assert s3.log == []


def test_a_lost_reply_is_asked_for_again(s3, store):
    s3.uploads["upload-1"] = ("p/a", {}, {})
    fault = s3.fault("abort", lose_before())
    patient = Retrying(store, clock=OwnClock())
    assert isinstance(patient, Tidy)
    patient.discard("a", "upload upload-1")
    assert fault.fired == 1
    assert s3.uploads == {}


def test_a_service_that_refuses_says_so(s3, store):
    s3.uploads["upload-1"] = ("p/a", {}, {})
    fault = s3.fault("abort", refuse(503, "SlowDown"))
    with pytest.raises(BusyError):
        store.discard("a", "upload upload-1")
    assert fault.fired == 1


@pytest.mark.parametrize("page", [1, 2, 1000])
def test_they_are_listed_page_by_page(s3, store, page):
    s3.page = page
    for at in range(5):
        s3.uploads[f"upload-{at}"] = (f"p/{at // 2}", {}, {})
    assert [(one.key, one.mark) for one in store.leftovers()] == [
        (str(at // 2), f"upload upload-{at}") for at in range(5)
    ]


@pytest.mark.hazard("S16", "R02")
@pytest.mark.parametrize("by", ["<NextKeyMarker></NextKeyMarker>", "<NextKeyMarker>p/0</NextKeyMarker>"])
def test_an_endless_list_ends(s3, store, by):
    s3.page = 1
    for at in range(5):
        s3.uploads[f"upload-{at}"] = ("p/0", {}, {})
    fault = s3.fault("uploads", rewrite("<NextKeyMarker>.*</NextUploadIdMarker>", by), times=99)
    with pytest.raises(DamagedError):
        list(store.leftovers())
    assert 1 <= fault.fired <= 3


@pytest.mark.parametrize("name", ["moto_s3", "seaweed_s3"])
def test_on_a_real_server(request, name):
    server = request.getfixturevalue(name)
    bucket = server.bucket()
    store = ObjectStore.open(f"s3://{bucket}/p", server.options())
    ours = server.client.create_multipart_upload(Bucket=bucket, Key="p/sub/a b")["UploadId"]
    server.client.create_multipart_upload(Bucket=bucket, Key="q/a")
    [left] = store.leftovers()
    assert (left.key, left.mark) == ("sub/a b", f"upload {ours}")
    assert left.began_ns > 0  # moto always says 2010
    for _ in range(2):
        store.discard(left.key, left.mark)
    assert list(store.leftovers()) == []
    assert [one["Key"] for one in server.client.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["q/a"]
    store.close()
