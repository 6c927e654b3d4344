"""S3, and what speaks like it: checked listings, conditions on every call, parts for large bodies, old versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from functools import cached_property
import re
from secrets import token_hex
from typing import Any, Final
from urllib.parse import urlencode

from reconcile.core.entry import ANY, Entry, Leftover, Version
from reconcile.core.errors import BusyError, ChangedError, DamagedError, NotFoundError, StoreError
from reconcile.core.path import CONTROL_DIR
from reconcile.ports import Body, Hashes
from reconcile.stores.bodies import Whole, parts
from reconcile.stores.objects import s3_control as control
from reconcile.stores.objects import s3_list
from reconcile.stores.objects.errors import vanished
from reconcile.stores.objects.lane import fast_lane
from reconcile.stores.objects.list import Item
from reconcile.stores.objects.marks import attributes
from reconcile.stores.objects.place import Place, bucket, credentials, is_aws
from reconcile.stores.objects.s3_multipart import Uploads, digest_of, etag_of, is_md5, part_bytes, under_kms
from reconcile.stores.objects.s3_probe import Probe
from reconcile.stores.objects.s3_uploads import UPLOAD, abort, uploads
from reconcile.stores.objects.s3_wire import Headers, Wire, bare, condition
from reconcile.stores.objects.store import Head, ObjectStore, same_version
from reconcile.stores.patience import Ask, once

_META: Final = "x-amz-meta-"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
"""Characters that the fast lane refuses in a key; such keys go over the wire."""

_KEPT: Final = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type")


class S3Store(ObjectStore):
    """One prefix of one bucket; small writes through obstore, all else through the signed wire.

    obstore follows a redirect of what it only reads, and would believe whoever answers there.
    """

    def __init__(self, where: Place) -> None:
        super().__init__(where)
        self.ask: Ask = once

    # --- looking

    def _pages(self, prefix: str, start_after: str) -> Iterator[Sequence[Item]]:
        return s3_list.pages(self._wire, prefix, start_after, self.ask)

    def _head(self, key: str, op: str) -> Head:
        told = self._wire.call("HEAD", key, op=op).headers
        return _head_of(told, key, op)

    def prove(self, entry: Entry, hashes: Hashes) -> bool | None:
        """As everywhere; but an ETag that is the MD5 of something else speaks against the mark, and nothing is proven.

        A service that kept other bytes kept our mark with them. Under a key of KMS an ETag says nothing.
        """
        proven = super().prove(entry, hashes)
        if proven and hashes.md5 and is_md5(entry.version) and entry.version != hashes.md5.hex():
            return under_kms(self._wire.call("HEAD", entry.key, op="stat").headers) or None
        return proven

    # --- reading

    def read(self, key: str, *, version: Version | None = None, span: tuple[int, int] | None = None) -> Iterator[bytes]:
        """The content in chunks, as long as it was said to be; `span` as (start, end) bytes."""
        self._admit(key, "read")
        headers = condition(version) if version else {}
        if span and span[0] >= span[1]:
            return
        if span:
            headers["Range"] = f"bytes={span[0]}-{span[1] - 1}"
        with self._wire.stream(key, headers=headers) as (told, chunks):
            same_version(told.get("etag"), version, key)
            missing = int(told.get("content-length", 0))
            for chunk in chunks:
                missing -= len(chunk)
                if missing < 0:
                    raise DamagedError("gives more than it said it would", op="read", path=key)
                yield chunk
        if missing:
            raise BusyError("the content was cut off", op="read", path=key)

    # --- writing

    def _put(self, key: str, content: Whole, body: Body, expect: Version) -> Version:
        if not _CONTROL.search(key):
            return super()._put(key, content, body, expect)
        headers = {**self._headers(attributes(body, content.digest), body.tags), **condition(expect)}
        with vanished("write", key, expect):
            reply = self._wire.call("PUT", key, op="write", headers=headers, data=content.data)
        return Version(bare(reply.headers.get("etag")))

    def _write_large(self, key: str, body: Body, expect: Version) -> Entry:
        """In parts. The first look spares sending what would be refused at the end, or is there since a lost reply."""
        self._check(key, "write", expect)
        sent_as = self._condition(expect)
        sent = self._uploads.send(
            key,
            parts(body, part_bytes(body.size_bytes), key),
            begin=self._headers(attributes(body, body.digest), body.tags),
            expect=sent_as,
            told=lambda upload: body.begun(f"{UPLOAD}{upload}") if body.begun is not None else None,
            look=lambda: self._last_look(key, expect, compared=sent_as == expect),
        )
        kept = self._verify(key, sent.etag, sent.expected, body.size_bytes)
        return Entry(key, body.size_bytes, kept, digest=body.digest)

    def _verify(self, key: str, etag: Version, md5: str, size: int) -> Version:
        """An ETag that is not the MD5 is right under a key of KMS, where the service checked the sum itself.

        Where it is neither, the bytes are read back: some services have ETags of their own. One that was told wrong,
        while the right one is kept, is no harm.
        """
        if etag == md5:
            return etag
        told = self._wire.call("HEAD", key, op="write").headers
        head = _head_of(told, key, "write")
        if head.version == md5 and head.size == size:
            return head.version
        if head.version != etag:
            raise ChangedError("was changed as soon as it was written", op="write", path=key)
        if head.size != size or not (under_kms(told) or self._reads_back(key, etag, md5, size)):
            raise DamagedError(f"keeps other bytes than were sent ({head.size} of {size})", op="write", path=key)
        return etag

    def _reads_back(self, key: str, version: Version, md5: str, size: int) -> bool:
        """Whether what is there now is what was sent; `md5` of it whole, or of its parts."""
        in_parts = "-" in md5
        length = part_bytes(size) if in_parts else size
        spans = [(start, min(start + length, size)) for start in range(0, size, length)] if size else [(0, 0)]
        found = [digest_of(b"".join(self.read(key, version=version, span=span))) for span in spans]
        return md5 == (etag_of(found) if in_parts else found[0].hex())

    def _headers(self, kept: Headers, tags: Headers) -> dict[str, str]:
        """What is kept beside the bytes, as headers of a request."""
        headers = {(name if name.lower() in _KEPT else _META + name): value for name, value in kept.items()}
        if tags:
            headers["x-amz-tagging"] = urlencode(tags)
        return headers | self._at_rest()

    def _at_rest(self) -> dict[str, str]:
        """How the connection wants objects to be kept: class and encryption."""
        options = self._where.options
        kind, _, kms_key = options.sse.partition("=")
        named = {
            "x-amz-storage-class": options.storage_class,
            "x-amz-server-side-encryption": kind,
            "x-amz-server-side-encryption-aws-kms-key-id": kms_key,
        }
        return {name: value for name, value in named.items() if value}

    def leftovers(self) -> Iterator[Leftover]:
        """The uploads under way below the prefix, whoever began them."""
        return uploads(self._wire)

    def discard(self, key: str, mark: str) -> None:
        """Aborts an upload; what was sent in one request leaves nothing behind."""
        if mark.startswith(UPLOAD):
            abort(self._wire, key, mark)

    # --- copying

    def copy(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """Copies inside the bucket with all metadata, our digest among it."""
        self._admit(key, "copy")
        if self.conditions["copy"] != "match":
            self._check(entry.key, "copy", entry.version)
        what = control.source(self._wire, entry.key, entry.version)
        return self._copied(entry, key, what, expect)

    def _copied(self, entry: Entry, key: str, what: Headers, expect: Version) -> Entry:
        if self.conditions["copy"] != "match":
            self._check(key, "copy", expect)
        with vanished("copy", key, entry.version):
            etag = self._despite_ghosts(key, expect, lambda bound: self._copy_once(entry, key, what, bound))
        head = self._head(key, "copy")
        if head.version != etag or head.size != entry.size:
            raise DamagedError("the copy is not what was copied", op="copy", path=key)
        told_by_content = entry.size <= control.COPY_BYTES and "-" not in entry.version
        if self.conditions["copy"] != "match" and told_by_content and etag != entry.version:
            raise ChangedError("changed while it was copied", op="copy", path=entry.key)
        return head.entry(key)

    def _copy_once(self, entry: Entry, key: str, what: Headers, expect: Version) -> Version:
        if entry.size <= control.COPY_BYTES:
            return control.copy(self._wire, key, what=what, into={**condition(expect), **self._at_rest()})
        begin = self._headers(self._head(entry.key, "copy").kept, {})
        return control.copy_in_parts(self._wire, key, entry.size, what=what, begin=begin, expect=expect)

    # --- deleting

    def delete(self, items: Sequence[tuple[str, Version]]) -> Sequence[Exception | None]:
        """In bulk wherever the service compares versions in bulk, or cannot compare; else one by one, side by side."""
        if self.conditions["delete"] == "match" and self.conditions["bulk"] != "match":
            return self._each(self._delete, items)
        outcomes: list[Exception | None] = []
        for start in range(0, len(items), control.BULK):
            outcomes += self._delete_bulk(items[start : start + control.BULK])
        return outcomes

    def _delete(self, item: tuple[str, Version]) -> None:
        key, expect = item
        self._admit(key, "delete")
        try:
            control.delete(self._wire, key, expect)
        except (ChangedError, NotFoundError):  # of a key; or of a whole bucket, or from a proxy that knows of none
            if self._find(key, "delete"):
                raise

    def _delete_bulk(self, items: Sequence[tuple[str, Version]]) -> list[Exception | None]:
        compares = self.conditions["bulk"] == "match"
        looked = self._each(self._look, items)
        outcomes = dict(enumerate(looked))
        clear = [at for at, error in outcomes.items() if error is None and not _CONTROL.search(items[at][0])]
        sent = [(items[at][0], items[at][1] if compares else ANY) for at in clear]
        outcomes |= zip(clear, self._sent_bulk(sent), strict=True)
        odd = [at for at, (key, _) in enumerate(items) if looked[at] is None and _CONTROL.search(key)]
        outcomes |= zip(odd, self._each(self._delete, [items[at] for at in odd]), strict=True)
        return [outcomes[at] for at in range(len(items))]

    def _sent_bulk(self, items: Sequence[tuple[str, Version]]) -> Sequence[Exception | None]:
        try:
            return control.delete_bulk(self._wire, items) if items else []
        except StoreError as error:
            return [error] * len(items)

    def _look(self, item: tuple[str, Version]) -> None:
        """Refuses what cannot be; and where the service does not compare in bulk, looks whether it is as expected."""
        self._admit(item[0], "delete")
        if self.conditions["bulk"] != "match":
            self._check(item[0], "delete", item[1])

    # --- old versions

    def version_id(self, entry: Entry) -> str:
        """As the service tells it. `null` is the name of whatever was written last while no versions were kept."""
        self._admit(entry.key, "versions")
        told = self._wire.call("HEAD", entry.key, op="versions").headers
        if _head_of(told, entry.key, "versions").version != entry.version:
            raise ChangedError("is not what was expected there", op="versions", path=entry.key)
        return "" if (found := told.get("x-amz-version-id", "null")) == "null" else found

    def versions(self, key: str) -> Iterator[tuple[str, Entry]]:
        """The versions of a key, newest first; a time at which it was deleted is none."""
        self._admit(key, "versions")
        for old in control.versions(self._wire, key):
            if not old.removed:
                yield old.id, Entry(key, old.size, old.version, old.mtime_ns)

    def restore(self, key: str, version_id: str, *, expect: Version) -> Entry:
        """Makes an old version the current one, by a copy inside the bucket."""
        self._admit(key, "restore")
        old = next((one for found, one in self.versions(key) if found == version_id), None)
        if old is None:
            raise NotFoundError(f"the bucket no longer keeps version {version_id}", op="restore", path=key)
        return self._copied(old, key, control.source(self._wire, key, old.version, version_id), expect)

    # --- the bucket

    def ensure(self, *, dry: bool = False) -> Sequence[str]:
        """Makes the bucket if it is missing."""
        if control.exists(self._wire):
            return []
        if not dry:
            control.make_bucket(self._wire)
        return [f"bucket {self._where.container}"]

    def probe(self) -> dict[str, str]:
        """Finds out, by small objects of its own, what the service compares, and how the bucket keeps old bytes."""
        return Probe(self._wire, f"{CONTROL_DIR}/probe-{token_hex(8)}").run()

    def trust(self, found: Mapping[str, str]) -> None:
        """Takes over what `probe` found out, now or in an earlier run."""
        self.conditions |= found
        self._compares = self.conditions["write"]

    def close(self) -> None:
        """Ends the threads and the connections of the wire."""
        super().close()
        if "_uploads" in self.__dict__:
            self._uploads.close()
        if "_wire" in self.__dict__:
            self._wire.close()

    # --- inside

    @cached_property
    def _identity(self) -> Any:
        return credentials(self._where)

    @cached_property
    def _lane(self) -> Any:
        return fast_lane(self._where, self._identity)

    @cached_property
    def _wire(self) -> Wire:
        return Wire(bucket(self._where), self._root, self._identity, connections=self._where.options.concurrency)

    @cached_property
    def _uploads(self) -> Uploads:
        return Uploads(self._wire)

    def _usual_order(self) -> str:
        return "bytes" if is_aws(self._where) else "none"

    def _usual_conditions(self) -> dict[str, str]:
        return {"write": self._compares, "delete": "stat", "copy": "stat", "bulk": "none", "keeps": "copy"}


def _head_of(told: Headers, key: str, op: str) -> Head:
    """What the headers of an answer say of an object."""
    etag, size = told.get("etag"), told.get("content-length", "")
    if not etag or not size.isdigit():
        raise DamagedError("the answer is not one of an object store", op=op, path=key)
    modified = parsedate_to_datetime(told["last-modified"]).timestamp() if "last-modified" in told else 0
    kept = {name.removeprefix(_META): value for name, value in told.items() if name.startswith(_META) or name in _KEPT}
    return Head(int(size), Version(bare(etag)), int(modified) * 1_000_000_000, kept)
