"""What DBFS, volumes and the workspace share: paths below a root, looks before acts, versions by size and time.

No call of theirs tells a digest or a version. What a listing shows of a file is its size and its time: that is its
version. A write tells no time of its own, only the server's while it went on; the next listing confirms it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby
from typing import Any, Final, TypeGuard
from urllib.parse import quote

from reconcile.core.entry import ABSENT, ANY, Entry, Problem, Version
from reconcile.core.errors import ChangedError, DamagedError, NotFoundError, RefusedError, StoreError
from reconcile.core.path import why_not_key
from reconcile.ports import Body, Hashes, Traits
from reconcile.stores.answers import NoContainerError
from reconcile.stores.databricks.client import Client
from reconcile.stores.databricks.errors import SlowError
from reconcile.stores.databricks.versions import fits, has_passed, is_fine, size_of
from reconcile.stores.options import StoreOptions
from reconcile.stores.patience import Ask, once
from reconcile.stores.sealed import reader
from reconcile.stores.tree_list import Bounds, Page, Pages, Whole, list_tree

NAME_BYTES: Final = 255


class DatabricksStore(ABC):
    """Files below one path of one workspace. Listings come in no order, several directories at a time."""

    traits: Traits
    few = 3
    """Up to so many files of a directory are asked for one by one, where that tells as much as a listing."""

    def __init__(self, root: str, options: StoreOptions, *, url: str) -> None:
        self.url = url
        self.ask: Ask = once
        self.client = Client(url, options)
        self._root = root
        self._fine = False  # until a time with milliseconds was seen, storage may keep whole seconds
        self._lanes = options.concurrency
        self._threads = ThreadPoolExecutor(options.concurrency, thread_name_prefix="databricks")

    # --- what each of them does its own way

    @abstractmethod
    def look(self, directory: str, mark: str) -> Page:
        """A page of one directory; `NotFoundError` when there is none of that name."""

    @abstractmethod
    def find(self, key: str, op: str) -> Entry | None:
        """What is under a key, None when its absence is certain."""

    @abstractmethod
    def remove(self, key: str) -> None:
        """Removes a file; `NotFoundError` when there is none."""

    def require_container(self) -> None:  # noqa: B027 - most have none that could be missing
        """Raises `NotFoundError` when what holds all of this is missing."""

    # --- looking

    def list(self, under: str = "", *, after: str | None = None, until: str | None = None) -> Iterator[Entry | Problem]:
        """Everything below `under`, page by page, in no order."""
        try:
            yield from list_tree(self._asked, Bounds(under, after, until), self._lanes)
        except NoContainerError:
            raise
        except NotFoundError:
            self.require_container()

    def has_root(self) -> bool:
        """Whether the directory of it all is there; the first file that is written makes it."""
        try:
            self._asked("", "")
        except NotFoundError:
            return False
        return True

    def everything(self) -> Iterator[Entry | Problem]:
        """All there is, our own and temporary names among it."""
        try:
            yield from list_tree(self._asked, Whole(), self._lanes)
        except NotFoundError:
            return

    def _asked(self, directory: str, mark: str) -> Page:
        """A page. What takes the service too long twice is too much for it, not bad luck."""
        slow = 0

        def once() -> Page:
            nonlocal slow
            try:
                return self.look(directory, mark)
            except SlowError as error:
                slow += 1
                error.given_up = slow > 1
                raise

        return self.ask(once)

    def stat(self, key: str) -> Entry | None:
        """The entry under `key`; only "not found" is absence."""
        self.admit(key, "stat")
        return self.find(key, "stat")

    def prove(self, entry: Entry, hashes: Hashes) -> bool | None:  # noqa: ARG002 - nothing here tells a digest
        """Only reading tells."""
        return None

    # --- changing

    def copy(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """Through here: read, and written anew. Dear, so `traits` do not offer it to plans."""
        body = Body(size_bytes=entry.size, open=lambda: reader(self.read(entry.key, version=entry.version)))
        self.write(key, body, expect=expect)
        return self._arrived(entry, key, "copy")

    def move(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """As `copy`, and then the old name goes."""
        moved = self.copy(entry, key, expect=expect)
        [error] = self.delete([(entry.key, entry.version)])
        if error is not None:
            raise error
        return moved

    def _arrived(self, entry: Entry, key: str, op: str) -> Entry:
        """What was copied or moved, as it is shown."""
        there = self.stat(key)
        if there is None or there.size != entry.size:
            raise ChangedError("was changed as soon as it was there", op=op, path=key)
        return there

    def make_way(self, directory: str, op: str) -> None:
        """Removes a directory that holds nothing but such, most often what deletes left; with any file it stays."""
        waiting, found = [directory], []
        while waiting:
            found.append(waiting.pop())
            for page in self._pages(found[-1]):
                if page.found:
                    raise ChangedError("a directory is in the way", op=op, path=directory)
                waiting += page.directories
        for empty in reversed(found):
            with suppress(NotFoundError):
                self.remove_directory(empty)

    @abstractmethod
    def remove_directory(self, key: str) -> None:
        """Removes a directory that is empty; `RefusedError` when it is not."""

    @abstractmethod
    def write(self, key: str, body: Body, *, expect: Version) -> Entry:
        """See the port."""

    @abstractmethod
    def read(self, key: str, *, version: Version | None = None, span: tuple[int, int] | None = None) -> Iterator[bytes]:
        """See the port."""

    def delete(self, items: Sequence[tuple[str, Version]]) -> Sequence[Exception | None]:
        """Looks at each key and deletes it if it is what was expected; side by side."""
        return [*self._threads.map(self._tried, items)]

    def _tried(self, item: tuple[str, Version]) -> Exception | None:
        key, expect = item
        try:
            self.admit(key, "delete")
            if expect == ANY or self.check(key, expect, "delete") is not None:
                self.remove(key)
        except NotFoundError:
            return None
        except StoreError as error:
            return error
        return None

    def ensure(self, *, dry: bool = False) -> Sequence[str]:  # noqa: ARG002 - directories come with their files
        """Nothing to make."""
        return []

    def close(self) -> None:
        """Ends the threads and the connections."""
        self._threads.shutdown()
        self.client.close()

    # --- versions

    def is_same(self, expect: Version, there: Version) -> bool:
        """Whether what is there is what was expected, as far as the two can tell."""
        return fits(expect, there)

    def is_settled(self, version: Version) -> bool:
        """Whether the time in a version has passed for good: whoever writes there now gets a later one."""
        self._fine = self._fine or is_fine(version)
        return has_passed(version, self.client.now_s, fine=self._fine)

    def confirmed(self, told: Sequence[tuple[str, Version]]) -> Sequence[Version | Exception | None]:
        """The version each key shows, if it is what the write made that told this one; directory by directory."""
        shown: dict[str, Version] = {}
        grouped = [[*keys] for _, keys in groupby(sorted(key for key, _ in told), key=_directory)]
        with ThreadPoolExecutor(self._lanes, thread_name_prefix="confirm") as threads:
            for entries in threads.map(self._shown_among, grouped):
                shown.update(entries)
        self._fine = self._fine or any(map(is_fine, shown.values()))
        return [self._confirmed(key, version, shown.get(key, ABSENT)) for key, version in told]

    def _confirmed(self, key: str, told: Version, shown: Version) -> Version | Exception | None:
        if shown != ABSENT and size_of(shown) != size_of(told):
            message = f"holds {size_of(shown):,} bytes, and {size_of(told):,} were written"
            return DamagedError(message, op="write", path=key)
        return shown if fits(told, shown) and self.is_settled(shown) else None

    def _shown_among(self, keys: Sequence[str]) -> dict[str, Version]:
        """What files of one directory show; a look that fails shows nothing."""
        try:
            if len(keys) <= self.few:
                entries = [entry for key in keys if (entry := self.ask(lambda key=key: self.find(key, "stat")))]  # type: ignore[misc]
            else:
                entries = [*self.files(_directory(keys[0]))]
        except StoreError:
            return {}
        return {entry.key: entry.version for entry in entries if not entry.kind}

    def files(self, directory: str) -> Iterator[Entry]:
        """The files of one directory."""
        for page in self._pages(directory):
            yield from (item for item in page.found if isinstance(item, Entry))

    def _pages(self, directory: str) -> Iterator[Page]:
        mark, pages = "", Pages()
        while True:
            page = self._asked(directory, mark)
            pages.check(page, directory, mark)
            yield page
            if not (mark := page.next):
                return

    # --- inside

    def path(self, key: str) -> str:
        """The path of a key in the service."""
        return f"{self._root.rstrip('/')}/{key}" if key else self._root

    def admit(self, key: str, op: str, size_bytes: int = 0) -> None:
        """Refuses what cannot be a file here."""
        if reason := why_not_key(key):
            raise RefusedError(reason, op=op, path=key)
        for char in self.traits.refused_characters:
            if char in key:
                raise RefusedError(f"the name holds a `{char}`", op=op, path=key)
        if any(len(segment.encode()) > NAME_BYTES for segment in key.split("/")):
            raise RefusedError(f"a part of the name is longer than {NAME_BYTES} bytes", op=op, path=key)
        most = self.traits.max_size_bytes
        if most and size_bytes > most:
            raise RefusedError(f"larger than the {most:,} bytes that a file here may have", op=op, path=key)

    def check(self, key: str, expect: Version, op: str) -> Entry | None:
        """A look just before an act: what is there, if it is what was expected."""
        found = self.find(key, op)
        if found is not None and found.kind:
            raise ChangedError("is a directory", op=op, path=key)
        gone = found is None and op == "delete"
        if expect != ANY and not gone and not self.is_same(expect, found.version if found else ABSENT):
            raise ChangedError("is not what was expected there", op=op, path=key)
        return found


def quoted(path: str) -> str:
    """A path as URLs have it."""
    return quote(path, safe="/")


def is_name(name: Any) -> TypeGuard[str]:
    """Whether a listing may call something so."""
    return isinstance(name, str) and "/" not in name and why_not_key(name) is None


def _directory(key: str) -> str:
    return key.rpartition("/")[0]


def number(said: dict[str, Any], name: str) -> int:
    """A number of an answer, 0 where it is none."""
    value = said.get(name, 0)
    if isinstance(value, str) and value.isdecimal():  # as some write a number of 64 bits
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
