"""What a hostile or half-configured service does to a store: refused probes, refused connections, other bytes kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
import socket

from msgspec.structs import replace as with_
import pytest

from reconcile.core.entry import ABSENT, Version
from reconcile.core.errors import BusyError, DamagedError, DeniedError
from reconcile.ports import Hashes, Store
from reconcile.stores.objects.store import ObjectStore
from reconcile.stores.options import StoreOptions
from reconcile.testing.samples import body_of, put
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import answer, error, html, keep, refuse, tell


@pytest.fixture
def s3() -> Iterator[FakeS3]:
    with FakeS3() as server:
        yield server


@pytest.fixture
def store(s3: FakeS3) -> Iterator[Store]:
    store = ObjectStore.open("s3://bucket/p", s3.options())
    yield store
    store.close()


def test_a_refused_connection_is_worth_another_try() -> None:
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        keys = {"access_key_id": "fake", "secret_access_key": "fake"}
        store = ObjectStore.open("s3://bucket/p", StoreOptions(endpoint=endpoint, region="us-east-1", extra=keys))
        with pytest.raises(BusyError, match="no answer from http://127") as told:
            list(store.list())
        store.close()
    assert "endpoint" in told.value.hint


@pytest.mark.hazard("R15")
def test_a_refusal_without_a_word_still_has_a_next_step(s3: FakeS3, store: Store) -> None:
    fault = s3.fault("head", refuse(403, ""))
    with pytest.raises(DeniedError) as told:
        store.ensure(dry=True)
    assert fault.fired == 1
    assert "keys" in told.value.hint


@pytest.mark.hazard("R16")
def test_who_may_not_delete_may_still_write(s3: FakeS3, store: Store) -> None:
    faults = [s3.fault(op, refuse(403, "AccessDenied"), times=9) for op in ("delete", "bulk", "copy")]
    found = store.probe()
    assert found["write"] == "match"
    assert (found["copy"], found["delete"], found["bulk"]) == ("stat", "stat", "none")
    assert all(fault.fired for fault in faults)


@pytest.mark.parametrize("told", [html(), answer(error(404, "NoSuchKey")), refuse(501, "NotImplemented")])
def test_who_does_not_know_of_versions_keeps_none(s3: FakeS3, store: Store, told) -> None:
    fault = s3.fault("get", told)
    assert store.probe()["keeps"] == "copy"
    assert fault.fired == 1


@pytest.mark.hazard("R12")
def test_a_mark_does_not_speak_for_other_bytes(s3: FakeS3, store: Store) -> None:
    data = b"content"
    body = body_of(data)
    fault = s3.fault("put", keep(lambda sent: b"X" + sent[1:]))
    with pytest.raises(DamagedError):
        store.write("a", body, expect=ABSENT)
    there = store.stat("a")
    assert fault.fired == 1
    assert there is not None
    assert there.digest == body.digest
    assert store.prove(there, Hashes(body.digest, body.md5)) is None


def test_under_a_key_of_kms_the_mark_is_all_there_is(s3: FakeS3, store: Store) -> None:
    body = body_of(b"content")
    there = put(store, "a", b"content")
    stored = s3.objects["p/a"]
    headers = {**stored.headers, "x-amz-server-side-encryption": "aws:kms"}
    s3.objects["p/a"] = replace(stored, etag=f'"{"1" * 32}"', headers=headers)
    there = with_(there, version=Version("1" * 32), digest=None)
    assert store.prove(there, Hashes(body.digest, body.md5)) is True


def test_a_service_account_that_is_not_there_is_told(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.json")
    store = ObjectStore.open("gs://bucket/p", StoreOptions(extra={"service_account": missing}))
    with pytest.raises(DeniedError, match="service account") as told:
        store.ensure(dry=True)
    store.close()
    assert "GOOGLE_APPLICATION_CREDENTIALS" in told.value.hint


@pytest.mark.hazard("S16")
def test_a_body_that_does_not_end_where_it_said_is_given_up(s3: FakeS3, store: Store) -> None:
    """Chunk after chunk, of an object of three bytes: nobody waits for the end."""
    s3.put("p/a", b"123")
    entry = store.stat("a")
    assert entry is not None
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    longer = {"Transfer-Encoding": "chunked", "Content-Length": "3"}
    fault = s3.fault("get", tell(lambda told: replace(told, body=chunk * 8, headers=told.headers | longer)))
    with pytest.raises(DamagedError):
        b"".join(store.read("a", version=entry.version))
    assert fault.fired == 1
