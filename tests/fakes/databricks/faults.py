"""How the services can go wrong: before the work, after it, instead of it, or in what they say of it.

::

    fault = emulator.faults.add(lose_after(), "PUT", "/api/2.0/fs/files/", nth=2)
    ...
    assert fault.fired == 1
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
import json
import re
import threading
import time
from typing import Any

from tests.fakes.databricks.errors import error
from tests.fakes.databricks.wire import Answer, Body, Request

Work = Callable[[Request], Answer]
Act = Callable[[Request, Work], Answer]

HTML = b"<html><body>Please sign in</body></html>"
CODED = ("data", "contents", "content")
"""What the bytes are called in the JSON of add-block, of put and of import."""
LISTED = ("contents", "files", "objects")
"""What the entries of a listing are called: in volumes, in DBFS, in the workspace."""


@dataclass
class Fault:
    """`act` instead of the work of the `nth` matching request and of the following, `times` in all (None: for ever).

    `method` and `path` are patterns, the path's from its start; `about` one for what a request is about, wherever its
    path stands: in the URL, in the query or in the JSON it sends; `where` narrows it further.
    """

    act: Act
    method: str = ".*"
    path: str = ".*"
    about: str | None = None
    where: Callable[[Request], bool] | None = None
    nth: int = 1
    times: int | None = 1
    seen: int = 0
    fired: int = 0

    def strikes(self, request: Request) -> bool:
        """Whether this request is the one."""
        if not re.fullmatch(self.method, request.method) or not re.match(self.path, request.path):
            return False
        if self.about is not None and not re.search(self.about, about(request)):
            return False
        if self.where is not None and not self.where(request):
            return False
        self.seen += 1
        struck = self.seen >= self.nth and (self.times is None or self.seen < self.nth + self.times)
        self.fired += struck
        return struck


def about(request: Request) -> str:
    """The path that a request is about."""
    if "path" in request.query:
        return request.query["path"]
    if request.headers.get("content-type", "").startswith("application/json"):
        said = request.body.json()
        return str(said.get("path") or said.get("destination_path") or "")
    return request.path


class Faults:
    """The faults that are planned."""

    def __init__(self) -> None:
        self._planned: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, act: Act, method: str = ".*", path: str = ".*", **how: Any) -> Fault:
        """Plans one; `how` as `Fault` has it."""
        fault = Fault(act, method, path, **how)
        with self._lock:
            self._planned.append(fault)
        return fault

    def heal(self) -> None:
        """All of them are over."""
        with self._lock:
            self._planned = []

    def struck(self, request: Request) -> Fault | None:
        """The fault for this request. Each one counts the requests that it is shown."""
        if not self._planned:
            return None
        with self._lock:
            return next([fault for fault in self._planned if fault.strikes(request)].__iter__(), None)


# --- before the work, or instead of it


def refuse(status: int, code: str = "INTERNAL_ERROR", message: str = "as told", **headers: str) -> Act:
    """Nothing is done, and said so. `retry_after="3"` and the like become headers."""
    return lambda request, work: error(status, code, message, **headers)


def busy(status: int = 429, *, retry_after: str | None = "0") -> Act:
    """Nothing is done: too many requests."""
    code = {429: "RESOURCE_EXHAUSTED", 503: "TEMPORARILY_UNAVAILABLE"}.get(status, "UNKNOWN")
    headers = {} if retry_after is None else {"retry_after": retry_after}
    return refuse(status, code, "Too many requests", **headers)


def busy_until(when_s: float, status: int = 429) -> Act:
    """Too many requests until this time of the monotonic clock; add it with `times=None`."""

    def act(request: Request, work: Work) -> Answer:
        left_s = when_s - time.monotonic()
        return work(request) if left_s <= 0 else busy(status, retry_after=str(int(left_s) + 1))(request, work)

    return act


def lose_before() -> Act:
    """Nothing is done, nothing is said: the connection breaks."""
    return lambda request, work: Answer(lost=True)


def lose_midway(after_bytes: int) -> Act:
    """The connection breaks when so many bytes of the body have come. Nothing is done."""

    def act(request: Request, work: Work) -> Answer:
        for _ in request.body.chunks():
            if request.body.taken_bytes >= after_bytes:
                break
        return Answer(lost=True)

    return act


def html(status: int = 200) -> Act:
    """A proxy answers in the place of the service."""
    return lambda request, work: Answer(status, HTML, {"content-type": "text/html"})


def delay(seconds: float) -> Act:
    """All is done, only later."""

    def act(request: Request, work: Work) -> Answer:
        time.sleep(seconds)
        return work(request)

    return act


# --- after the work


def lose_after() -> Act:
    """All is done, nothing is said: the connection breaks."""

    def act(request: Request, work: Work) -> Answer:
        work(request)
        return Answer(lost=True)

    return act


def fail_after(status: int = 500, code: str = "INTERNAL_ERROR") -> Act:
    """All is done, and the answer says that it failed."""

    def act(request: Request, work: Work) -> Answer:
        work(request)
        return error(status, code)

    return act


def cut_reply(after_bytes: int) -> Act:
    """All is done; of the answer's body only so many bytes come, then the connection breaks."""
    return lambda request, work: replace(work(request), cut_after=after_bytes)


