"""Files in DBFS, the file system of a Databricks workspace.

DBFS shows a file while it is written. So every file is written under a temporary name beside its place and then moved
there: a move never goes over anything, which makes a create safe by itself. To replace, the old file is moved out of
the way first; if the new one then cannot take its place, the old one goes back. Between these two moves the name is
free for a moment, and a process that dies there leaves both files beside it, whole: whoever settles its write puts the
old one back. Where old bytes are kept, the old file goes on to where they are.
"""

from __future__ import annotations

from base64 import b64decode
import binascii
from collections.abc import Iterator
from contextlib import suppress
from secrets import token_hex
from typing import Any, Final, Self

from msgspec.structs import replace

from reconcile.core.entry import ABSENT, ANY, Entry, Kind, Leftover, Problem, Version
from reconcile.core.errors import BusyError, ChangedError, DamagedError, NotFoundError, StoreError
from reconcile.core.path import TEMP_PREFIX
from reconcile.ports import Body, Traits
from reconcile.stores.databricks.client import Reply
from reconcile.stores.databricks.dbfs_blocks import BLOCK_BYTES, send_block, send_stream
from reconcile.stores.databricks.place import canonical, root_of
from reconcile.stores.databricks.store import NAME_BYTES, DatabricksStore, is_name, number
from reconcile.stores.databricks.versions import fits, shown_version, size_of, told_version
from reconcile.stores.options import StoreOptions
from reconcile.stores.tree_list import Page

API: Final = "/api/2.0/dbfs"
OLD: Final = "-old"
"""Ends the temporary name of what is being replaced."""

TRAITS: Final = Traits(
    tree=True,
    waits=True,
    write="create",
    delete="stat",
    move="create",
    move_atomic=True,
    keeps="move",
    granule_ns=1_000_000_000,
    max_name_bytes=NAME_BYTES,
)


