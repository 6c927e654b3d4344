"""Replies that are lost, or as good as lost: what was done is recognised, what others did is not taken for ours."""

from dataclasses import replace

from msgspec.structs import replace as with_
import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import ChangedError
from reconcile.stores.objects import s3_multipart
from reconcile.stores.objects.store import ObjectStore
from reconcile.stores.retry import Retrying
from reconcile.testing.samples import body_of, stream_of
from tests.fakes.s3 import FakeS3, etag_of
from tests.fakes.s3_faults import Answer, lose_after, tell
from tests.stores.fakes import OwnClock

LARGE = bytes(range(256)) * 200
"""Large where parts are small."""


@pytest.fixture
def s3():
    with FakeS3() as server:
        yield server


@pytest.fixture
def store(s3, monkeypatch):
    monkeypatch.setattr(s3_multipart, "PART_BYTES", 10_000)
    monkeypatch.setattr("reconcile.stores.objects.store.SMALL_BYTES", 20_000)
    store = ObjectStore.open("s3://bucket/p", s3.options())
    yield store
    store.close()


@pytest.fixture
def patient(store):
    return Retrying(store, clock=OwnClock())


@pytest.mark.hazard("R12")
def test_what_was_changed_as_soon_as_it_was_written_is_not_ours(s3, store):
    def quicker(request, work):
        told = work(request)
        s3.put("p/a", b"a stranger's")
        return Answer(200, b"", {"ETag": etag_of(b"neither")}) if told.status == 200 else told

    fault = s3.fault("put", quicker)
    with pytest.raises(ChangedError, match="as soon as"):
        store.write("a", body_of(b"new"), expect=ABSENT)
    assert fault.fired == 1


@pytest.mark.hazard("R13")
@pytest.mark.parametrize(("op", "body"), [("put", body_of(b"new")), ("complete", stream_of(LARGE))])
@pytest.mark.parametrize("change", [lambda told: Answer(), lambda told: replace(told, body=b"<html>", headers={})])
def test_an_answer_that_cannot_be_read_is_a_lost_one(s3, store, patient, op, body, change):
    """The work was done; asked again, the store says so, and what is there is known by its token."""
    fault = s3.fault(op, tell(change))
    wrote = patient.write("a", with_(body, token="t"), expect=ABSENT)
    assert fault.fired == 1
    assert wrote.version == store.stat("a").version
    assert s3.uploads == {}


@pytest.mark.hazard("R13")
@pytest.mark.parametrize("op", ["copy", "bulk"])
@pytest.mark.parametrize("act", [lose_after(), tell(lambda told: replace(told, body=b"<html>"))])
def test_a_move_is_done_whichever_of_its_replies_is_lost(s3, store, patient, op, act):
    """Nobody told a digest: the source, while it is there, says what was copied."""
    store.write("a", body_of(b"moved"), expect=ABSENT)
    there = with_(store.stat("a"), digest=None)
    fault = s3.fault(op, act)
    assert patient.move(there, "b", expect=ABSENT).version == there.version
    assert fault.fired == 1
    assert set(s3.objects) == {"p/b"}
