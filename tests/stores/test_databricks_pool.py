"""Connections to a workspace go through the proxy that the environment names, which is told who asks."""

from __future__ import annotations

import pytest

from reconcile.stores.databricks.pool import make_pool
from tests.fakes.s3 import FakeS3


@pytest.mark.parametrize(
    ("who", "told"),
    [("", None), ("me:p%40ss@", "Basic bWU6cEBzcw=="), ("me@", "Basic bWU6")],
    ids=["", "both", "a name"],
)
def test_a_proxy_is_told_who_asks(monkeypatch: pytest.MonkeyPatch, who: str, told: str | None) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with FakeS3() as proxy:
        monkeypatch.setenv("http_proxy", proxy.endpoint.replace("//", f"//{who}"))
        pool = make_pool("http://workspace.invalid", 1, verify=True)
        pool.request("GET", "http://workspace.invalid/bucket/key")
        pool.clear()
        [request] = proxy.log
    assert request.headers["host"] == "workspace.invalid"
    assert request.headers.get("proxy-authorization") == told
