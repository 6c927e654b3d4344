"""The connections to the service of a bucket, as the environment has them: through which proxy, trusting whom."""

from __future__ import annotations

import socket
from typing import Any, Final

CONNECT_S: Final = 10
STALL_S: Final = 120

_AT_ONCE: Final[Any] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
"""Else a body waits until its headers were received."""


def make_pool(base: str, connections: int) -> Any:
    """So many connections to one service, kept open; certificates are those of botocore, read once for all of them."""
    import urllib3  # noqa: PLC0415 - 60 ms, only for those who talk to S3

    words: dict[str, Any] = {
        "maxsize": connections,
        "timeout": urllib3.Timeout(connect=CONNECT_S, read=STALL_S),
        "socket_options": _AT_ONCE,
    }
    if base.startswith("https:"):
        words |= {"cert_reqs": "CERT_REQUIRED", "ssl_context": _trusting()}
    proxy, who = _proxy(base)
    manager = urllib3.ProxyManager(proxy, proxy_headers=who, **words) if proxy else urllib3.PoolManager(**words)
    return manager.connection_from_url(base)


def _trusting() -> Any:
    from botocore.httpsession import get_cert_path  # noqa: PLC0415
    from urllib3.util.ssl_ import create_urllib3_context  # noqa: PLC0415

    context = create_urllib3_context()
    context.load_verify_locations(get_cert_path(verify=True))
    return context


def _proxy(base: str) -> tuple[str, dict[str, str]]:
    """The proxy on the way, "" for none, and the headers that tell it who asks."""
    from botocore.utils import get_environ_proxies  # noqa: PLC0415

    if not (proxies := get_environ_proxies(base)):
        return "", {}
    from botocore.httpsession import ProxyConfiguration  # noqa: PLC0415

    known = ProxyConfiguration(proxies)
    proxy = known.proxy_url_for(base)
    return (proxy, known.proxy_headers_for(proxy)) if proxy else ("", {})
