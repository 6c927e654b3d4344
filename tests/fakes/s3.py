"""A small S3 in this process that breaks exactly when and how it is told to.

::

    with FakeS3() as s3:
        fault = s3.fault("put", lose_after())       # the first PUT is done, its answer never arrives
        ...
        assert fault.fired == 1

One bucket, named `bucket`. `objects` may be filled and read by the test; `log` holds every request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from hashlib import md5
from itertools import count
import re
from socketserver import StreamRequestHandler
import threading
from typing import Any, ClassVar, Self
from urllib.parse import quote_plus, unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from reconcile.stores.options import StoreOptions
from tests.fakes.databricks.wire import REASONS, parse
from tests.fakes.databricks.wire import Request as Asked
from tests.fakes.listening import Listening
from tests.fakes.s3_faults import Act, Answer, Fault, Lost, Request, error

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def etag_of(data: bytes) -> str:
    """The ETag of an object that was sent whole."""
    return f'"{md5(data).hexdigest()}"'


@dataclass(frozen=True)
class Stored:
    """One object."""

    data: bytes
    etag: str
    headers: dict[str, str] = field(default_factory=dict)
    modified: float = 1_700_000_000.0


Upload = tuple[str, dict[str, str], dict[int, Stored]]
"""A key, the headers it will be kept with, and the parts so far, by number."""


class FakeS3:
    """The server. `page` keys are listed at once; `conditions` False ignores what requests expect, `lenient` ops do."""

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, Upload] = {}
        self.log: list[Request] = []
        self.page = 1000
        self.conditions = True
        self.lenient: Collection[str] = ()
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self._numbers = count(1)
        self._server = Listening(0, type("Connection", (_Connection,), {"s3": self}))

    def __enter__(self) -> Self:
        self._server.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.end()

    @property
    def endpoint(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def options(self, **extra: Any) -> StoreOptions:
        """Options that reach it."""
        keys = {"access_key_id": "fake", "secret_access_key": "fake"}
        return StoreOptions(endpoint=self.endpoint, region="us-east-1", concurrency=4, extra=keys | extra)

    def fault(self, op: str, act: Act, **how: Any) -> Fault:
        """Plans a fault; `how` as `Fault` has it."""
        fault = Fault(op, act, **how)
        self._faults.append(fault)
        return fault

    def heal(self) -> None:
        """All faults are over."""
        self._faults.clear()

    def put(self, key: str, data: bytes = b"1", **headers: str) -> Stored:
        """Puts an object there behind everyone's back."""
        self.objects[key] = Stored(data, etag_of(data), headers)
        return self.objects[key]

    def bucket(self) -> str:
        """The only one."""
        return "bucket"

    def ops(self, *which: str) -> list[Request]:
        """The requests of these ops, in turn."""
        return [request for request in self.log if request.op in which]

    def struck(self, request: Request) -> Fault | None:
        """The fault that is planned for a request, of which no body is known yet."""
        with self._lock:
            return next((fault for fault in self._faults if fault.strikes(request)), None)

    def serve(self, request: Request, fault: Fault | None) -> Answer:
        """Answers one request."""
        with self._lock:
            self.log.append(request)
        return fault.act(request, self._work) if fault else self._work(request)

    def _work(self, request: Request) -> Answer:
        with self._lock:
            return getattr(self, f"_{request.op}")(request)

    # --- looking

    def _list(self, request: Request) -> Answer:
        query = request.query
        after = query.get("continuation-token") or query.get("start-after", "")
        keys = sorted(key for key in self.objects if key.startswith(query.get("prefix", "")) and key > after)
        shown, more = keys[: self.page], len(keys) > self.page
        contents = "".join(_contents(key, self.objects[key]) for key in shown)
        token = f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if more else ""
        return _xml("ListBucketResult", f"<EncodingType>url</EncodingType>{_truncated(more)}{token}{contents}")

    def _head(self, request: Request) -> Answer:
        if request.key is None:
            return Answer()
        found = self.objects.get(request.key)
        return Answer(200, found.data, _headers_of(found)) if found else Answer(404)

    def _get(self, request: Request) -> Answer:
        found = self.objects.get(request.key)
        if not found:
            return error(404, "NoSuchKey")
        if self._compares(request) and request.headers.get("if-match") not in (None, found.etag):
            return error(412, "PreconditionFailed")
        span = re.match(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
        if not span:
            return Answer(200, found.data, _headers_of(found))
        start, end = int(span[1]), min(int(span[2]) + 1, len(found.data))
        where = {"Content-Range": f"bytes {start}-{end - 1}/{len(found.data)}"}
        return Answer(206, found.data[start:end], _headers_of(found) | where)

    # --- changing

    def _compares(self, request: Request) -> bool:
        return self.conditions and request.op not in self.lenient

    def _broken(self, request: Request) -> Answer | None:
        """The refusal, when what a request expects does not hold."""
        if not self._compares(request):
            return None
        found = self.objects.get(request.key)
        wanted = request.headers.get("if-match")
        if request.headers.get("if-none-match") == "*" and found:
            return error(412, "PreconditionFailed")
        if wanted and not found:
            return error(404, "NoSuchKey")
        return error(412, "PreconditionFailed") if wanted and wanted != found.etag else None

    def _store(self, request: Request, stored: Stored) -> Answer | None:
        broken = self._broken(request)
        if broken is None:
            self.objects[request.key] = stored
        return broken

    def _put(self, request: Request) -> Answer:
        stored = Stored(request.body, etag_of(request.body), _kept(request))
        return self._store(request, stored) or Answer(200, b"", {"ETag": stored.etag})

    def _copy(self, request: Request) -> Answer:
        found = self.objects.get(unquote(request.headers["x-amz-copy-source"]).partition("/")[2])
        if not found:
            return error(404, "NoSuchKey")
        wanted = request.headers.get("x-amz-copy-source-if-match")
        if self._compares(request) and wanted not in (None, found.etag):
            return error(412, "PreconditionFailed")
        return self._store(request, found) or _xml("CopyObjectResult", f"<ETag>{escape(found.etag)}</ETag>")

    def _delete(self, request: Request) -> Answer:
        if broken := self._broken(request):
            return broken
        self.objects.pop(request.key, None)
        return Answer(204)

    def _bulk(self, request: Request) -> Answer:
        told = []
        for item in ET.fromstring(request.body).iterfind("Object"):
            key, etag = item.findtext("Key"), item.findtext("ETag")
            found = self.objects.get(key)
            if self._compares(request) and found and etag not in (None, found.etag):
                told.append(f"<Error><Key>{escape(key)}</Key><Code>PreconditionFailed</Code></Error>")
            else:
                self.objects.pop(key, None)
                told.append(f"<Deleted><Key>{escape(key)}</Key></Deleted>")
        return _xml("DeleteResult", "".join(told))

    # --- parts

    def _begin(self, request: Request) -> Answer:
        name = f"upload-{next(self._numbers)}"
        self.uploads[name] = (request.key, _kept(request), {})
        return _xml("InitiateMultipartUploadResult", f"<UploadId>{name}</UploadId>")

    def _part(self, request: Request) -> Answer:
        if request.query["uploadId"] not in self.uploads:
            return error(404, "NoSuchUpload")
        copied = "x-amz-copy-source" in request.headers
        data = self._part_of(request) if copied else request.body
        if data is None:
            return error(412, "PreconditionFailed")
        part = Stored(data, etag_of(data))
        self.uploads[request.query["uploadId"]][2][int(request.query["partNumber"])] = part
        told = _xml("CopyPartResult", f"<ETag>{escape(part.etag)}</ETag>") if copied else Answer()
        return Answer(200, told.body, {"ETag": part.etag})

    def _part_of(self, request: Request) -> bytes | None:
        """What a part takes from another object; None when that is not as expected."""
        found = self.objects.get(unquote(request.headers["x-amz-copy-source"]).partition("/")[2])
        if not found or (self._compares(request) and request.headers["x-amz-copy-source-if-match"] != found.etag):
            return None
        start, end = re.match(r"bytes=(\d+)-(\d+)", request.headers["x-amz-copy-source-range"]).groups()
        return found.data[int(start) : int(end) + 1]

    def _complete(self, request: Request) -> Answer:
        if request.query["uploadId"] not in self.uploads:
            return error(404, "NoSuchUpload")
        _, kept, parts = self.uploads[request.query["uploadId"]]
        ordered = [parts[number] for number in sorted(parts)]
        joined = md5(b"".join(md5(part.data).digest() for part in ordered)).hexdigest()
        stored = Stored(b"".join(part.data for part in ordered), f'"{joined}-{len(ordered)}"', kept)
        if broken := self._store(request, stored):
            return broken
        del self.uploads[request.query["uploadId"]]
        return _xml("CompleteMultipartUploadResult", f"<ETag>{escape(stored.etag)}</ETag>")

    def _uploads(self, request: Request) -> Answer:
        query, found = request.query, sorted((key, name) for name, (key, _, _) in self.uploads.items())
        after = query.get("key-marker", ""), query.get("upload-id-marker", "")
        wanted = [one for one in found if one[0].startswith(query["prefix"]) and one > after]
        more = len(wanted) > self.page
        told = "".join(
            f"<Upload><Key>{quote_plus(key, safe='/')}</Key><UploadId>{name}</UploadId>"
            "<Initiated>2024-01-01T00:00:00.000Z</Initiated></Upload>"
            for key, name in wanted[: self.page]
        )
        key, name = map(escape, wanted[self.page - 1] if more else ("", ""))
        marker = (
            f"<NextKeyMarker>{quote_plus(key, safe='/')}</NextKeyMarker><NextUploadIdMarker>{name}</NextUploadIdMarker>"
        )
        return _xml("ListMultipartUploadsResult", f"<EncodingType>url</EncodingType>{_truncated(more)}{marker}{told}")

    def _abort(self, request: Request) -> Answer:
        return Answer(204) if self.uploads.pop(request.query["uploadId"], None) else error(404, "NoSuchUpload")


def _contents(key: str, stored: Stored) -> str:
    told = f"<Key>{quote_plus(key, safe='/')}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
    return f"<Contents>{told}<ETag>{escape(stored.etag)}</ETag><Size>{len(stored.data)}</Size></Contents>"


def _truncated(more: bool) -> str:
    return f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>"


def _xml(root: str, inner: str) -> Answer:
    return Answer(200, f"<{root} {NAMESPACE}>{inner}</{root}>".encode(), {"Content-Type": "application/xml"})


def _kept(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name.startswith("x-amz-meta-")}


def _headers_of(stored: Stored) -> dict[str, str]:
    return {**stored.headers, "ETag": stored.etag, "Last-Modified": formatdate(stored.modified, usegmt=True)}


_OPS: dict[str, Callable[[dict[str, str], dict[str, str]], str]] = {
    "GET": lambda query, headers: "list" if "list-type" in query else "uploads" if "uploads" in query else "get",
    "HEAD": lambda query, headers: "head",
    "PUT": lambda query, headers: (
        "part" if "uploadId" in query else "copy" if "x-amz-copy-source" in headers else "put"
    ),
    "POST": lambda query, headers: "begin" if "uploads" in query else "bulk" if "delete" in query else "complete",
    "DELETE": lambda query, headers: "abort" if "uploadId" in query else "delete",
}


class _Connection(StreamRequestHandler):
    """One connection: request after request, until either side has enough."""

    disable_nagle_algorithm = True
    rbufsize = 1 << 16
    s3: ClassVar[FakeS3]

    def handle(self) -> None:
        """Serves; a client that goes away in the middle is no event, and one that is lost sees the connection end."""
        with suppress(ConnectionError, Lost):
            while (asked := parse(self.rfile, self.wfile)) is not None and self._exchange(asked):
                pass

    def finish(self) -> None:
        """Ends."""
        with suppress(OSError):
            super().finish()

    def _exchange(self, asked: Asked) -> bool:
        """Answers; False if nothing may follow on this connection."""
        key = asked.path.removeprefix("/bucket").removeprefix("/") or None
        op = _OPS[asked.method](asked.query, asked.headers)
        request = Request(op, asked.method, key, asked.query, asked.headers, b"")
        fault = self.s3.struck(request)
        told = self.s3.serve(replace(request, body=self._body(asked, fault)), fault)
        self.wfile.write(_head(told) + (told.body[: told.cut] if asked.method != "HEAD" else b""))
        return told.cut is None and asked.headers.get("connection") != "close"

    def _body(self, asked: Asked, fault: Fault | None) -> bytes:
        """What a client sends, or as much of it as a fault lets us read."""
        if fault is None or fault.reads is None:
            return asked.body.read()
        self.rfile.read(min(fault.reads, asked.body.length or 0))
        raise Lost  # one of the two went away in the middle: nothing is done


def _head(told: Answer) -> bytes:
    headers = {"Content-Length": str(len(told.body)), **told.headers}
    lines = [
        f"HTTP/1.1 {told.status} {REASONS.get(told.status, '')}",
        *(f"{name}: {headers[name]}" for name in headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
