"""Requests to S3 go through the proxy that the environment names, which is told who asks; others go straight."""

from __future__ import annotations

import pytest

from reconcile.stores.objects.store import ObjectStore
from reconcile.stores.options import StoreOptions
from tests.fakes.s3 import FakeS3

KEYS = {"access_key_id": "fake", "secret_access_key": "fake"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> str:
    """An endpoint that only a proxy could reach."""
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    return "http://storage.invalid:9000"


def test_a_proxy_is_told_the_whole_url_and_who_asks(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeS3() as proxy:
        monkeypatch.setenv("http_proxy", proxy.endpoint.replace("//", "//me:word@"))
        store = ObjectStore.open("s3://bucket/p", StoreOptions(endpoint=asked, region="us-east-1", extra=KEYS))
        assert store.stat("a b") is None
        store.close()
        [request] = proxy.log
    assert request.key == f"{asked}/bucket/p/a b"
    assert request.headers["proxy-authorization"] == "Basic bWU6d29yZA=="
    assert request.headers["host"] == "storage.invalid:9000"


@pytest.mark.usefixtures("asked")
def test_what_needs_no_proxy_asks_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeS3() as proxy, FakeS3() as s3:
        monkeypatch.setenv("http_proxy", proxy.endpoint)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        store = ObjectStore.open("s3://bucket/p", s3.options())
        assert store.stat("a") is None
        store.close()
        assert [request.key for request in s3.log] == ["p/a"]
        assert proxy.log == []
