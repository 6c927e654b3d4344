"""The signature of a request to S3, version 4, in its headers: what it asks for, of whom, when, and its body."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
import hmac
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_PORTS: Final = {"http": 80, "https": 443}


class Request(Struct, frozen=True):
    """What is sent: `url` is quoted already, all `headers` are signed."""

    method: str
    url: str
    headers: Mapping[str, str]
    data: bytes | bytearray = b""


def signed(request: Request, identity: Any, region: str, at: datetime) -> Request:
    """The request as `identity` (keys and a token, as botocore freezes them) sends it `at` a time (UTC)."""
    digest, moment = sha256(request.data).hexdigest(), at.strftime("%Y%m%dT%H%M%SZ")
    headers = {**request.headers, "X-Amz-Date": moment, "X-Amz-Content-SHA256": digest}
    if identity.token:
        headers["X-Amz-Security-Token"] = identity.token
    parts = urlsplit(request.url)
    told = {name.lower(): " ".join(value.split()) for name, value in headers.items()} | {"host": _host(parts)}
    names = ";".join(sorted(told))
    query = "&".join(sorted(parts.query.split("&"), key=lambda pair: pair.partition("=")))
    lines = (request.method, parts.path, query, *(f"{name}:{told[name]}" for name in sorted(told)), "", names, digest)
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    canonical = sha256("\n".join(lines).encode()).hexdigest()
    key = f"AWS4{identity.secret_key}".encode()
    for word in (*scope.split("/"), f"{_ALGORITHM}\n{moment}\n{scope}\n{canonical}"):
        key = hmac.digest(key, word.encode(), "sha256")
    who = f"Credential={identity.access_key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    return Request(request.method, request.url, headers | {"Authorization": f"{_ALGORITHM} {who}"}, request.data)


def _host(parts: Any) -> str:
    """The host as HTTP clients name it: its port only where it is not the usual one."""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return host if parts.port in (None, _PORTS.get(parts.scheme)) else f"{host}:{parts.port}"
