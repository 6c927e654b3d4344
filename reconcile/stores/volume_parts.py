"""Large files of a volume, in parts: sent side by side to the storage behind it, visible only when all have come.

The workspace signs a URL for each part; nothing that says who asks goes there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore, Event
from typing import Any, Final

from msgspec import Struct

from reconcile.core.errors import BusyError, DamagedError, NotFoundError, StoreError
from reconcile.stores.databricks import Client, Reply
from reconcile.stores.databricks_errors import NoPartsError
from reconcile.stores.patience import Ask

PART_BYTES: Final = 8 << 20
PARTS: Final = 10_000
AT_ONCE: Final = 4
"""Parts in memory at once, of all uploads of a store together."""

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
        self._room = BoundedSemaphore(AT_ONCE)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="part")

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown()

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
        begun = self._asked(to, {"action": "initiate-upload", "overwrite": overwrite})
        session = _session(begun, to)
        try:
            told(UPLOAD + session)
            tags = self._send_all(to, session, parts)
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

    def _send_all(self, to: Target, session: str, parts: Iterator[bytearray]) -> list[str]:
        under_way: list[Future[str]] = []
        failed = Event()
        try:
            while not failed.is_set() and (data := self._next(parts)) is not None:
                number = len(under_way) + 1
                under_way.append(self._threads.submit(self._send_part, to, (session, number), data, failed))
        finally:
            wait(under_way)
        return [future.result() for future in under_way]

    def _next(self, parts: Iterator[bytearray]) -> bytearray | None:
        """The next part, read when there is room for it; the room is given back by who sends it."""
        self._room.acquire()
        try:
            data = next(parts, None)
        except BaseException:
            self._room.release()
            raise
        if data is None:
            self._room.release()
        return data

    def _send_part(self, to: Target, which: tuple[str, int], data: bytearray, failed: Event) -> str:
        def once() -> str:
            url, headers = self._signed(to, which)
            reply = self._client.elsewhere("PUT", url, op="write", key=to.key, headers=headers, content=data)
            return reply.headers.get("etag", "")

        try:
            return self._ask()(once)
        except BaseException:
            failed.set()
            raise
        finally:
            self._room.release()

    def _signed(self, to: Target, which: tuple[str, int]) -> tuple[str, dict[str, str]]:
        """A URL for one part, and the headers that are signed with it."""
        session, number = which
        said = {
            "path": to.path,
            "session_token": session,
            "start_part_number": number,
            "count": 1,
            "expire_time": (datetime.now(UTC) + URL_LASTS).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        reply = self._client.call("POST", "/api/2.0/fs/create-upload-part-urls", op="write", key=to.key, said=said)
        urls = reply.object("write", to.key).get("upload_part_urls")
        one = urls[0] if isinstance(urls, list) and urls and isinstance(urls[0], dict) else {}
        if not isinstance(one.get("url"), str) or one.get("part_number") != number:
            raise DamagedError("no URL was signed for a part", op="write", path=to.key)
        headers = {"Content-Type": "application/octet-stream"}
        return one["url"], headers | {str(each["name"]): str(each["value"]) for each in one.get("headers") or ()}


def part_bytes(size_bytes: int) -> int:
    """How large the parts of a file are: the usual size, or what it takes to stay within the number of parts."""
    return max(PART_BYTES, -(-size_bytes // PARTS))


def _session(begun: Reply, to: Target) -> str:
    """The session of an upload that was begun; `NoPartsError` where the storage has another way (Google Cloud)."""
    said: Any = begun.object("write", to.key).get("multipart_upload")
    if said is None:
        raise NoPartsError("this storage takes no parts", op="write", path=to.key)
    session = said.get("session_token") if isinstance(said, dict) else None
    if not isinstance(session, str) or not session:
        raise BusyError("an upload was begun without a name", op="write", path=to.key)
    return session
