"""HTTP/1.1 as far as a fake service needs it: read by hand, for speed, and open to every kind of breakage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
import json
import re
import socket
from socketserver import StreamRequestHandler
from typing import IO, Any
from urllib.parse import parse_qsl, unquote

from tests.fakes.databricks.tree import CHUNK_BYTES, Content, Joined

REASONS = {status.value: status.phrase for status in HTTPStatus}


class ShortBodyError(ConnectionError):
    """The client left before it had sent its whole body."""


class Body:
    """The body of a request, as a stream that is read once."""

    _said: dict[str, Any] | None = None

    def __init__(self, source: IO[bytes], headers: dict[str, str], reply: IO[bytes] | None = None) -> None:
        self._source = source
        self._reply = reply if headers.get("expect", "").lower() == "100-continue" else None
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        self.length = None if self._chunked else int(headers.get("content-length") or 0)
        self._left = self.length or 0
        self.taken_bytes = 0
        self.ended = not self._chunked and not self._left

    def chunks(self) -> Iterator[bytes]:
        """Pieces of it. Raises ShortBodyError if the client leaves too early."""
        if self._reply is not None and not self.ended:
            self._reply.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._reply = None
        while not self.ended:
            if piece := self._next():
                self.taken_bytes += len(piece)
                yield piece

    def read(self) -> bytes:
        """All of it."""
        return b"".join(self.chunks())

    def json(self) -> dict[str, Any]:
        """All of it, as the object it spells; {} if it spells none. May be asked again."""
        if self._said is None:
            self._said = {}
            with suppress(ValueError):
                said = json.loads(self.read() or b"{}")
                self._said = said if isinstance(said, dict) else {}
        return self._said

    def _next(self) -> bytes:
        if self._chunked and not self._left:
            return self._next_chunk()
        piece = self._source.read(min(self._left, CHUNK_BYTES))
        if not piece:
            raise ShortBodyError
        self._left -= len(piece)
        if not self._left:
            if self._chunked:
                self._source.readline()
            else:
                self.ended = True
        return piece

    def _next_chunk(self) -> bytes:
        line = self._source.readline()
        if not line:
            raise ShortBodyError
        self._left = int(line.partition(b";")[0], 16)
        if not self._left:
            self.ended = True
            while self._source.readline() not in (b"\r\n", b"\n", b""):
                pass
        return b""


@dataclass(slots=True)
class Request:
    """One request. `path` is decoded, `query` flat, `headers` have lower-case names."""

    method: str
    target: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Body

    @property
    def authorized(self) -> bool:
        """Whether it carried credentials."""
        return "authorization" in self.headers


@dataclass(slots=True)
class Answer:
    """One answer. `content`: bytes, or a piece of what is stored. `cut_after`: break the connection after so many bytes
    of the body, of which the head promised all; `lost`: break it before a single byte."""

    status: int = 200
    content: bytes | Content | Joined = b""
    headers: dict[str, str] = field(default_factory=dict)
    span: tuple[int, int] | None = None
    cut_after: int | None = None
    lost: bool = False

    @property
    def length(self) -> int:
        """The size of the body in bytes."""
        if self.span is not None:
            return self.span[1] - self.span[0]
        return len(self.content) if isinstance(self.content, bytes) else self.content.size

    def chunks(self) -> Iterator[bytes]:
        """The body."""
        start, length = (self.span[0], self.length) if self.span else (0, self.length)
        if isinstance(self.content, bytes):
            yield self.content[start : start + length]
        else:
            yield from self.content.chunks(start, length)


def as_json(said: Any, status: int = 200, **headers: str) -> Answer:
    """An answer that is a JSON document."""
    return Answer(status, json.dumps(said).encode(), {"content-type": "application/json", **headers})


def form(request: Request) -> dict[str, bytes]:
    """The fields of a form that was posted as multipart/form-data."""
    boundary = request.headers["content-type"].partition("boundary=")[2].strip('"').encode()
    fields = {}
    for part in (b"\r\n" + request.body.read()).split(b"\r\n--" + boundary)[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        if named := re.search(rb'; name="([^"]*)"', head):
            fields[named[1].decode()] = data
    return fields


def http_date(seconds: float) -> str:
    """A time as HTTP writes it, in whole seconds."""
    return formatdate(seconds, usegmt=True)


def parse(source: IO[bytes], reply: IO[bytes]) -> Request | None:
    """The next request of a connection, its body not read yet; None when there is none."""
    line = source.readline(65536)
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (raw := source.readline(65536)) not in (b"\r\n", b"\n", b""):
        name, _, value = raw.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    path, _, query = target.partition("?")
    said = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
    return Request(method, target, unquote(path, errors="surrogateescape"), said, headers, Body(source, headers, reply))


class Connection(StreamRequestHandler):
    """One connection: request after request, until either side has enough. The server is an `Emulator`'s."""

    disable_nagle_algorithm = True
    wbufsize = 0
    rbufsize = 1 << 16

    def setup(self) -> None:
        """Begins."""
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        """Ends."""
        self.server.connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        """Serves."""
        with suppress(ConnectionError, TimeoutError, ValueError, OSError):
            while (request := parse(self.rfile, self.wfile)) is not None:
                answer = self.server.answer(request)
                if not self._reply(request, answer) or request.headers.get("connection", "").lower() == "close":
                    break

    def _reply(self, request: Request, answer: Answer) -> bool:
        """Sends the answer; False if nothing may follow on this connection."""
        if answer.lost:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            return False
        whole = request.body.ended
        self.wfile.write(self._head(answer, self.server.date(), keep=whole) + self._small(request, answer))
        if request.method != "HEAD" and not self._sent_at_once(answer):
            left = answer.length if answer.cut_after is None else answer.cut_after
            for chunk in answer.chunks():
                self.wfile.write(chunk[:left])
                left -= len(chunk[:left])
        return whole and answer.cut_after is None

    @staticmethod
    def _sent_at_once(answer: Answer) -> bool:
        return isinstance(answer.content, bytes) and answer.span is None

    def _small(self, request: Request, answer: Answer) -> bytes:
        if request.method == "HEAD" or not self._sent_at_once(answer):
            return b""
        assert isinstance(answer.content, bytes)
        return answer.content[: answer.cut_after]

    @staticmethod
    def _head(answer: Answer, date: str, *, keep: bool) -> bytes:
        lines = [f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, '')}", f"date: {date}"]
        if answer.status not in (204, 304) and "content-length" not in answer.headers:
            lines.append(f"content-length: {answer.length}")
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        if not keep:
            lines.append("connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
