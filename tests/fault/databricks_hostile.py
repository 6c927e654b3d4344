"""Every way a Databricks workspace, or what stands before it, has been seen to fail: one catalogue, by name.

Each is asked of a single request. None of them needs the client to wait: times that are named are slept by the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tests.fakes.databricks.errors import error
from tests.fakes.databricks.faults import (
    Act,
    Work,
    fail_after,
    frozen,
    html,
    keep,
    listing,
    lose_after,
    lose_before,
    lose_midway,
    refuse,
    same_page_again,
    tell,
)
from tests.fakes.databricks.wire import Answer, Request, as_json
from tests.fault.databricks_watched import WatchedDatabricks, place_of
from tests.fault.points import Hostile

STRANGER: Final = b"a stranger's work"
LISTS: Final = frozenset({"GET dbfs/list", "GET directories", "GET workspace/list"})
SENDS: Final = frozenset(
    {"PUT files", "PUT presigned", "POST dbfs/put", "POST dbfs/add-block", "POST workspace/import"}
)
ASKS: Final = LISTS | {
    "GET catalog", "GET dbfs/get-status", "GET dbfs/read", "GET files", "HEAD files",
    "GET workspace/export", "GET workspace/get-status",
}  # fmt: skip
CHANGES: Final = SENDS | {
    "DELETE files", "POST dbfs/close", "POST dbfs/create", "POST dbfs/delete", "POST dbfs/mkdirs", "POST dbfs/move",
    "POST files complete-upload", "POST files initiate-upload", "POST workspace/delete", "POST workspace/mkdirs",
}  # fmt: skip
LOOKS: Final = frozenset({"HEAD files", "GET dbfs/get-status", "GET workspace/get-status"})
CREATES: Final = frozenset({"PUT files", "POST dbfs/move", "POST workspace/import"})


def _plain(act: Callable[[], Act], ops: frozenset[str] | None = None, *, lies: bool = False) -> Hostile:
    return Hostile(lambda _emulator, _trap: act(), ops, lies)


def _refusals() -> dict[str, Hostile]:
    told: dict[str, dict[str, str]] = {
        "400 INVALID_PARAMETER_VALUE": {},
        "400 BAD_REQUEST": {},
        "400 RESOURCE_ALREADY_EXISTS": {},
        "400 IO_ERROR": {},
        "403 PERMISSION_DENIED": {},
        "404 NOT_FOUND": {},
        "404 RESOURCE_DOES_NOT_EXIST": {},
        "404 VOLUME_DOES_NOT_EXIST": {},
        "404 ENDPOINT_NOT_FOUND": {},
        "404 FEATURE_DISABLED": {},
        "408 REQUEST_TIMEOUT": {},
        "409 ALREADY_EXISTS": {},
        "409 ABORTED": {},
        "409 RESOURCE_CONFLICT": {},
        "412 FAILED_PRECONDITION": {},
        "413 REQUEST_ENTITY_TOO_LARGE": {},
        "416 INVALID_PARAMETER_VALUE": {},
        "429 RESOURCE_EXHAUSTED": {},
        "429 REQUEST_LIMIT_EXCEEDED": {"retry_after": "3"},
        "500 INTERNAL_ERROR": {},
        "501 NOT_IMPLEMENTED": {},
        "502 BAD_GATEWAY": {},
        "503 TEMPORARILY_UNAVAILABLE": {"retry_after": "1000000000"},
        "504 DEADLINE_EXCEEDED": {},
    }
    named = {
        name: replace(_plain(_refusal(name, headers)), hides=name.startswith("404")) for name, headers in told.items()
    }
    return named | {
        "401 expired": _plain(lambda: lambda request, work: error(401, 401, "Token is expired")),
        "403 invalid token": _plain(lambda: lambda request, work: error(403, 403, "Invalid access token.")),
        "404 without a word": Hostile(lambda _emulator, _trap: _answer(Answer(404)), hides=True),
        "409 for a directory": _plain(
            lambda: lambda request, work: error(409, "ALREADY_EXISTS", reason="FILES_API_DIRECTORY_ALREADY_EXISTS")
        ),
    }


def _refusal(name: str, headers: dict[str, str]) -> Callable[[], Act]:
    status, _, code = name.partition(" ")
    return lambda: refuse(int(status), code, **headers)


def _answer(told: Answer) -> Act:
    return lambda request, work: told


def _connections() -> dict[str, Hostile]:
    return {
        "cut after one byte": _plain(lambda: lose_midway(1), SENDS),
        "cut before the work": _plain(lose_before),
        "cut after the work": _plain(lose_after),
        "500 after the work": _plain(fail_after),
        "503 after the work": _plain(lambda: fail_after(503, "TEMPORARILY_UNAVAILABLE")),
        "a page of a proxy after the work": _plain(lambda: tell(lambda _told: Answer(502, b"<html>", {}))),
        "answer cut at once": _plain(lambda: _cut(0)),
        "answer cut in the middle": _plain(lambda: _cut(None)),
    }


def _cut(after: int | None) -> Act:
    def act(request: Request, work: Work) -> Answer:
        told = work(request)
        return told if not told.length else replace(told, cut_after=told.length // 2 if after is None else after)

    return act


def _nonsense() -> dict[str, Hostile]:
    """Answers of something that is not the service, all with a good status; none of them has done anything."""
    rubbish = Answer(200, b"\x1f\x8b rubbish", {"content-encoding": "gzip", "content-type": "application/json"})
    return {
        "a page of a proxy": _plain(html),
        "null": _plain(lambda: _answer(as_json(None))),
        "a list": _plain(lambda: _answer(as_json([{"path": "/"}]))),
        "rubbish that is called gzip": _plain(lambda: _answer(rubbish)),
        "a flood of headers": _plain(lambda: _answer(Answer(200, b"", {f"x-flood-{at}": "1" for at in range(200)}))),
        "an error in a 200": _plain(lambda: _answer(replace(error(500, "INTERNAL_ERROR"), status=200))),
        "an error in a 200 after the work": _plain(
            lambda: tell(lambda _told: replace(error(500, "INTERNAL_ERROR"), status=200))
        ),
    }


def _silences() -> dict[str, Hostile]:
    """What says nothing, or what the service says itself when all is well: of a change, nobody can tell that it is not.

    Asked for what there is, silence is no answer; an empty object is an empty directory.
    """
    strange = as_json({"handle": "x", "files": "y", "contents": 1, "objects": 1})
    said = {"nothing with a 200": Answer(), "nothing with a 204": Answer(204), "words for numbers": strange}
    asked = {f"{name} to a question": _plain(lambda told=told: _answer(told), ASKS) for name, told in said.items()}
    empty = Hostile(lambda _emulator, _trap: _answer(as_json({})), lies=True, hides=True)
    return asked | {f"{name} to a change": _plain(lambda told=told: _answer(told), CHANGES, lies=True)
                    for name, told in said.items()} | {"an empty object": empty}  # fmt: skip


def _elsewhere(status: int) -> Hostile:
    def make(_emulator: WatchedDatabricks, trap: str) -> Act:
        return _answer(Answer(status, b"", {"location": f"{trap}/login.html?error=private-link-validation-error"}))

    return Hostile(make)


def _contents() -> dict[str, Hostile]:
    return {
        "a flipped byte kept": _plain(lambda: keep(lambda data: bytes([data[0] ^ 1]) + data[1:]), SENDS, lies=True),
        "a short body kept": _plain(lambda: keep(lambda data: data[:-1]), SENDS, lies=True),
        "nothing kept": _plain(lambda: keep(lambda _data: b""), SENDS, lies=True),
    }


def _listings() -> dict[str, Hostile]:
    def each(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[], Act]:
        return lambda: listing(lambda entries: [change(dict(entry)) for entry in entries])

    def but(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda entry: {key: value for key, value in entry.items() if key not in names}

    sizes, times = ("file_size", "size"), ("last_modified", "modification_time", "modified_at")
    return {
        "entries told twice": _plain(lambda: listing(lambda entries: entries * 2), LISTS),
        "no sizes": _plain(each(but(*sizes)), LISTS),
        "no times": _plain(each(but(*times)), LISTS),
        "no paths": _plain(each(but("path", "name")), LISTS),
        "paths of others": _plain(each(lambda entry: entry | {"path": "/../x", "name": ".."}), LISTS),
        "a page that leads to itself": _plain(same_page_again, frozenset({"GET directories"})),
        "an empty listing": Hostile(lambda _emulator, _trap: listing(lambda _entries: []), LISTS, hides=True),
        "a stale listing": Hostile(lambda _emulator, _trap: frozen(), LISTS),
    }


def _strangers() -> dict[str, Hostile]:
    """Somebody else is quicker: what the request is about changes just before it is answered.

    A look just before an act sees it; so does an act that makes only what is not there. Behind the last look of an
    update or a delete is a window that no test can close.
    """

    def intrudes(data: bytes | None) -> Callable[[WatchedDatabricks, str], Act]:
        def make(emulator: WatchedDatabricks, _trap: str) -> Act:
            def act(request: Request, work: Work) -> Answer:
                if op_of(request) in LOOKS or is_create(request):
                    emulator.intrude(place_of(request), data)
                return work(request)

            return act

        return make

    return {
        "a stranger writes": Hostile(intrudes(STRANGER), LOOKS | CREATES, strange=True),
        "a stranger deletes": Hostile(intrudes(None), LOOKS, strange=True),
    }


def is_create(request: Request) -> bool:
    """Whether a request makes something only where nothing is."""
    said = request.query if request.method == "PUT" else request.body.json()
    return op_of(request) == "POST dbfs/move" or str(said.get("overwrite", "true")).lower() == "false"


def op_of(request: Request) -> str:
    """What kind of request it is: `PUT files`, `POST dbfs/move`, `POST files complete-upload`."""
    path = request.path
    for prefix, name in (("/api/2.0/fs/files/", "files"), ("/api/2.0/fs/directories/", "directories"),
                         ("/presigned/", "presigned"), ("/api/2.1/unity-catalog/", "catalog")):  # fmt: skip
        if path.startswith(prefix):
            return " ".join(filter(None, (request.method, name, request.query.get("action"))))
    return f"{request.method} {path.removeprefix('/api/2.0/').removeprefix('fs/')}"


HOSTILE: Final[dict[str, Hostile]] = {
    **_refusals(),
    **_connections(),
    **_nonsense(),
    **_silences(),
    "302": _elsewhere(302),
    "307": _elsewhere(307),
    **_contents(),
    **_listings(),
    **_strangers(),
}