def shorten_reply(to_bytes: int) -> Act:
    """All is done; the answer is short, and says that this is all."""

    def change(told: Answer) -> Answer:
        data = b"".join(told.chunks())[:to_bytes]
        headers = {name: value for name, value in told.headers.items() if name != "content-length"}
        return Answer(told.status, data, headers)

    return tell(change)


def flip_reply(at: int = 0) -> Act:
    """All is done; one byte of the answer is another one."""

    def change(told: Answer) -> Answer:
        data = bytearray(b"".join(told.chunks()))
        data[at] ^= 1
        return replace(told, content=bytes(data), span=None)

    return tell(change)


def tell(change: Callable[[Answer], Answer]) -> Act:
    """All is done, and told in another way."""
    return lambda request, work: change(work(request))


# --- other bytes than were sent


def keep(change: Callable[[bytes], bytes]) -> Act:
    """Other bytes are kept than were sent; the service notices nothing."""

    def act(request: Request, work: Work) -> Answer:
        request.body = _Kept(request, change)
        return work(request)

    return act


class _Kept(Body):
    """A body that was changed on its way; of one in JSON the bytes that it carries in base64."""

    def __init__(self, request: Request, change: Callable[[bytes], bytes]) -> None:
        body = request.body
        if request.headers.get("content-type", "").startswith("application/json"):
            said = body.json()
            coded = {name: b64encode(change(b64decode(said[name]))).decode() for name in CODED if name in said}
            self._data = json.dumps(said | coded).encode()
        else:
            self._data = change(body.read())
        self.taken_bytes, self.ended, self.length = body.taken_bytes, True, len(self._data)

    def chunks(self) -> Iterator[bytes]:
        yield self._data


# --- listings


def listing(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Act:
    """A listing says something else than it should; `change` gets and gives the entries of an answer."""

    def edit(told: Answer) -> Answer:
        said = json.loads(b"".join(told.chunks()))
        name = next((name for name in LISTED if name in said), None)
        if told.status != 200 or name is None:
            return told
        said[name] = change(said[name])
        return replace(told, content=json.dumps(said).encode())

    return tell(edit)


def hidden(*names: str) -> Act:
    """A listing does not show these names yet; add it with `times=None`."""
    return listing(lambda entries: [each for each in entries if each["path"].rpartition("/")[2] not in names])


def frozen() -> Act:
    """A listing goes on saying what it said when it was first asked; add it with `times=None`."""
    first: dict[str, Answer] = {}

    def act(request: Request, work: Work) -> Answer:
        return first.setdefault(request.target, work(request))

    return act


def same_page_again() -> Act:
    """A page gives the token that leads to itself; add it with `times=None`."""
    return _paged(lambda request: request.query.get("page_token") or "again")


def endless_pages() -> Act:
    """There is always a next page, with another token; add it with `times=None`."""
    numbers = iter(range(1, 1 << 30))
    return _paged(lambda request: f"endless-{next(numbers)}")


def _paged(token: Callable[[Request], str]) -> Act:
    def act(request: Request, work: Work) -> Answer:
        asked = replace(request, query={name: value for name, value in request.query.items() if name != "page_token"})
        told = work(asked)
        said = json.loads(b"".join(told.chunks())) | {"next_page_token": token(request)}
        return replace(told, content=json.dumps(said).encode())

    return act
