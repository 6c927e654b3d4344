"""What S3 can do beside reading and writing: copies, deletes, old versions, buckets; each bound to what it expects."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from hashlib import md5
from html import escape
from typing import Final, NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree as ET

from reconcile.core.entry import ANY, Version
from reconcile.core.errors import DamagedError, NotFoundError, StoreError
from reconcile.stores.answers import garbled
from reconcile.stores.objects.errors import Refusal, translate
from reconcile.stores.objects.s3_multipart import Part, begun, complete
from reconcile.stores.objects.s3_page import mtime_ns
from reconcile.stores.objects.s3_wire import Headers, Wire, bare, condition, parse, quoted, text

COPY_BYTES: Final = 5 << 30
"""The largest object one request copies."""

COPY_PART_BYTES: Final = 1 << 30
BULK: Final = 1000
"""So many keys go in one delete request."""


class Old(NamedTuple):
    """One version of an object; `id` as the service names it, `removed` for a delete marker."""

    id: str
    size: int
    version: Version
    mtime_ns: int
    removed: bool


def source(wire: Wire, key: str, version: Version, version_id: str = "") -> dict[str, str]:
    """The headers that name what is copied, and bind the copy to its version."""
    name = quote(f"{wire.bucket.name}/{wire.root}{key}", safe="/~")
    if version_id:
        return {"x-amz-copy-source": f"{name}?versionId={quote(version_id, safe='')}"}
    return {"x-amz-copy-source": name, "x-amz-copy-source-if-match": quoted(version)}


def copy(wire: Wire, key: str, *, what: Headers, into: Headers) -> Version:
    """Copies one object of up to 5 GiB with its metadata, `what` and `into` being headers; the ETag of the copy."""
    reply = wire.call("PUT", key, op="copy", headers={**what, **into})
    return Version(bare(text(reply.root("CopyObjectResult", "copy", key), "ETag")))


def copy_in_parts(wire: Wire, key: str, size: int, *, what: Headers, begin: Headers, expect: Version) -> Version:
    """The same for larger ones; `begin` are the headers the copy is made with."""
    with begun(wire, key, begin) as upload:
        parts = []
        for number, start in enumerate(range(0, size, COPY_PART_BYTES), 1):
            span = f"bytes={start}-{min(start + COPY_PART_BYTES, size) - 1}"
            query = {"partNumber": str(number), "uploadId": upload}
            reply = wire.call("PUT", key, op="copy", query=query, headers={**what, "x-amz-copy-source-range": span})
            parts.append(Part(number, text(reply.root("CopyPartResult", "copy", key), "ETag")))
        return complete(wire, (key, upload), parts, expect)


def delete(wire: Wire, key: str, expect: Version) -> None:
    """Deletes one object if it is what was expected; `NotFoundError` where the service says that nothing is there."""
    wire.call("DELETE", key, op="delete", headers=condition(expect))


def delete_bulk(wire: Wire, items: Sequence[tuple[str, Version]]) -> list[StoreError | None]:
    """Deletes up to 1,000 objects in one request, each if it has its version (`ANY`: whatever it is)."""
    objects = "".join(f"<Object>{_named(wire.root + key)}{_bound(expect)}</Object>" for key, expect in items)
    data = f"<Delete>{objects}</Delete>".encode()
    reply = wire.call(
        "POST",
        op="delete",
        query={"delete": ""},
        headers={"Content-MD5": b64encode(md5(data, usedforsecurity=False).digest()).decode()},
        data=data,
    )
    root = reply.root("DeleteResult", "delete", "")
    gone = {text(deleted, "Key").removeprefix(wire.root) for deleted in root.iterfind("Deleted")}
    errors = {text(error, "Key").removeprefix(wire.root): error for error in root.iterfind("Error")}
    return [_outcome(key, gone, errors) for key, _ in items]


def _outcome(key: str, gone: set[str], errors: Mapping[str, ET.Element]) -> StoreError | None:
    if key in errors:
        return _refused(errors[key], key)
    if key not in gone:
        return garbled("the answer does not say whether it is gone", "delete", key)
    return None


def _refused(error: ET.Element, key: str) -> StoreError | None:
    code = text(error, "Code")
    if code in ("NoSuchKey", "NoSuchVersion"):
        return None
    status = {"PreconditionFailed": 412, "AccessDenied": 403, "InternalError": 500, "SlowDown": 503}.get(code, 400)
    return translate(Refusal(status, code, text(error, "Message")), "delete", key)


def _named(key: str) -> str:
    """A key as XML has it; control characters that XML 1.0 forbids never get here."""
    return f"<Key>{escape(key)}</Key>"


def _bound(expect: Version) -> str:
    return "" if expect == ANY else f"<ETag>{escape(quoted(expect))}</ETag>"


def versions(wire: Wire, key: str) -> Iterator[Old]:
    """All versions of one key, newest first."""
    query = {"versions": "", "prefix": wire.root + key, "max-keys": "1000"}
    while True:
        root = wire.call("GET", op="versions", query=query).root("ListVersionsResult", "versions", key)
        for found in root:
            if found.tag in ("Version", "DeleteMarker") and text(found, "Key") == wire.root + key:
                yield _old(found)
        marker = text(root, "NextKeyMarker"), text(root, "NextVersionIdMarker")
        if text(root, "IsTruncated") != "true" or marker[0] > wire.root + key:
            return
        if not marker[0] or marker == (query.get("key-marker"), query.get("version-id-marker")):
            raise DamagedError("the list of versions goes in circles", op="versions", path=key)
        query |= {"key-marker": marker[0], "version-id-marker": marker[1]}


def _old(found: ET.Element) -> Old:
    return Old(
        text(found, "VersionId"),
        int(text(found, "Size") or 0),
        Version(bare(text(found, "ETag"))),
        mtime_ns(text(found, "LastModified")),
        found.tag == "DeleteMarker",
    )


def keeps_versions(wire: Wire) -> bool:
    """Whether the bucket keeps old versions."""
    reply = wire.call("GET", op="versions", query={"versioning": ""})
    return text(parse(reply.data, "versions", ""), "Status") == "Enabled"


def exists(wire: Wire) -> bool:
    """Whether the bucket is there."""
    try:
        wire.call("HEAD", op="ensure")
    except NotFoundError:
        return False
    return True


def make_bucket(wire: Wire) -> None:
    """Makes the bucket in its region."""
    at = wire.bucket.region
    where = f"<LocationConstraint>{at}</LocationConstraint>" if at != "us-east-1" else ""
    data = f"<CreateBucketConfiguration>{where}</CreateBucketConfiguration>".encode() if where else b""
    wire.call("PUT", op="ensure", data=data)
