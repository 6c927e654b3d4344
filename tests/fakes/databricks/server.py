"""Which request goes to which service, who may ask, what is logged and what goes wrong on the way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
import socket
import time
from typing import TYPE_CHECKING

from tests.fakes.databricks.errors import RefusedError
from tests.fakes.databricks.faults import busy
from tests.fakes.databricks.files import DIRECTORIES, FILES
from tests.fakes.databricks.log import Seen
from tests.fakes.databricks.uploads import STORAGE
from tests.fakes.databricks.wire import Answer, Connection, Request, ShortBodyError, http_date
from tests.fakes.databricks.workspace import IMPORT_FILE
from tests.fakes.listening import Listening

if TYPE_CHECKING:
    from tests.fakes.databricks import Emulator

Route = Callable[[Request], Answer]

CATALOG = "/api/2.1/unity-catalog/"
KINDS = {"catalogs": "catalog", "schemas": "schema", "volumes": "volume"}
DRAINED_BYTES = 1 << 24
"""So much of a body that nobody wanted is read all the same, so that the connection can go on."""


class Server(Listening):
    """The service of an emulator."""

    def __init__(self, emulator: Emulator, port: int = 0) -> None:
        super().__init__(port, Connection)
        self.connections: set[socket.socket] = set()
        self._emulator = emulator
        self._second, self._in_second = 0, 0
        self._dated = 0, ""
        self._open, self._routes = _open_routes(emulator), _routes(emulator)

    def answer(self, request: Request) -> Answer:
        """The answer to one request."""
        emulator = self._emulator
        seen = Seen(request.method, request.path, request.query, request.authorized, time.monotonic())
        emulator.log.began(seen)
        status, sent = 0, 0
        try:
            if emulator.latency_s:
                time.sleep(emulator.latency_s)
            fault = emulator.faults.struck(request)
            seen.fault = fault is not None
            answer = fault.act(request, self._work) if fault else self._work(request)
            self._drain(request, answer)
            if not answer.lost:
                status, sent = answer.status, answer.length if answer.cut_after is None else answer.cut_after
            return answer
        finally:
            seen.bytes_in = request.body.taken_bytes
            emulator.log.ended(seen, status, 0 if request.method == "HEAD" else sent)

    def cut(self) -> None:
        """Breaks every connection."""
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def date(self) -> str:
        """What every answer tells as its date, by the emulator's clock."""
        now, dated = int(self._emulator.clock()), self._dated
        if dated[0] != now or not dated[1]:
            dated = self._dated = now, http_date(now)
        return dated[1]

    def _throttled(self) -> bool:
        """Whether this request is one too many in this second."""
        most, second = self._emulator.limits.requests_a_second, int(time.monotonic())
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        return most is not None and self._in_second > most

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that breaks is no news here."""

    def _work(self, request: Request) -> Answer:
        answer = self._routed(request)
        if self._emulator.after is not None:
            self._emulator.after(request, answer)
        return answer

    def _routed(self, request: Request) -> Answer:
        if self._throttled():
            return busy(retry_after=self._emulator.limits.retry_after)(request, self._routed)
        try:
            route = self._open.get((request.method, request.path))
            if route is None and request.path.startswith(STORAGE):
                route = self._emulator.uploads.serve
            if route is None:
                refusal = self._emulator.identity.refusal(request)
                if refusal is not None:
                    return refusal
                route = self._routes.get((request.method, request.path)) or self._by_path(request)
            return route(request)
        except RefusedError as refused:
            return refused.answer()
        except ShortBodyError:
            return Answer(lost=True)

    def _by_path(self, request: Request) -> Route:
        path, files = request.path, self._emulator.files
        if path.startswith(FILES + "/"):
            about = path.removeprefix(FILES)
            acts = {"PUT": files.put, "GET": files.get, "HEAD": files.head, "DELETE": files.delete,
                    "POST": self._emulator.uploads.act}  # fmt: skip
        elif path.startswith(DIRECTORIES + "/"):
            about = path.removeprefix(DIRECTORIES)
            acts = {"PUT": files.put_directory, "GET": files.list, "HEAD": files.head_directory,
                    "DELETE": files.delete_directory}  # fmt: skip
        elif path.startswith(IMPORT_FILE) and request.method == "POST":
            return self._emulator.workspace.import_file
        elif path.startswith(CATALOG):
            kind, _, name = path.removeprefix(CATALOG).partition("/")
            return lambda asked: self._emulator.catalog.serve(asked, KINDS.get(kind, ""), name)
        else:
            acts = {}
        if request.method not in acts:
            raise RefusedError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {path}'")
        return lambda asked: acts[asked.method](asked, about)

    @staticmethod
    def _drain(request: Request, answer: Answer) -> None:
        if answer.lost or request.body.ended or (request.body.length or 0) > DRAINED_BYTES:
            return
        with suppress(ShortBodyError):
            for _ in request.body.chunks():
                if request.body.taken_bytes > DRAINED_BYTES:
                    break


def _open_routes(emulator: Emulator) -> dict[tuple[str, str], Route]:
    """What may be asked without a token."""
    identity = emulator.identity
    return {
        ("GET", "/.well-known/databricks-config"): identity.config,
        ("GET", "/oidc/.well-known/oauth-authorization-server"): identity.endpoints,
        ("POST", "/oidc/v1/token"): identity.make_token,
    }


def _routes(emulator: Emulator) -> dict[tuple[str, str], Route]:
    dbfs, workspace, uploads = emulator.dbfs, emulator.workspace, emulator.uploads
    return {
        ("GET", "/api/2.0/preview/scim/v2/Me"): emulator.identity.me,
        ("POST", "/api/2.0/dbfs/create"): dbfs.create,
        ("POST", "/api/2.0/dbfs/add-block"): dbfs.add_block,
        ("POST", "/api/2.0/dbfs/close"): dbfs.close,
        ("POST", "/api/2.0/dbfs/put"): dbfs.put,
        ("GET", "/api/2.0/dbfs/get-status"): dbfs.get_status,
        ("GET", "/api/2.0/dbfs/list"): dbfs.list,
        ("GET", "/api/2.0/dbfs/read"): dbfs.read,
        ("POST", "/api/2.0/dbfs/move"): dbfs.move,
        ("POST", "/api/2.0/dbfs/mkdirs"): dbfs.mkdirs,
        ("POST", "/api/2.0/dbfs/delete"): dbfs.delete,
        ("POST", "/api/2.0/fs/create-upload-part-urls"): uploads.part_urls,
        ("POST", "/api/2.0/fs/create-abort-upload-url"): uploads.abort_url,
        ("POST", "/api/2.0/fs/create-download-url"): uploads.download_url,
        ("POST", "/api/2.0/workspace/import"): workspace.import_,
        ("GET", "/api/2.0/workspace/export"): workspace.export,
        ("GET", "/api/2.0/workspace/get-status"): workspace.get_status,
        ("GET", "/api/2.0/workspace/list"): workspace.list,
        ("POST", "/api/2.0/workspace/mkdirs"): workspace.mkdirs,
        ("POST", "/api/2.0/workspace/delete"): workspace.delete,
    }