class DbfsStore(DatabricksStore):
    """One directory of DBFS."""

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        """The store at `dbfs:/path`; asks no network yet."""
        return cls(root_of(url, "dbfs"), options)

    def __init__(self, root: str, options: StoreOptions) -> None:
        super().__init__(root, options, url=canonical(f"dbfs:{root}", options))
        self.traits = replace(TRAITS, mount=f"/dbfs{root}")

    # --- looking

    def look(self, directory: str, mark: str) -> Page:  # noqa: ARG002 - a directory is one answer
        """A whole directory."""
        path = self.path(directory)
        said = self._get("list", directory, op="list").object("list", directory)
        files = said.get("files", [])
        if not isinstance(files, list):
            raise DamagedError("the answer is no listing", op="list", path=directory)
        found, directories = [], []
        for item in files:
            name = _path_of(item).removeprefix(path.rstrip("/") + "/")
            if not is_name(name):
                raise DamagedError("is a file, or its listing names something else", op="list", path=directory)
            key = f"{directory}/{name}" if directory else name
            if item.get("is_dir"):
                directories.append(key)
            else:
                found.append(_entry(key, item))
        return Page(found, directories)

    def find(self, key: str, op: str) -> Entry | None:
        """What is under a key, by its status."""
        try:
            return _entry(key, self._get("get-status", key, op=op).object(op, key))
        except NotFoundError:
            return None

    # --- reading

    def read(self, key: str, *, version: Version | None = None, span: tuple[int, int] | None = None) -> Iterator[bytes]:
        """The content in chunks. A read is bound to nothing: a look at the end tells whether all was of one piece."""
        self.admit(key, "read")
        size, version = (size_of(version), version) if version not in (None, ANY) else self._known(key)
        at, end = span or (0, size)
        end = min(end, size)
        while at < end:
            data = self.ask(lambda at=at: self._block(key, at, min(BLOCK_BYTES, end - at)))  # type: ignore[misc]
            if not data:
                raise BusyError("the content was cut off", op="read", path=key)
            at += len(data)
            yield data
        there = self.find(key, "read")
        if there is None or not fits(version, there.version):
            raise ChangedError("is another version, or became one while it was read", op="read", path=key)

    def _known(self, key: str) -> tuple[int, Version]:
        """Size and version of what is there now."""
        there = self.find(key, "read")
        if there is None or there.kind:
            raise NotFoundError("does not exist", op="read", path=key)
        return there.size, there.version

    def _block(self, key: str, at: int, length: int) -> bytes:
        query = {"offset": str(at), "length": str(length)}
        said = self._get("read", key, op="read", query=query).object("read", key)
        try:
            data = b64decode(str(said.get("data", "")), validate=True)
        except (ValueError, binascii.Error) as error:
            raise DamagedError("the answer is no base64", op="read", path=key) from error
        if len(data) != number(said, "bytes_read") or len(data) > length:
            raise DamagedError("the answer is not as long as it says", op="read", path=key)
        return data

    # --- writing

    def write(self, key: str, body: Body, *, expect: Version) -> Entry:
        """Writes under a temporary name, then moves that in place; a large one not before a look."""
        self.admit(key, "write", body.size_bytes)
        if body.size_bytes > BLOCK_BYTES:
            self.check(key, expect, "write")
        token = body.token or token_hex(8)
        temp = temporary(key, token)
        if body.begun is not None:
            body.begun(token)
        try:
            begun = send_block(self, temp, body) if body.size_bytes <= BLOCK_BYTES else send_stream(self, temp, body)
            ended = self._place(temp, key, expect, body.aside)
        except BaseException:
            with suppress(StoreError):  # what failed first is the error; what stays here is found by its name
                self.remove(temp)
            raise
        return Entry(key, body.size_bytes, told_version(body.size_bytes, [begun, ended]))

    def move(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """Renames; the directory of the new name is made first."""
        self.admit(key, "move")
        self.admit(entry.key, "move")
        if self.check(entry.key, entry.version, "move") is None:
            raise NotFoundError("does not exist", op="move", path=entry.key)
        self.post("mkdirs", key.rpartition("/")[0], op="move")
        self._place(entry.key, key, expect)
        return self._arrived(entry, key, "move")

    def _place(self, source: str, key: str, expect: Version, aside: str = "") -> Reply:
        """Moves `source` to a name where nothing is expected, or in the place of what is."""
        if expect == ABSENT or self.check(key, expect, "move") is None:
            return self._take_place(source, key)
        return self._replace(source, key, aside)

    def _take_place(self, source: str, key: str) -> Reply:
        """Where nothing is, or only directories that hold nothing."""
        try:
            return self._moved(source, key)
        except ChangedError:
            there = self.find(key, "move")
            if there is None or not there.kind:
                raise
            self.make_way(key, "move")
            return self._moved(source, key)

    def _replace(self, source: str, key: str, aside: str) -> Reply:
        """What is there is moved out of the way, and back if the new one cannot take its place.

        Where it is to be kept it goes there at once: whoever dies on the way loses nothing.
        """
        token = _token(source) if _is_temporary(source) else token_hex(8)
        old = aside or temporary(key, token) + OLD
        if aside:
            self.post("mkdirs", aside.rpartition("/")[0], op="write")
        try:
            self._moved(key, old)
        except BusyError:  # it may have been made
            self._moved_back(old, key)
            raise
        try:
            reply = self._moved(source, key)
        except BaseException as error:
            if not self._moved_back(old, key) and isinstance(error, StoreError):
                error.unsure = True  # its intent stays open, and the next run looks where the old one is
                error.hint = f"nothing has that name now; what it held stands under {self.path(old)}"
            raise
        if not aside:
            with suppress(StoreError):  # the new one stands; the old one is found by its name
                self.remove(old)
        return reply

    def _moved_back(self, old: str, key: str) -> bool:
        with suppress(StoreError):
            self._moved(old, key)
            return True
        return False

    def _moved(self, source: str, target: str) -> Reply:
        """One move. Where its answer was lost, and nothing is at the old name any more, it was made."""
        lost = False

        def once() -> Reply:
            nonlocal lost
            try:
                return self.call(
                    "move", "move", target, source_path=self.path(source), destination_path=self.path(target)
                )
            except BusyError:
                lost = True
                raise
            except (NotFoundError, ChangedError):
                if not lost or self.find(source, "move") is not None or self.find(target, "move") is None:
                    raise
                return Reply(200, {}, ended_s=self.client.now_s)

        return self.ask(once)

    def remove(self, key: str) -> None:
        """Deletes a file; what is not there is deleted already."""
        self.post("delete", key, op="delete", recursive=False)

    def remove_directory(self, key: str) -> None:
        """The same call: it refuses a directory that holds anything."""
        self.remove(key)

    # --- what dead writes left

    def leftovers(self) -> Iterator[Leftover | Problem]:
        """What bears a temporary name, wherever it is."""
        for item in self.everything():
            name = item.key.rpartition("/")[2]
            if isinstance(item, Problem):
                yield item
            elif _is_temporary(name) and name.endswith(OLD):
                told = "what a file held that was being replaced when its run died, and that no run settled"
                yield Problem(item.key, told, hint="move it to its name, or delete it")
            elif _is_temporary(name):
                yield Leftover(item.key, _token(item.key), item.mtime_ns, item.size)

    def discard(self, key: str, mark: str) -> None:
        """Removes what a write of `key` left; what it had moved out of the way goes back, if nothing took its place."""
        temp = temporary(key, mark)
        if not _is_temporary(key) and self.find(temp + OLD, "discard") is not None:
            if self.find(key, "discard") is None:
                self._moved(temp + OLD, key)
            else:
                self.remove(temp + OLD)
        self.remove(temp)

    # --- requests

    def post(self, what: str, key: str, *, op: str, **said: Any) -> Reply:
        """One call about one path, tried again as often as it is worth: made twice it does no harm."""
        return self.ask(lambda: self.call(what, op, key, path=self.path(key), **said))

    def call(self, what: str, op: str, key: str, **said: Any) -> Reply:
        """One call, tried once."""
        return self.client.call("POST", f"{API}/{what}", op=op, key=key, said=said)

    def _get(self, what: str, key: str, *, op: str, query: dict[str, str] | None = None) -> Reply:
        asked = {"path": self.path(key), **(query or {})}
        return self.client.call("GET", f"{API}/{what}", op=op, key=key, query=asked)


def temporary(key: str, token: str) -> str:
    """The name under which a file is written: beside its place, so that the directory is there."""
    directory, slash, _ = key.rpartition("/")
    return f"{directory}{slash}{TEMP_PREFIX}{token}"


def _is_temporary(key: str) -> bool:
    return key.rpartition("/")[2].startswith(TEMP_PREFIX)


def _token(temp: str) -> str:
    return temp.rpartition("/")[2].removeprefix(TEMP_PREFIX)


def _path_of(item: Any) -> str:
    path = item.get("path") if isinstance(item, dict) else None
    if not isinstance(path, str):
        raise DamagedError("the answer names something without a path", op="list")
    return path.removeprefix("dbfs:")


def _entry(key: str, item: dict[str, Any]) -> Entry:
    size, mtime_ms = number(item, "file_size"), number(item, "modification_time")
    kind = Kind.DIRECTORY if item.get("is_dir") else Kind.FILE
    return Entry(key, size, shown_version(size, mtime_ms), mtime_ms * 1_000_000, kind=kind)
