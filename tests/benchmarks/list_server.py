"""An S3 server that only ever lists: a million objects nobody had to upload, in true byte order, at a chosen latency.

Its objects are those of a tree of `trees.py`: same names, same bytes, so their ETags are the MD5s of files that lie on
the disk, and whoever compares ETags finds all of them equal. Every listing entry is rendered once, into one blob; a
page is a slice of it, so that the server costs the measured clients next to nothing.

It answers ListObjectsV2 (prefix, delimiter, start-after, continuation-token, max-keys), HeadObject and GetObject, and
keeps the few small objects a client may put beside the tree (unlisted; If-None-Match and If-Match are honoured).
"""

from __future__ import annotations

import argparse
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import time
from urllib.parse import parse_qs, unquote, urlsplit

from tests.benchmarks import trees

LAST = "\U0010ffff"
"""Sorts after every character of a key."""

MODIFIED = "2024-06-01T00:00:00.000Z"
MODIFIED_HTTP = "Sat, 01 Jun 2024 00:00:00 GMT"
XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True)
class Page:
    """What one ListObjectsV2 request gets: common prefixes, slices of the blob, and where to go on."""

    prefixes: list[str]
    spans: list[tuple[int, int]]
    count: int
    token: str


class Listing:
    """All keys of the bucket, and their rendered entries."""

    def __init__(self, count: int, *, prefix: str = "", per_directory: int = trees.PER_DIRECTORY) -> None:
        self.prefix = prefix
        self.keys = [prefix + name for name in trees.names(count, per_directory)]
        self.ends = array("Q", [0])
        self.blob = bytearray()
        for key in self.keys:
            self.blob += self._entry(key)
            self.ends.append(len(self.blob))

    def content(self, key: str) -> bytes | None:
        """The bytes of an object of the tree, None for any other key."""
        at = bisect_left(self.keys, key)
        found = at < len(self.keys) and self.keys[at] == key
        return trees.content(key.removeprefix(self.prefix)) if found else None

    def _entry(self, key: str) -> bytes:
        data = trees.content(key.removeprefix(self.prefix))
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return (
            f"<Contents><Key>{key}</Key><LastModified>{MODIFIED}</LastModified><ETag>&quot;{etag}&quot;</ETag>"
            f"<Size>{len(data)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        ).encode()

    def page(self, *, prefix: str, after: str, delimiter: str, max_keys: int) -> Page:
        """The next `max_keys` entries (objects and common prefixes together) after a key."""
        at = max(bisect_left(self.keys, prefix), bisect_right(self.keys, after))
        end = bisect_left(self.keys, prefix + LAST)
        if not delimiter:
            stop = min(at + max_keys, end)
            token = self.keys[stop - 1] if at < stop < end else ""
            return Page([], [(at, stop)], stop - at, token)
        return self._folded(at, end, prefix=prefix, delimiter=delimiter, max_keys=max_keys)

    def _folded(self, at: int, end: int, *, prefix: str, delimiter: str, max_keys: int) -> Page:
        prefixes: list[str] = []
        spans: list[tuple[int, int]] = []
        last = ""
        while at < end and len(prefixes) + len(spans) < max_keys:
            rest = self.keys[at][len(prefix) :]
            head, folds, _ = rest.partition(delimiter)
            if folds:
                prefixes.append(prefix + head + delimiter)
                last = prefixes[-1] + LAST
                at = bisect_left(self.keys, last, at)
            else:
                spans.append((at, at + 1))
                last = self.keys[at]
                at += 1
        return Page(prefixes, spans, len(prefixes) + len(spans), last if at < end else "")

    def render(self, page: Page) -> bytes:
        """The entries of a page, as they stand in the blob."""
        return b"".join(self.blob[self.ends[start] : self.ends[stop]] for start, stop in page.spans)


class Server(ThreadingHTTPServer):
    """The server: one bucket of any name, every request `delay_s` late."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, listing: Listing, *, delay_s: float) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.listing = listing
        self.delay_s = delay_s
        self.beside: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        """An object of the tree or one put beside it."""
        data = self.beside.get(key)
        return self.listing.content(key) if data is None else data


class Handler(BaseHTTPRequestHandler):
    """Speaks as much S3 as a client needs to look at a bucket."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle_one_request(self) -> None:
        """As always; a client that hangs up is no event."""
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def do_GET(self) -> None:
        """A listing, an object, or the place of the bucket."""
        key, query = self._asked()
        if key:
            self._object(key)
        elif "location" in query:
            self._send(200, f"{XML}<LocationConstraint/>".encode())
        elif "versioning" in query:
            self._send(200, f"{XML}<VersioningConfiguration/>".encode())
        else:
            self._list(query)

    def do_HEAD(self) -> None:
        """An object's headers; a bucket is always there."""
        key, _ = self._asked()
        if key:
            self._object(key)
        else:
            self._send(200, b"")

    def do_PUT(self) -> None:
        """Keeps a small object beside the tree, under its conditions."""
        key, _ = self._asked()
        data = self._body()
        if not self._may_write(key):
            self._error(412, "PreconditionFailed")
        else:
            self.server.beside[key] = data
            self._send(200, b"", {"ETag": _etag(data)})

    def do_DELETE(self) -> None:
        """Drops an object that was put beside the tree."""
        key, _ = self._asked()
        if not self._may_write(key):
            self._error(412, "PreconditionFailed")
        else:
            self.server.beside.pop(key, None)
            self._send(204, b"")

    def _asked(self) -> tuple[str, dict[str, list[str]]]:
        time.sleep(self.server.delay_s)
        parts = urlsplit(self.path)
        _, _, key = unquote(parts.path).lstrip("/").partition("/")
        return key, parse_qs(parts.query, keep_blank_values=True)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _may_write(self, key: str) -> bool:
        old = self.server.get(key)
        wanted = self.headers.get("If-Match")
        if self.headers.get("If-None-Match") == "*" and old is not None:
            return False
        return wanted is None or (old is not None and wanted.strip('"') == _etag(old).strip('"'))

    def _object(self, key: str) -> None:
        data = self.server.get(key)
        if data is None:
            self._error(404, "NoSuchKey")
        else:
            headers = {"ETag": _etag(data), "Last-Modified": MODIFIED_HTTP, "x-amz-meta-mtime": str(trees.WRITTEN)}
            self._send(200, data, headers)

    def _list(self, query: dict[str, list[str]]) -> None:
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        after = query.get("continuation-token", query.get("start-after", [""]))[0]
        max_keys = min(int(query.get("max-keys", ["1000"])[0]), 1000)
        page = self.server.listing.page(prefix=prefix, after=after, delimiter=delimiter, max_keys=max_keys)
        head = (
            f'{XML}<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bench</Name>'
            f"<Prefix>{prefix}</Prefix><KeyCount>{page.count}</KeyCount><MaxKeys>{max_keys}</MaxKeys>"
            f"<IsTruncated>{str(bool(page.token)).lower()}</IsTruncated>"
        )
        if page.token:
            head += f"<NextContinuationToken>{page.token}</NextContinuationToken>"
        folds = "".join(f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in page.prefixes)
        self._send(200, head.encode() + self.server.listing.render(page) + folds.encode() + b"</ListBucketResult>")

    def _error(self, status: int, code: str) -> None:
        self._send(status, f"{XML}<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/xml", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing: it is timed."""


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def main() -> None:
    """Serves until killed; says `ready` when it does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--prefix", default="tree/")
    parser.add_argument("--delay-ms", type=float, default=30.0)
    asked = parser.parse_args()
    with Server(asked.port, Listing(asked.count, prefix=asked.prefix), delay_s=asked.delay_ms / 1000) as server:
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
