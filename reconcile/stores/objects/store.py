"""Objects under a prefix of a container: S3 and all that speak like it, Google Cloud Storage, Azure Blob Storage.

This is what all of them share, through one library (obstore); `s3_store` adds what S3 can do beyond it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Literal, cast

from msgspec import Struct

from reconcile.core.entry import ABSENT, ANY, Entry, Problem, Version
from reconcile.core.errors import BusyError, ChangedError, DamagedError, NotFoundError, RefusedError, StoreError
from reconcile.core.path import CONTROL_DIR, why_not_key
from reconcile.ports import Body, Condition, Hashes, Store, Traits
from reconcile.stores.answers import NoContainerError
from reconcile.stores.bodies import Whole, parts, whole
from reconcile.stores.objects.errors import translated, vanished
from reconcile.stores.objects.lane import delete, fast_lane, get, next_page, put
from reconcile.stores.objects.list import Item, Order, View, entries
from reconcile.stores.objects.marks import TOKEN, attributes, marked_digest
from reconcile.stores.objects.place import Place, place
from reconcile.stores.objects.s3_wire import bare, quoted
from reconcile.stores.options import StoreOptions

SMALL_BYTES: Final = 16 << 20
"""Up to here a body is sent in one piece."""

PARTS_AT_ONCE: Final = 4
KEY_BYTES: Final = 1024
OBJECT_BYTES: Final = 5 << 40
CHUNK_BYTES: Final = 1 << 20

Keeps = Literal["copy", "versions", "none"]

_MAKING: Final = ("write", "copy")
_PROXY: Final = "is there a proxy in between?"


class Head(Struct, frozen=True):
    """What a store says of one object; `kept` is its metadata by lower-case name, `generation` Google's own number."""

    size: int
    version: Version
    mtime_ns: int
    kept: Mapping[str, str]
    generation: str | None = None

    def entry(self, key: str) -> Entry:
        """The object as a listing would show it, with its digest if it was marked with one."""
        return Entry(key, self.size, self.version, self.mtime_ns, digest=marked_digest(self.kept, self.size))


