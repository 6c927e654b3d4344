"""Large objects in parts: sent side by side, checked one by one, visible only when the whole body has ended well."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import md5
from html import escape
import re
from typing import Final, NamedTuple

from msgspec import Struct

from reconcile.core.entry import Version
from reconcile.core.errors import DamagedError, StoreError
from reconcile.stores.answers import garbled
from reconcile.stores.lanes import Lanes, part_size
from reconcile.stores.objects.errors import vanished
from reconcile.stores.objects.s3_uploads import abort
from reconcile.stores.objects.s3_wire import Headers, Wire, bare, condition, text

PART_BYTES: Final = 16 << 20
AT_ONCE: Final = 5
"""Parts in memory at once, of all uploads of a store together."""

_MD5: Final = re.compile("[0-9a-f]{32}")


class Part(Struct, frozen=True):
    """A part the service has; `etag` as it told, `md5` of what was sent (16 bytes)."""

    number: int
    etag: str
    md5: bytes = b""


class Sent(NamedTuple):
    """What a service told of an upload, and what it should have told if it keeps what was sent."""

    etag: Version
    expected: str


class Uploads:
    """The uploads of one store; they share their threads and the memory of their parts."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._lanes = Lanes(AT_ONCE)

    def close(self) -> None:
        """Ends the threads."""
        self._lanes.close()

    def send(
        self,
        key: str,
        parts: Iterator[bytearray],
        *,
        begin: Headers,
        expect: Version,
        told: Callable[[str], None],
        look: Callable[[], None],
    ) -> Sent:
        """Sends all parts of an upload made with the headers `begin`, and completes it if what is there is expected.

        `told` hears the name of the upload before its first part is sent; `look` is the last thing before it becomes
        visible. Both may raise: whatever fails on the way takes the unfinished upload with it.
        """
        with begun(self._wire, key, begin) as upload:
            told(upload)
            sent = self._lanes.send_all(parts, lambda number, data: send_part(self._wire, (key, upload, number), data))
            look()
            return Sent(complete(self._wire, (key, upload), sent, expect), etag_of([part.md5 for part in sent]))


def part_bytes(size_bytes: int) -> int:
    """How large the parts of an object are."""
    return part_size(size_bytes, PART_BYTES)


@contextmanager
def begun(wire: Wire, key: str, headers: Headers) -> Iterator[str]:
    """An upload to be filled and completed inside; it is given up when that fails."""
    reply = wire.call("POST", key, op="write", query={"uploads": ""}, headers=headers)
    upload = text(reply.root("InitiateMultipartUploadResult", "write", key), "UploadId")
    if not upload:
        raise garbled("began an upload without a name", "write", key)
    try:
        yield upload
    except BaseException:
        with suppress(StoreError):  # what failed first is the error; an orphan is found by `gc`
            abort(wire, key, upload)
        raise


def send_part(wire: Wire, which: tuple[str, str, int], data: bytearray) -> Part:
    """Sends one part of (key, upload, number); its MD5 goes with it, so that the service refuses other bytes."""
    key, upload, number = which
    digest = digest_of(data)
    reply = wire.call(
        "PUT",
        key,
        op="write",
        query={"partNumber": str(number), "uploadId": upload},
        headers={"Content-MD5": b64encode(digest).decode()},
        data=data,
    )
    etag = reply.headers.get("etag", "")
    if not etag:
        raise garbled("tells nothing of the part it got", "write", key)
    if is_md5(bare(etag)) and bare(etag) != digest.hex() and not under_kms(reply.headers):
        raise DamagedError("keeps other bytes than were sent", op="write", path=key)
    return Part(number, etag, digest)


def complete(wire: Wire, which: tuple[str, str], parts: Sequence[Part], expect: Version) -> Version:
    """Makes the parts of (key, upload) one object, if what is there is what was expected; its ETag."""
    key, upload = which
    listed = "".join(
        f"<Part><PartNumber>{part.number}</PartNumber><ETag>{escape(part.etag)}</ETag></Part>" for part in parts
    )
    data = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    query = {"uploadId": upload}
    with vanished("write", key, expect):
        reply = wire.call("POST", key, op="write", query=query, headers=condition(expect), data=data)
    return Version(bare(text(reply.root("CompleteMultipartUploadResult", "write", key), "ETag")))


def is_md5(etag: str) -> bool:
    """Whether an ETag has the form of an MD5."""
    return _MD5.fullmatch(etag) is not None


def under_kms(headers: Headers) -> bool:
    """Whether an ETag is no MD5 because the object is encrypted with a key of KMS."""
    return headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")


def digest_of(data: bytes | bytearray) -> bytes:
    """The MD5 of a part."""
    return md5(data, usedforsecurity=False).digest()


def etag_of(digests: Sequence[bytes]) -> str:
    """The ETag a service gives to parts that it keeps as they were sent: the MD5 of their MD5s, and their number."""
    return f"{digest_of(b''.join(digests)).hex()}-{len(digests)}"
