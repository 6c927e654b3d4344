"""One signed request to an S3 service, and one validated answer.

What the fast lane (obstore) cannot say goes through here: listings whose pages are checked, conditions on copy, delete
and multipart, bucket calls. Redirects are never followed, answers are bounded in size and time, and an answer that is
not the XML it should be is an error, never an empty result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
import re
import socket
import time
from typing import Any, Final
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

from msgspec import Struct

from reconcile.core.entry import ABSENT, ANY, Version
from reconcile.core.errors import BusyError, DeniedError, StoreError
from reconcile.ports import io_step
from reconcile.stores.answers import garbled, seconds
from reconcile.stores.objects.errors import Refusal, translate
from reconcile.stores.patience import UnreachableError

CONNECT_S: Final = 10
STALL_S: Final = 120
ANSWER_S: Final = 300
ANSWER_BYTES: Final = 32 << 20
CHUNK_BYTES: Final = 1 << 20

Headers = Mapping[str, str]

_AT_ONCE: Final[Any] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
"""Else a body waits until its headers were received."""

_NAMESPACE: Final = re.compile(rb'\sxmlns="[^"]*"')


class Bucket(Struct, frozen=True):
    """Where a bucket answers: `base` is its URL without a slash at the end, with the bucket in the host or the path."""

    name: str
    region: str
    base: str


class Reply(Struct, frozen=True):
    """A successful answer; `headers` by lower-case name."""

    status: int
    headers: Headers
    data: bytes

    def root(self, name: str, op: str, path: str) -> ET.Element:
        """The XML of the answer, which must be a `name`; an `Error` in a 200 is raised as what it means."""
        root = parse(self.data, op, path)
        if root.tag == "Error":
            raise translate(Refusal(500, text(root, "Code"), text(root, "Message")), op, path)
        if root.tag != name:
            raise garbled(f"the answer is no {name}", op, path)
        return root


def parse(data: bytes, op: str, path: str) -> ET.Element:
    """The root of an XML answer, all names without their namespace; what `garbled` says when it is none."""
    if b"<!DOCTYPE" in data[:1024]:
        raise garbled("the answer is no answer of S3", op, path)
    try:
        return ET.fromstring(_NAMESPACE.sub(b"", data, count=1))  # noqa: S314 - no DTD gets here; expat bounds the rest
    except ET.ParseError as error:
        raise garbled("the answer is no XML", op, path) from error


def text(element: ET.Element, name: str) -> str:
    """The text of a child, "" when there is none."""
    return element.findtext(name) or ""


def bare(etag: str | None) -> str:
    """An ETag as versions have it: without quotes."""
    return etag.strip('"') if etag else ""


def quoted(version: str) -> str:
    """An ETag as headers have it."""
    return version if version.startswith("W/") else f'"{version}"'


def condition(expect: Version) -> dict[str, str]:
    """The header that binds a request to what is there."""
    if expect == ANY:
        return {}
    return {"If-None-Match": "*"} if expect == ABSENT else {"If-Match": quoted(expect)}


class Wire:
    """Signed requests to one bucket; thread-safe. Keys are relative to `root`, a prefix with its slash, or "".

    `credentials` are botocore's; so many `connections` are kept open.
    """

    def __init__(self, bucket: Bucket, root: str, credentials: Any, *, connections: int) -> None:
        self.bucket = bucket
        self.root = root
        self._credentials = credentials
        self._connections = connections

    @cached_property
    def _session(self) -> Any:
        from botocore.httpsession import URLLib3Session  # noqa: PLC0415 - 60 ms, only for those who talk to S3
        from botocore.utils import get_environ_proxies  # noqa: PLC0415

        return URLLib3Session(
            timeout=(CONNECT_S, STALL_S),  # type: ignore[arg-type]  # the stubs know one number only
            max_pool_connections=self._connections,
            proxies=get_environ_proxies(self.bucket.base),
            socket_options=_AT_ONCE,
        )

    def call(
        self,
        method: str,
        key: str | None = None,
        *,
        op: str,
        query: Headers | None = None,
        headers: Headers | None = None,
        data: bytes | bytearray = b"",
    ) -> Reply:
        """Sends one request for `key` (None: for the bucket itself) and reads the whole answer."""
        answer = self._send(method, key, op, query or {}, dict(headers or {}), data=data)
        told = {name.lower(): value for name, value in answer.headers.items()}
        promised = 0 if method == "HEAD" else told.get("content-length")
        content = self._content(answer, promised, op, key or "")
        if answer.status_code < 300:
            return Reply(answer.status_code, told, content)
        raise translate(_refusal(answer.status_code, told, content), op, key or "")

    @contextmanager
    def stream(self, key: str, *, headers: Headers) -> Iterator[tuple[Headers, Iterator[bytes]]]:
        """Sends a GET; the headers of the answer, and its content in chunks. Who leaves early ends the connection."""
        answer = self._send("GET", key, "read", {}, dict(headers))
        told = {name.lower(): value for name, value in answer.headers.items()}
        if answer.status_code >= 300:
            raise translate(
                _refusal(answer.status_code, told, self._content(answer, told.get("content-length"), "read", key)),
                "read",
                key,
            )
        try:
            yield told, _chunks(answer.raw, "read", key)
        finally:
            answer.raw.close()

    def close(self) -> None:
        """Closes the connections."""
        if "_session" in self.__dict__:
            self._session.close()

    def _send(
        self,
        method: str,
        key: str | None,
        op: str,
        query: Headers,
        headers: dict[str, str],
        *,
        data: bytes | bytearray = b"",
    ) -> Any:
        from botocore.auth import S3SigV4Auth  # noqa: PLC0415
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.exceptions import (  # noqa: PLC0415
            BotoCoreError,
            ConnectionError,  # noqa: A004
            ConnectTimeoutError,
            EndpointConnectionError,
            HTTPClientError,
            SSLError,
        )

        path = key or ""
        url = f"{self.bucket.base}/" + ("" if key is None else quote(self.root + key, safe="/~"))
        if query:
            url = f"{url}?{urlencode(query, quote_via=quote)}"
        request = AWSRequest(method=method, url=url, data=data, headers=headers)
        try:
            S3SigV4Auth(self._credentials.get_frozen_credentials(), "s3", self.bucket.region).add_auth(request)
            prepared = request.prepare()
            prepared.stream_output = True
            return _EXCHANGES[method](self._session, prepared)
        except SSLError as error:
            raise DeniedError("the TLS certificate does not hold", op=op, path=path) from error
        except (ConnectionError, HTTPClientError) as error:
            kind = UnreachableError if isinstance(error, (ConnectTimeoutError, EndpointConnectionError)) else BusyError
            message = f"no answer from {self.bucket.base}: {type(error).__name__}"
            raise kind(message, op=op, path=path, hint="is the endpoint right, and the network up?") from error
        except BotoCoreError as error:
            raise DeniedError(f"no credentials: {error}", op=op, path=path) from error

    def _content(self, answer: Any, promised: str | int | None, op: str, path: str) -> bytes:
        """All of an answer, no longer and no slower than any honest one is, and exactly as long as promised."""
        chunks, size, ends = [], 0, time.monotonic() + ANSWER_S
        for chunk in _chunks(answer.raw, op, path):
            chunks.append(chunk)
            size += len(chunk)
            if size > ANSWER_BYTES or time.monotonic() > ends:
                answer.raw.close()
                raise garbled("the answer does not end", op, path)
        if promised is not None and str(promised) != str(size):
            raise BusyError("the answer was cut off", op=op, path=path)
        return b"".join(chunks)


def _exchange(session: Any, request: Any) -> Any:
    """Sends a prepared request; the headers of its answer have arrived."""
    return session.send(request)


_EXCHANGES: Final = {
    method: io_step(f"wire.{method.lower()}")(_exchange) for method in ("DELETE", "GET", "HEAD", "POST", "PUT")
}


def _chunks(raw: Any, op: str, path: str) -> Iterator[bytes]:
    """What arrives, as it arrives: a drop at a time is seen too."""
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    try:
        while chunk := raw.read1(CHUNK_BYTES):
            yield chunk
    except (HTTPError, OSError) as error:
        raise BusyError("the answer was cut off", op=op, path=path) from error
    raw.release_conn()


def _refusal(status: int, told: Headers, content: bytes) -> Refusal:
    code = message = ""
    try:
        root = parse(content, "", "")
        code, message = text(root, "Code"), text(root, "Message")
    except StoreError:
        pass  # an answer without XML still has its status
    return Refusal(status, code, message, seconds(told.get("retry-after")), told.get("x-amz-bucket-region", ""))
