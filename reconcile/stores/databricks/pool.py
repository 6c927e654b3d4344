"""The connections to a workspace and to the storage behind it, as the environment has them: proxies, certificates."""

from __future__ import annotations

import os
import socket
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from reconcile.stores.patience import UnreachableError

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
    if not proxy:
        return urllib3.PoolManager(**words)
    asks = urlsplit(proxy)
    who = f"{unquote(asks.username)}:{unquote(asks.password or '')}" if asks.username else None
    return urllib3.ProxyManager(proxy, proxy_headers=urllib3.make_headers(proxy_basic_auth=who), **words)


def require_answer(base: str) -> None:
    """`UnreachableError` when nobody answers at this address: a wrong one is told at once. A proxy answers for others.

    A name that does not exist is not asked for again.
    """
    parts = urlsplit(base)
    if not parts.hostname or _proxy(base):
        return
    try:
        where = (parts.hostname, parts.port or (80 if parts.scheme == "http" else 443))
        socket.create_connection(where, CONNECT_S).close()
    except OSError as error:
        nobody = unreachable(base, error)
        nobody.given_up = isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME
        raise nobody from error


def unreachable(base: str, error: Exception, op: str = "open", path: str = "") -> UnreachableError:
    """Nobody answers at an address."""
    kinds = {socket.gaierror: "no such name", ConnectionRefusedError: "it refuses connections"}
    why = next((told for kind, told in kinds.items() if isinstance(error, kind)), type(error).__name__)
    message = f"no answer from {urlsplit(base).netloc}: {why}"
    return UnreachableError(message, op=op, path=path, hint="is the host right, and the network up?")


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
