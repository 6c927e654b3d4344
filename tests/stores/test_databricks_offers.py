"""What a workspace, or the storage behind it, does not offer is gone around, or told by its name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import RefusedError
from reconcile.stores.wrap import Retrying
from reconcile.testing.samples import body_of, content, stream_of
from tests.fakes.databricks import Emulator
from tests.fakes.databricks import faults as broken
from tests.stores.databricks_kit import VOLUME, emulator, opened
from tests.stores.fakes import OwnClock

__all__ = ["emulator"]

BEGUN = ("POST", "/api/2.0/fs/files")
SIGNED = ("POST", "/api/2.0/fs/create-upload-part-urls")
STORED = ("PUT", "/presigned")
LARGE = b"x" * 100
UNKNOWN = broken.refuse(404, "ENDPOINT_NOT_FOUND", "No API found for 'POST /fs'")


@pytest.fixture
def store(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Retrying:
    """A volume where ten bytes are large already."""
    monkeypatch.setattr("reconcile.stores.databricks.volume.IN_PARTS_BYTES", 10)
    return Retrying(opened(emulator), clock=OwnClock())


@pytest.mark.parametrize("call", [BEGUN, SIGNED])
@pytest.mark.parametrize("act", [UNKNOWN, broken.html(405), broken.refuse(501, "NOT_IMPLEMENTED")])
def test_without_calls_for_parts_a_large_file_goes_in_one(emulator: Emulator, store: Retrying, call, act) -> None:
    fault = emulator.faults.add(act, *call, times=None, where=lambda request: "abort" not in request.target)
    store.write("a", stream_of(LARGE), expect=ABSENT)
    assert fault.fired == 1
    assert content(store, "a") == LARGE
    assert emulator.uploads.sessions == {}


@pytest.mark.parametrize("act", [broken.refuse(403, "AuthorizationFailure"), broken.refuse(400, "InvalidArgument")])
def test_storage_that_takes_no_signed_url_is_gone_around(emulator: Emulator, store: Retrying, act) -> None:
    fault = emulator.faults.add(act, *STORED, times=None)
    store.write("a", stream_of(LARGE), expect=ABSENT)
    assert fault.fired == 2
    store.write("b", stream_of(LARGE), expect=ABSENT)
    assert fault.fired == 2
    assert content(store, "a") == content(store, "b") == LARGE
    assert emulator.uploads.sessions == {}


def test_storage_that_nobody_reaches_is_gone_around(emulator: Emulator, store: Retrying) -> None:
    def moved(answer):
        said = b"".join(answer.chunks())
        return replace(answer, content=said.replace(emulator.url.encode(), b"http://127.0.0.1:1"))

    fault = emulator.faults.add(broken.tell(moved), *SIGNED, times=None)
    store.write("a", stream_of(LARGE), expect=ABSENT)
    assert fault.fired == 2
    assert content(store, "a") == LARGE


def test_what_is_too_large_for_one_request_says_why_it_goes_in_none(emulator, store, monkeypatch) -> None:
    monkeypatch.setattr("reconcile.stores.databricks.volume.ONE_REQUEST_BYTES", 50)
    fault = emulator.faults.add(UNKNOWN, *BEGUN, times=None)
    with pytest.raises(RefusedError, match=r"does not offer POST /api/2.0/fs/files"):
        store.write("a", stream_of(LARGE), expect=ABSENT)
    assert fault.fired == 1


@pytest.mark.parametrize("status", [405, 501])
def test_a_call_that_is_not_offered_is_told_by_its_name(emulator: Emulator, status: int) -> None:
    store = opened(emulator, VOLUME)
    there = store.write("a", body_of(b"1"), expect=ABSENT)
    fault = emulator.faults.add(broken.html(status), "HEAD", times=None)
    with pytest.raises(RefusedError, match=r"does not offer HEAD /api/2.0/fs/files"):
        store.write("a", body_of(b"2"), expect=there.version)
    assert fault.fired == 1
    assert content(store, "a") == b"1"
