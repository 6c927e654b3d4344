"""One signed request to an S3 service, and one validated answer.

What the fast lane (obstore) cannot say goes through here: listings whose pages are checked, conditions on copy, delete
and multipart, bucket calls. Redirects are never followed, answers are bounded in size and time, and an answer that is
not the XML it should be is an error, never an empty result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
import re
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
from reconcile.stores.objects.s3_pool import make_pool
from reconcile.stores.objects.s3_sign import Request, signed
from reconcile.stores.patience import UnreachableError

ANSWER_S: Final = 300
ANSWER_BYTES: Final = 32 << 20
CHUNK_BYTES: Final = 1 << 20

Headers = Mapping[str, str]

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
    def _pool(self) -> Any:
        return make_pool(self.bucket.base, self._connections)

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
        answer = self._send(method, key, op, query or {}, headers or {}, data=data)
        told = _told(answer)
        promised = 0 if method == "HEAD" else told.get("content-length")
        content = self._content(answer, promised, op, key or "")
        if answer.status < 300:
            return Reply(answer.status, told, content)
        raise translate(_refusal(answer.status, told, content), op, key or "")

    @contextmanager
    def stream(self, key: str, *, headers: Headers) -> Iterator[tuple[Headers, Iterator[bytes]]]:
        """Sends a GET; the headers of the answer, and its content in chunks. Who leaves early ends the connection."""
        answer = self._send("GET", key, "read", {}, headers)
        told = _told(answer)
        if answer.status >= 300:
            raise translate(
                _refusal(answer.status, told, self._content(answer, told.get("content-length"), "read", key)),
                "read",
                key,
            )
        try:
            yield told, _chunks(answer, "read", key)
        finally:
            answer.close()

    def close(self) -> None:
        """Closes the connections."""
        if "_pool" in self.__dict__:
            self.__dict__.pop("_pool").close()

    def _send(
        self,
        method: str,
        key: str | None,
        op: str,
        query: Headers,
        headers: Headers,
        *,
        data: bytes | bytearray = b"",
    ) -> Any:
        from botocore import exceptions as b  # noqa: PLC0415 - who renews credentials talks to a service, too
        from urllib3 import exceptions as e  # noqa: PLC0415 - 60 ms, only for those who talk to S3

        path = key or ""
        url = f"{self.bucket.base}/" + ("" if key is None else quote(self.root + key, safe="/~"))
        if query:
            url = f"{url}?{urlencode(query, quote_via=quote)}"
        try:
            identity = self._credentials.get_frozen_credentials()
            request = signed(Request(method, url, headers, data), identity, self.bucket.region, datetime.now(UTC))
            return _EXCHANGES[method](self._pool, request)
        except (e.SSLError, b.SSLError) as error:
            raise DeniedError("the TLS certificate does not hold", op=op, path=path) from error
        except (e.HTTPError, b.HTTPClientError, b.ConnectionError, OSError, ValueError) as error:
            unheard = e.NewConnectionError, e.ConnectTimeoutError, b.EndpointConnectionError, b.ConnectTimeoutError
            kind = UnreachableError if isinstance(error, unheard) else BusyError
            message = f"no answer from {self.bucket.base}: {type(error).__name__}"
            hint = "is the endpoint right, and the network up?"
            raise kind(message, op=op, path=path, hint=hint) from error
        except b.BotoCoreError as error:
            raise DeniedError(f"no credentials: {error}", op=op, path=path) from error

    def _content(self, answer: Any, promised: str | int | None, op: str, path: str) -> bytes:
        """All of an answer, no longer and no slower than any honest one is, and exactly as long as promised."""
        chunks, size, ends = [], 0, time.monotonic() + ANSWER_S
        for chunk in _chunks(answer, op, path):
            chunks.append(chunk)
            size += len(chunk)
            if size > ANSWER_BYTES or time.monotonic() > ends:
                answer.close()
                raise garbled("the answer does not end", op, path)
        if promised is not None and str(promised) != str(size):
            raise BusyError("the answer was cut off", op=op, path=path)
        return b"".join(chunks)


def _exchange(pool: Any, request: Request) -> Any:
    """Sends a signed request; the headers of its answer have arrived. A proxy is told the whole URL, unless of TLS."""
    whole = pool.proxy is not None and request.url.startswith("http:")
    return pool.urlopen(
        request.method,
        request.url if whole else request.url[request.url.index("/", len("https://")) :],
        body=request.data or None,
        headers=request.headers,
        retries=False,
        redirect=False,
        assert_same_host=False,
        preload_content=False,
        decode_content=False,
        enforce_content_length=False,
    )


_EXCHANGES: Final = {
    method: io_step(f"wire.{method.lower()}")(_exchange) for method in ("DELETE", "GET", "HEAD", "POST", "PUT")
}


def _told(answer: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.itermerged()}


def _chunks(answer: Any, op: str, path: str) -> Iterator[bytes]:
    """What arrives, as it arrives: a drop at a time is seen too."""
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    try:
        while chunk := answer.read1(CHUNK_BYTES):
            yield chunk
    except (HTTPError, OSError) as error:
        raise BusyError("the answer was cut off", op=op, path=path) from error
    answer.release_conn()


def _refusal(status: int, told: Headers, content: bytes) -> Refusal:
    code = message = ""
    try:
        root = parse(content, "", "")
        code, message = text(root, "Code"), text(root, "Message")
    except StoreError:
        pass  # an answer without XML still has its status
    return Refusal(status, code, message, seconds(told.get("retry-after")), told.get("x-amz-bucket-region", ""))
