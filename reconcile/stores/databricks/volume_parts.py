"""Large files of a volume, in parts: sent side by side to the storage behind it, visible only when all have come.

The workspace signs a URL for each part; nothing that says who asks goes there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, Final

from msgspec import Struct

from reconcile.core.errors import BusyError, DamagedError, NotFoundError, StoreError
from reconcile.stores.databricks.client import Client, Reply
from reconcile.stores.databricks.errors import NoPartsError, NotOfferedError, UntakenError
from reconcile.stores.databricks.store import number
from reconcile.stores.lanes import PARTS, Lanes, part_size
from reconcile.stores.patience import Ask, UnreachableError

PART_BYTES: Final = 6 << 20
"""A storage takes no less than 5 MiB: of small parts more are under way in the same memory."""

AT_ONCE: Final = 9
"""Parts in memory at once, of all uploads of a store together: one that is read, and those under way."""

SIGNED_AHEAD: Final = 16
"""So many URLs are asked for in one request."""

URL_LASTS: Final = timedelta(hours=1)
UPLOAD: Final = "upload "
"""How the mark of an upload begins; its session follows."""

FILES: Final = "/api/2.0/fs/files"


class Target(Struct, frozen=True):
    """Where a file goes: its key, its path in the volume, and that path as URLs have it."""

    key: str
    path: str
    quoted: str


class Uploads:
    """The uploads of one store; they share their threads and the memory of their parts. `ask` asks for each request."""

    def __init__(self, client: Client, ask: Callable[[], Ask]) -> None:
        self._client = client
        self._ask = ask
        self._lanes = Lanes(AT_ONCE)

    def close(self) -> None:
        """Ends the threads."""
        self._lanes.close()

    def send(
        self,
        to: Target,
        parts: Iterator[bytearray],
        *,
        overwrite: str,
        told: Callable[[str], None],
        look: Callable[[], None],
    ) -> Sequence[Reply]:
        """Sends all parts and completes the upload; the answers to its first and its last request.

        `told` hears the mark of the upload before its first part is sent, `look` is the last thing before it becomes
        visible. Both may raise: whatever fails on the way takes the unfinished upload with it. `NoPartsError` where
        there are no parts.
        """
        try:
            begun = self._asked(to, {"action": "initiate-upload", "overwrite": overwrite})
        except NotOfferedError as error:
            raise NoPartsError(error.message, op="write", path=to.key) from error
        session = _session(begun, to)
        try:
            told(UPLOAD + session)
            urls = _Urls(self._client, to, session)
            tags = self._lanes.send_all(parts, lambda number, data: self._send_part(urls, number, data))
            look()
            return begun, self._complete(to, session, tags)
        except BaseException:
            with suppress(StoreError):  # what failed first is the error; the mark in the journal finds an orphan
                self.abort(to, session)
            raise

    def abort(self, to: Target, session: str) -> None:
        """Gives up an upload; nothing there is nothing to do."""
        with suppress(NotFoundError):
            self._asked(to, {"action": "abort-upload", "upload_type": "multipart", "session_token": session})

    def _complete(self, to: Target, session: str, tags: Sequence[str]) -> Reply:
        """An upload that is gone when its completion is asked for again was completed: nobody else knows its name."""
        said = {"parts": [{"part_number": at, "etag": tag} for at, tag in enumerate(tags, 1)]}
        query = {"action": "complete-upload", "upload_type": "multipart", "session_token": session}
        lost = False

        def once() -> Reply:
            nonlocal lost
            try:
                return self._client.call("POST", FILES + to.quoted, op="write", key=to.key, query=query, said=said)
            except BusyError:
                lost = True
                raise
            except NotFoundError:
                if not lost:
                    raise
                return Reply(200, {}, ended_s=self._client.now_s)

        return self._ask()(once)

    def _asked(self, to: Target, query: dict[str, str]) -> Reply:
        return self._ask()(lambda: self._client.call("POST", FILES + to.quoted, op="write", key=to.key, query=query))

    def _send_part(self, urls: _Urls, number: int, data: bytearray) -> str:
        key = urls.to.key
        untaken = 0

        def once() -> str:
            nonlocal untaken
            url, headers = urls.take(number)
            try:
                reply = self._client.elsewhere("PUT", url, op="write", key=key, headers=headers, content=data)
            except (UntakenError, UnreachableError) as error:
                untaken += 1
                if untaken > 1 and not urls.proven:  # no fault of the URL: the storage is closed to who comes from here
                    message = f"the storage takes no parts from here: {error.message}"
                    raise NoPartsError(message, op="write", path=key) from error
                raise
            urls.proven = True
            return reply.headers.get("etag", "")

        return self._ask()(once)


class _Urls:
    """The URLs to which the parts of one upload go, and the headers signed with them; some are signed ahead.

    Each is given out once: whoever comes again, because it was not taken, gets another one. `proven` once a part was.
    """

    def __init__(self, client: Client, to: Target, session: str) -> None:
        self.to = to
        self.proven = False
        self._client = client
        self._session = session
        self._signed: dict[int, tuple[str, dict[str, str]]] = {}
        self._lock = Lock()

    def take(self, number: int) -> tuple[str, dict[str, str]]:
        """One URL; asks for it, and for those of the next parts, where it is not known."""
        with self._lock:
            if number not in self._signed:
                self._signed |= self._ask(number)
            return self._signed.pop(number)

    def _ask(self, first: int) -> dict[int, tuple[str, dict[str, str]]]:
        said = {
            "path": self.to.path,
            "session_token": self._session,
            "start_part_number": first,
            "count": min(SIGNED_AHEAD, PARTS + 1 - first),
            "expire_time": (datetime.now(UTC) + URL_LASTS).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        key = self.to.key
        try:
            reply = self._client.call("POST", "/api/2.0/fs/create-upload-part-urls", op="write", key=key, said=said)
        except NotOfferedError as error:
            raise NoPartsError(error.message, op="write", path=key) from error
        told = reply.object("write", key).get("upload_part_urls")
        signed = {number(one, "part_number"): _url(one) for one in told or () if isinstance(one, dict)}
        if not signed.get(first, ("",))[0]:
            raise DamagedError("no URL was signed for a part", op="write", path=key)
        return {at: one for at, one in signed.items() if one[0] and at >= first}


def _url(one: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """A URL as it is told, "" where it is none, and the headers of who asks there."""
    url = one.get("url")
    signed = {str(each["name"]): str(each["value"]) for each in one.get("headers") or ()}
    return url if isinstance(url, str) else "", {"Content-Type": "application/octet-stream"} | signed


def part_bytes(size_bytes: int) -> int:
    """How large the parts of a file are."""
    return part_size(size_bytes, PART_BYTES)


def _session(begun: Reply, to: Target) -> str:
    """The session of an upload that was begun; `NoPartsError` where the storage has another way (Google Cloud)."""
    said: Any = begun.object("write", to.key).get("multipart_upload")
    if said is None:
        raise NoPartsError("this storage takes no parts", op="write", path=to.key)
    session = said.get("session_token") if isinstance(said, dict) else None
    if not isinstance(session, str) or not session:
        raise BusyError("an upload was begun without a name", op="write", path=to.key)
    return session
