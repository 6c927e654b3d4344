"""The connections to a workspace and to the storage behind it, as the environment has them: proxies, certificates."""

from __future__ import annotations

import os
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

CONNECT_S: Final = 10
STALL_S: Final = 120

_BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def make_pool(base: str, connections: int, *, verify: bool) -> Any:
    """Connections for so many calls at once, whatever the host; `verify` False takes any certificate."""
    import urllib3  # noqa: PLC0415 - only for those who talk to Databricks

    words: dict[str, Any] = {
        "num_pools": 8,
        "maxsize": 2 * connections,  # what writes, and what looks and deletes for it
        "timeout": urllib3.Timeout(connect=CONNECT_S, read=STALL_S),
        "cert_reqs": "CERT_REQUIRED" if verify else "CERT_NONE",
        "ca_certs": _bundle() if verify else None,
    }
    proxy = _proxy(base)
    return urllib3.ProxyManager(proxy, **words) if proxy else urllib3.PoolManager(**words)


def _bundle() -> str:
    import certifi  # noqa: PLC0415

    return next((named for name in _BUNDLES if (named := os.environ.get(name))), certifi.where())


def _proxy(base: str) -> str:
    """The proxy to the workspace, "" for none; the storage behind it is reached in the same way."""
    parts = urlsplit(base)
    if proxy_bypass(parts.hostname or ""):
        return ""
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all") or ""