class ObjectStore:
    """One prefix of one container.

    `conditions` says how each operation (`write`, `copy`, `delete`) is bound to what is there; what was not proven is
    done the safer way. `_compares` says it of small writes alone: in one request even those can compare that cannot
    when a body is sent in parts.
    """

    def __init__(self, where: Place) -> None:
        self.url = where.url
        self._where = where
        self._root = where.root
        self._order = Order(trusted=(where.word("order") or self._usual_order()) == "bytes")
        self._compares = where.word("conditions") or "match"
        self.conditions = self._usual_conditions()
        self._traits: tuple[tuple[object, ...], Traits] | None = None
        self._threads = ThreadPoolExecutor(where.options.concurrency, thread_name_prefix="object")

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Store:
        """The store at `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`; asks no network yet."""
        where = place(url, options)
        if where.scheme == "s3":
            from reconcile.stores.objects.s3_store import S3Store  # noqa: PLC0415 - builds on this module

            return S3Store(where)
        return cls(where)

    @property
    def traits(self) -> Traits:
        """What the service can do; `order` is `bytes` for the ones that promise it, or once a listing has shown it."""
        known = (self._order.trusted, *self.conditions.values())
        if self._traits is None or self._traits[0] != known:
            self._traits = known, self._made_traits()
        return self._traits[1]

    def _made_traits(self) -> Traits:
        write, delete, copy = (cast("Condition", self.conditions[op]) for op in ("write", "delete", "copy"))
        return Traits(
            order="bytes" if self._order.trusted else "none",
            tree=self._usual_order() != "bytes",  # what is no named service may keep its objects in a file system
            waits=True,
            write=write,
            delete=delete,
            copy=copy,
            move=copy,
            returns_version=True,
            proves=True,
            keeps=cast("Keeps", self.conditions["keeps"]),
            max_size_bytes=OBJECT_BYTES,
            max_key_bytes=KEY_BYTES - len(self._root.encode()),
            refused_characters="\\",
        )

    # --- looking

    def list(self, under: str = "", *, after: str | None = None, until: str | None = None) -> Iterator[Entry | Problem]:
        """Everything below `under`, page by page; every key is asked of the service in this one listing."""
        start = self._root + after if after is not None and self._order.trusted else ""
        view = View(self._root, under, after, until)
        return entries(self._pages(view.prefix, start), view, self._order)

    def _pages(self, prefix: str, start_after: str) -> Iterator[Sequence[Item]]:
        """The pages of everything below `prefix`, from after `start_after` on.

        The page of a proxy reads as an empty listing too: emptiness is believed only of what knows an object from none.
        """
        empty = True
        with translated("list", prefix):
            listed = self._lane.list(prefix or None, offset=start_after or None, chunk_size=1000)
            while (page := next_page(listed)) is not None:
                yield [Item(o["path"], o["size"], Version(bare(o["e_tag"])), _ns(o["last_modified"])) for o in page]
                empty = False
        if empty:
            self._find(f"{CONTROL_DIR}/is-this-a-store", "list")

    def stat(self, key: str) -> Entry | None:
        """The entry under `key`; only "not found" is absence, "forbidden" is an error."""
        head = self._find(key, "stat")
        return head.entry(key) if head else None

    def token(self, key: str) -> tuple[Version, str] | None:
        """The version under `key` and the token it was written with."""
        head = self._find(key, "stat")
        return (head.version, head.kept.get(TOKEN, "")) if head else None

    def _find(self, key: str, op: str) -> Head | None:
        self._admit(key, op)
        try:
            return self._head(key, op)
        except NotFoundError:
            return None

    def _head(self, key: str, op: str) -> Head:
        with translated(op, key):
            answer = get(self._lane, self._root + key, {"head": True})
            meta, kept = answer.meta, answer.attributes
        if not meta["e_tag"]:
            raise DamagedError("the answer is not one of an object store", op=op, path=key, hint=_PROXY)
        named = {name.lower(): str(value) for name, value in kept.items()}
        version = Version(bare(meta["e_tag"]))
        return Head(meta["size"], version, _ns(meta["last_modified"]), named, meta["version"])

    # --- reading

    def read(self, key: str, *, version: Version | None = None, span: tuple[int, int] | None = None) -> Iterator[bytes]:
        """The content in chunks, as long as it was said to be; `span` as (start, end) bytes."""
        self._admit(key, "read")
        if span and span[0] >= span[1]:
            return
        options: dict[str, Any] = {"if_match": quoted(version)} if version else {}
        if span:
            options["range"] = span
        with translated("read", key):
            answer = get(self._lane, self._root + key, options)
            same_version(answer.meta["e_tag"], version, key)
            start, end = answer.range
            for chunk in answer.stream(CHUNK_BYTES):
                start += len(chunk)
                yield bytes(chunk)
        if start != end:
            raise BusyError("the content was cut off", op="read", path=key)

    # --- writing

    def write(self, key: str, body: Body, *, expect: Version) -> Entry:
        """Sends a small body in one conditional request, a large one in parts that become visible in one step."""
        self._admit(key, "write", body.size_bytes)
        if body.size_bytes <= SMALL_BYTES:
            return self._write_small(key, body, expect)
        return self._write_large(key, body, expect)

    def _write_small(self, key: str, body: Body, expect: Version) -> Entry:
        content = whole(body, "write", key)
        self._last_look(key, expect, compared=self._condition(expect) == expect)
        bound = self._condition(expect)
        etag = self._despite_ghosts(key, bound, lambda bound: self._put(key, content, body, bound))
        kept = self._verify(key, etag, content.md5, len(content.data))
        return Entry(key, len(content.data), kept, digest=content.digest)

    def _despite_ghosts(self, key: str, expect: Version, make: Callable[[Version], Version]) -> Version:
        """A service over a file system takes the empty directory that a key once was for an object, for a while."""
        try:
            return make(expect)
        except ChangedError:
            if expect != ABSENT or not self.traits.tree or self.stat(key) is not None:
                raise
            return make(ANY)

    def _condition(self, expect: Version) -> Version:
        """The condition to send: the one expected, or none where the service is known not to compare."""
        compared = self._compares == "match" or (self._compares == "create" and expect == ABSENT)
        return expect if compared else ANY

    def _put(self, key: str, content: Whole, body: Body, expect: Version) -> Version:
        with vanished("write", key, expect), translated("write", key):
            answer = put(
                self._lane,
                self._root + key,
                content.data,
                attributes=self._attributes(attributes(body, content.digest)),
                tags=body.tags or None,
                mode=self._mode(key, expect),
                use_multipart=False,
            )
        return Version(bare(answer["e_tag"]))

    def _attributes(self, kept: dict[str, str]) -> dict[str, str]:
        if self._where.options.storage_class:
            kept["Storage-Class"] = self._where.options.storage_class
        return kept

    def _mode(self, key: str, expect: Version) -> Any:
        """The expectation as obstore has it. Google compares generations: the one that has the version expected."""
        if expect == ANY:
            return "overwrite"
        if expect == ABSENT:
            return "create"
        if self._where.scheme != "gs":
            return {"e_tag": quoted(expect)}
        head = self._head(key, "write")
        if head.version != expect:
            raise ChangedError("is not what was expected there", op="write", path=key)
        return {"e_tag": quoted(expect), **({"version": head.generation} if head.generation else {})}

    def _write_large(self, key: str, body: Body, expect: Version) -> Entry:
        """Streams, bound to nothing; the last thing before it becomes visible is a look at what is there."""

        def sent() -> Iterator[bytearray]:
            yield from parts(body, SMALL_BYTES, key)
            self._last_look(key, expect, compared=False)

        with translated("write", key), ThreadPoolExecutor(1) as reader:
            answer = put(
                self._lane,
                self._root + key,
                _elsewhere(sent(), reader),
                attributes=self._attributes(attributes(body, body.digest)),
                tags=body.tags or None,
                chunk_size=SMALL_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )
        etag = Version(bare(answer["e_tag"]))
        kept = self._verify(key, etag, "", body.size_bytes)
        return Entry(key, body.size_bytes, kept, digest=body.digest)

    def _last_look(self, key: str, expect: Version, *, compared: bool) -> None:
        """Looks what is there just before a write becomes visible, unless the service itself compares."""
        if not compared and self._compares != "none":
            self._check(key, "write", expect)

    def _verify(self, key: str, etag: Version, md5: str, size: int) -> Version:
        """The version of what was sent: an ETag equal to the MD5 says that it is kept, else the store is asked."""
        if md5 and etag == md5:
            return etag
        head = self._head(key, "write")
        if head.size != size or head.version != etag:
            raise DamagedError(f"keeps {head.size} bytes of {size} sent", op="write", path=key)
        return etag

    # --- the rest

    def copy(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """Not here: a copy could not be bound to the version of its source."""
        raise RefusedError(f"cannot copy conditionally ({entry.key}, {expect})", op="copy", path=key)

    def move(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """As `copy`, and then the old name goes; when it cannot go, the copy stays and the error says so."""
        moved = self.copy(entry, key, expect=expect)
        [error] = self.delete([(entry.key, entry.version)])
        if error:
            raise error
        return moved

    def delete(self, items: Sequence[tuple[str, Version]]) -> Sequence[Exception | None]:
        """Looks at each key and deletes it if it is what was expected; side by side."""
        return self._each(self._delete, items)

    def _delete(self, item: tuple[str, Version]) -> None:
        key, expect = item
        try:
            self._check(key, "delete", expect)
            with translated("delete", key):
                delete(self._lane, self._root + key)
        except NoContainerError:
            raise
        except NotFoundError:
            return

    def _each(self, act: Callable[[Any], None], items: Sequence[Any]) -> Sequence[Exception | None]:
        """What `act` raised for each item, None where it did not."""

        def tried(item: Any) -> Exception | None:
            try:
                act(item)
            except StoreError as error:
                return error
            return None

        return [*(self._threads.map if len(items) > 1 else map)(tried, items)]

    def prove(self, entry: Entry, hashes: Hashes) -> bool | None:
        """By the ETag, where it is the MD5; else by the digest the object was marked with when it was written."""
        if hashes.md5 and entry.version == hashes.md5.hex():
            return True
        digest = entry.digest
        if digest is None:
            head = self._find(entry.key, "stat")
            digest = marked_digest(head.kept, head.size) if head and head.version == entry.version else None
        return None if digest is None else digest == hashes.sha256

    def ensure(self, *, dry: bool = False) -> Sequence[str]:  # noqa: ARG002 - what cannot be made is not planned either
        """Containers of these services are made by their own tools; `RefusedError` says so when one is missing."""
        try:
            next(iter(self._pages(self._root, "")), None)
        except NotFoundError as error:
            raise RefusedError("the container is missing, and made by the tools of its service", op="ensure") from error
        return []

    def close(self) -> None:
        """Ends the threads; connections end with the process."""
        self._threads.shutdown()

    # --- inside

    @cached_property
    def _lane(self) -> Any:
        return self._where.options.client or fast_lane(self._where, None)

    def _usual_conditions(self) -> dict[str, str]:
        """How each operation honours what is expected, before anything was proven. Large writes cannot be compared."""
        return {
            "write": "none" if self._compares == "none" else "stat",
            "delete": "stat",
            "copy": "none",
            "keeps": "none",
        }

    def _usual_order(self) -> str:
        """The order the service promises by its name."""
        return "bytes" if self._where.scheme == "gs" and not self._where.endpoint else "none"

    def _admit(self, key: str, op: str, size: int = 0) -> None:
        """Refuses what cannot be an object here."""
        if reason := why_not_key(key):
            raise RefusedError(reason, op=op, path=key)
        if "\\" in key and op in _MAKING:
            raise RefusedError("the name holds a backslash, which some services turn into a slash", op=op, path=key)
        if len((self._root + key).encode()) > KEY_BYTES:
            raise RefusedError(f"the name is longer than {KEY_BYTES} bytes", op=op, path=key)
        if size > OBJECT_BYTES:
            raise RefusedError("larger than 5 TiB", op=op, path=key)

    def _check(self, key: str, op: str, expect: Version) -> None:
        """A look just before an act, where the service itself compares nothing."""
        if expect == ANY:
            return
        head = self._find(key, op)
        if head is None and op == "delete":
            return
        if (head.version if head else ABSENT) != expect:
            raise ChangedError("is not what was expected there", op=op, path=key)


def same_version(etag: str | None, version: Version | None, key: str) -> None:
    """Raises unless what is about to be read is an object, and the version that was asked for."""
    if not etag:
        raise DamagedError("the answer is not one of an object store", op="read", path=key, hint=_PROXY)
    if version and version != bare(etag):
        raise ChangedError("is another version", op="read", path=key)


def _ns(modified: datetime) -> int:
    """A time of a store as Unix ns; stores know milliseconds at best."""
    return round(modified.timestamp() * 1000) * 1_000_000


def _elsewhere(sent: Iterator[bytearray], reader: ThreadPoolExecutor) -> Iterator[bytes]:
    """The same parts, made in the thread of `reader`: inside a call of obstore no other one may be made."""
    while part := reader.submit(next, sent, b"").result():
        yield bytes(part)
