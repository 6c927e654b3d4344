"""Uploads in parts and downloads through presigned URLs: the cloud storage behind volumes, which knows no tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import md5
from secrets import token_urlsafe
import threading
import time
from typing import Any
from urllib.parse import quote, urlencode

from tests.fakes.databricks.errors import RefusedError, invalid
from tests.fakes.databricks.files import Files
from tests.fakes.databricks.limits import Habits, Limits
from tests.fakes.databricks.tree import Content, File, Joined, Parts, Tree
from tests.fakes.databricks.wire import Answer, Request, as_json

STORAGE = "/presigned/"


def storage_error(status: int, code: str, message: str) -> Answer:
    """An error as S3 spells one."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, body.encode(), {"content-type": "application/xml"})


@dataclass
class Session:
    """One upload that is under way."""

    path: str
    tree: Tree
    parts: Parts
    overwrite: bool
    pieces: dict[int, tuple[str, Content]] = field(default_factory=dict)


@dataclass
class _Url:
    act: Callable[[Request], Answer]
    method: str
    expires_s: float


class Uploads:
    """The service. `base` gives the URL of the server. Presigned URLs expire by the wall clock."""

    def __init__(self, files: Files, limits: Limits, habits: Habits, base: Callable[[], str]) -> None:
        self._files, self._limits, self._habits, self._base = files, limits, habits, base
        self.sessions: dict[str, Session] = {}
        self._urls: dict[str, _Url] = {}
        self._lock = threading.Lock()

    def expire_urls(self) -> None:
        """Every URL that was given out until now has expired."""
        with self._lock:
            for url in self._urls.values():
                url.expires_s = 0

    # --- asked of the workspace

    def act(self, request: Request, path: str) -> Answer:
        """POST files?action=…: initiate, complete or abort an upload."""
        action = request.query.get("action")
        if action == "initiate-upload":
            return self._initiate(request, path)
        session = self._session(request.query.get("session_token"), path)
        if action == "complete-upload":
            return self._complete(request, session)
        if action == "abort-upload":
            self._forget(session)
            return as_json({})
        raise invalid(f"Unknown action: {action}")

    def part_urls(self, request: Request) -> Answer:
        """POST create-upload-part-urls."""
        said = request.body.json()
        session = self._session(said.get("session_token"), said.get("path"))
        first, many = int(said.get("start_part_number", 1)), int(said.get("count", 1))
        if first < 1 or many < 1 or first + many - 1 > self._limits.parts:
            raise invalid(f"Part numbers go from 1 to {self._limits.parts}")
        urls = [self._part_url(session, number) for number in range(first, first + many)]
        return as_json({"upload_part_urls": urls})

    def abort_url(self, request: Request) -> Answer:
        """POST create-abort-upload-url."""
        said = request.body.json()
        session = self._session(said.get("session_token"), said.get("path"))

        def abort(_request: Request) -> Answer:
            self._forget(session)
            return Answer(204)

        return as_json({"abort_upload_url": self._presign("DELETE", session.path, abort)})

    def download_url(self, request: Request) -> Answer:
        """POST create-download-url."""
        self._check_enabled()
        path = request.query.get("path", "")
        file = self._files.file(path)
        return as_json(self._presign("GET", path, lambda asked: self._send(asked, file)))

    # --- asked of the storage

    def serve(self, request: Request) -> Answer:
        """A request to a presigned URL. A token besides is refused, as S3 refuses two ways of signing at once."""
        if request.authorized:
            return storage_error(400, "InvalidArgument", "Only one auth mechanism allowed")
        with self._lock:
            url = self._urls.get(request.path.removeprefix(STORAGE).partition("/")[0])
        if url is None or url.method != request.method:
            return storage_error(403, "SignatureDoesNotMatch", "The signature does not match")
        if url.expires_s < time.time():
            return storage_error(403, "AccessDenied", "Request has expired")
        return url.act(request)

    def _check_enabled(self) -> None:
        if not self._habits.presigned_urls:
            raise RefusedError(403, "PERMISSION_DENIED", "Presigned URLs are not enabled",
                               reason="FILES_API_API_IS_NOT_ENABLED")  # fmt: skip

    def _initiate(self, request: Request, path: str) -> Answer:
        self._check_enabled()
        tree, parts = self._files.place(path)
        token = token_urlsafe(24)
        with self._lock:
            self.sessions[token] = Session(path, tree, parts, self._files.overwrites(request))
        return as_json({"multipart_upload": {"session_token": token}})

    def _complete(self, request: Request, session: Session) -> Answer:
        told = request.body.json().get("parts") or []
        contents = [self._piece(session, part) for part in sorted(told, key=lambda part: part.get("part_number", 0))]
        if not contents:
            raise invalid("An upload needs at least one part")
        if any(content.size < self._limits.part_bytes for content in contents[:-1]):
            raise invalid(f"Every part but the last must have at least {self._limits.part_bytes} bytes")
        content = contents[0] if len(contents) == 1 else Joined(contents)
        self._files.publish(session.tree, session.parts, content, overwrite=session.overwrite)
        self._forget(session)
        return as_json({})

    @staticmethod
    def _piece(session: Session, part: dict[str, Any]) -> Content:
        tag, content = session.pieces.get(part.get("part_number", 0), ("", None))
        if content is None or part.get("etag", "").strip('"') != tag.strip('"'):
            raise invalid(f"Part {part.get('part_number')} was not uploaded, or its ETag is another one")
        return content

    def _part_url(self, session: Session, number: int) -> dict[str, Any]:
        def put(request: Request) -> Answer:
            content, digest = self._files.content(), md5(usedforsecurity=False)
            for chunk in request.body.chunks():
                content.append(chunk)
                digest.update(chunk)
            tag = f'"{digest.hexdigest()}"'
            session.pieces[number] = tag, content
            return Answer(200, headers={"ETag": tag})

        return self._presign("PUT", session.path, put, part_number=number)

    def _presign(self, method: str, path: str, act: Callable[[Request], Answer], **extra: Any) -> dict[str, Any]:
        key = token_urlsafe(18)
        with self._lock:
            self._urls[key] = _Url(act, method, time.time() + self._limits.url_expires_s)
        query = urlencode({"partNumber": extra["part_number"]} if extra else {"X-Amz-Expires": 3600})
        url = f"{self._base()}{STORAGE}{key}{quote(path)}?{query}"
        return {"url": url, "headers": [], **extra}

    def _send(self, request: Request, file: File) -> Answer:
        try:
            return self._files.send(request, file)
        except RefusedError as error:
            code = {412: "PreconditionFailed", 416: "InvalidRange"}.get(error.status, "InvalidRequest")
            return storage_error(error.status, code, error.message)

    def _session(self, token: object, path: object) -> Session:
        with self._lock:
            session = self.sessions.get(token) if isinstance(token, str) else None
        if session is None or session.path != path:
            raise RefusedError(404, "NOT_FOUND", "The upload session is not found",
                               reason="FILES_API_UPLOAD_SESSION_NOT_FOUND")  # fmt: skip
        return session

    def _forget(self, session: Session) -> None:
        with self._lock:
            self.sessions = {token: each for token, each in self.sessions.items() if each is not session}
