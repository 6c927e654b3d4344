"""One Databricks workspace, asked over HTTP.

Configuration and credentials are the SDK's (`identity`). The requests are our own: the SDK's helpers publish
half files, hold whole ones in memory, and try again by themselves what must be looked at first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import cached_property
import json
import time
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from msgspec import Struct

from reconcile.core.errors import BusyError, DeniedError, RefusedError
from reconcile.ports import io_step
from reconcile.stores.answers import garbled
from reconcile.stores.databricks.errors import UntakenError, refusal, translate
from reconcile.stores.databricks.identity import Identity
from reconcile.stores.databricks.pool import make_pool, unreachable
from reconcile.stores.options import StoreOptions

ANSWER_S: Final = 300
ANSWER_BYTES: Final = 64 << 20
"""A directory of DBFS is one answer, whatever it holds."""

CHUNK_BYTES: Final = 1 << 20

Headers = Mapping[str, str]
Content = bytes | bytearray | Iterable[bytes]


class Reply(Struct, frozen=True):
    """A successful answer; `headers` by lower-case name. `began_s` and `ended_s`: the server's time (Unix) around it.

    A server that tells no time leaves both 0.
    """

    status: int
    headers: Headers
    data: bytes = b""
    began_s: int = 0
    ended_s: int = 0

    def object(self, op: str, path: str) -> dict[str, Any]:
        """The JSON object that the answer is. An empty directory is `{}`; no answer at all, or an error, is not."""
        try:
            said = json.loads(self.data)
        except ValueError as error:
            raise garbled("the answer is no JSON", op, path) from error
        if not isinstance(said, dict) or "error_code" in said:
            raise garbled("the answer is none of what was asked", op, path)
        return said


class Client:
    """Requests to one workspace; thread-safe. So many `connections` are kept open as calls may be under way."""

    def __init__(self, url: str, options: StoreOptions) -> None:
        self._identity = Identity(url, options)
        self._connections = options.concurrency
        self.now_s = 0

    @cached_property
    def base(self) -> str:
        """The address of the workspace, without a slash at its end."""
        host = str(self._identity.config.host or "").rstrip("/")
        if not host:
            raise self._identity.unknown("no host is known")
        return host

    @cached_property
    def _pool(self) -> Any:
        return make_pool(self.base, self._connections, verify=not self._identity.config.skip_verify)

    def call(
        self,
        method: str,
        path: str,
        *,
        op: str,
        key: str = "",
        query: Headers | None = None,
        said: Any = None,
        content: Content = b"",
        headers: Headers | None = None,
    ) -> Reply:
        """One request to the API: `said` as JSON, or `content` as it is (an iterable needs its Content-Length).

        `key` is told in errors. Credentials that are refused are found anew, once, and the request is sent again; a
        body that was used up is for the caller's caller to open again (`BusyError`).
        """
        if said is not None:
            content, headers = json.dumps(said).encode(), {"Content-Type": "application/json"}
        url = self.base + path + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        while True:
            renewed, who = self._identity.headers()
            reply, problem = self._exchange(method, url, (op, key), {**(headers or {}), **who}, content)
            if problem is None:
                if method != "GET" and reply.data:
                    reply.object(op, key)  # a proxy's page says nothing of what was done
                self._identity.accepted(renewed)
                return reply
            if not problem.is_unknown_user:
                raise translate(problem, op, key, f"{method} {'/'.join(path.split('/')[:5])}")
            self._identity.renew(renewed, problem.message or "the token has expired")
            if not isinstance(content, bytes | bytearray):
                raise BusyError("the token was renewed", op=op, path=key)

    def elsewhere(self, method: str, url: str, *, op: str, key: str, headers: Headers, content: Content = b"") -> Reply:
        """One request to a URL that the workspace signed: who asks is in it, and is told to nobody a second time."""
        if urlsplit(url).scheme not in ("https", urlsplit(self.base).scheme):
            raise RefusedError("the workspace signed a URL that is not safe", op=op, path=key)
        reply, problem = self._exchange(method, url, (op, key), headers, content)
        if problem is not None:
            if problem.status in (400, 403):
                raise UntakenError("the signed URL is not taken", op=op, path=key)
            raise translate(problem, op, key)
        if reply.data:  # storage that took something says nothing
            raise garbled("the answer is none of a storage", op, key)
        return reply

    def stream(self, path: str, *, key: str, headers: Headers) -> tuple[Reply, Iterator[bytes]]:
        """Sends a GET; the head of the answer, and its content in chunks."""
        while True:
            renewed, who = self._identity.headers()
            answer = self._send("GET", self.base + path, ("read", key), {**headers, **who}, b"")
            told = _told(answer)
            if answer.status < 300:
                self._identity.accepted(renewed)
                return Reply(answer.status, told), _chunks(answer, "read", key)
            problem = refusal(answer.status, told, self._identity.scrubbed(self._content(answer, "read", key)))
            if not problem.is_unknown_user:
                raise translate(problem, "read", key)
            self._identity.renew(renewed, problem.message)

    def close(self) -> None:
        """Closes the connections."""
        if "_pool" in self.__dict__:
            self._pool.clear()

    def _exchange(
        self, method: str, url: str, where: tuple[str, str], headers: Headers, content: Content
    ) -> tuple[Reply, Any]:
        """A request and its whole answer: the reply, and what it refuses, if it does."""
        began = time.monotonic()
        answer = self._send(method, url, where, headers, content)
        told, data = _told(answer), self._content(answer, *where)
        if answer.status >= 300:
            refused = refusal(answer.status, told, self._identity.scrubbed(data), head=method == "HEAD")
            return Reply(answer.status, told), refused
        ended_s = _seconds(told.get("date", ""))
        self.now_s = max(self.now_s, ended_s)
        began_s = ended_s - int(time.monotonic() - began) - 1 if ended_s else 0
        return Reply(answer.status, told, data, began_s, ended_s), None

    def _send(self, method: str, url: str, where: tuple[str, str], headers: Headers, content: Content) -> Any:
        from urllib3 import exceptions as e  # noqa: PLC0415 - only for those who talk to Databricks

        op, key = where
        try:
            return _EXCHANGES[method](self._pool, method, url, dict(headers), content or None)
        except e.SSLError as error:
            raise DeniedError("the TLS certificate does not hold", op=op, path=key) from error
        except (e.HTTPError, OSError) as error:
            if isinstance(error, (e.NewConnectionError, e.ConnectTimeoutError)):
                raise unreachable(url, error, op, key) from error
            message = f"no answer from {urlsplit(url).netloc}: {type(error).__name__}"
            raise BusyError(message, op=op, path=key, hint="is the network up?") from error

    def _content(self, answer: Any, op: str, key: str) -> bytes:
        """All of an answer, no longer and no slower than any honest one is."""
        chunks, size, ends = [], 0, time.monotonic() + ANSWER_S
        for chunk in _chunks(answer, op, key):
            chunks.append(chunk)
            size += len(chunk)
            if size > ANSWER_BYTES or time.monotonic() > ends:
                answer.close()
                raise garbled("the answer does not end", op, key)
        return b"".join(chunks)


def _exchange(pool: Any, method: str, url: str, headers: dict[str, str], content: Any) -> Any:
    """Sends a request; the headers of its answer have arrived. Nothing is tried again, no redirect followed."""
    return pool.urlopen(
        method, url, body=content, headers=headers, retries=False, redirect=False, preload_content=False
    )


_EXCHANGES: Final[dict[str, Callable[..., Any]]] = {
    method: io_step(f"databricks.{method.lower()}")(_exchange) for method in ("DELETE", "GET", "HEAD", "POST", "PUT")
}


def _told(answer: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def _chunks(answer: Any, op: str, key: str) -> Iterator[bytes]:
    """What arrives, as it arrives; an answer that is shorter than it said is cut off."""
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    try:
        while chunk := answer.read1(CHUNK_BYTES):
            yield chunk
        answer.read()  # where the answer ends too early, only this says so
    except (HTTPError, OSError) as error:
        raise BusyError("the answer was cut off", op=op, path=key) from error
    answer.release_conn()


def _seconds(date: str) -> int:
    """A time of HTTP as Unix seconds, 0 where there is none."""
    try:
        return int(parsedate_to_datetime(date).timestamp()) if date else 0
    except ValueError:
        return 0
