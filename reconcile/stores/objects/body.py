"""A body on its way out: read to its end before anything is published, and marked with what proves it later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from hashlib import md5, sha256
from typing import Final

from msgspec import Struct

from reconcile.core.entry import Digest
from reconcile.core.errors import UnstableError
from reconcile.ports import Body

DIGEST: Final = "reconcile-digest"
"""The metadata with the SHA-256 of the content, a dash and its size: a foreign copy of the mark is noticed."""

TOKEN: Final = "reconcile-token"  # noqa: S105 - the name of a mark, not a secret

_READ_BYTES: Final = 256 << 10
"""Little enough to stay in the cache of the processor until it is hashed and copied, and to need no fresh memory."""
_HEADERS: Final = {
    name.lower(): name
    for name in ("Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type")
}


class Whole(Struct, frozen=True):
    """A small body, read to its end; `md5` in hexadecimal digits."""

    data: bytes
    digest: Digest
    md5: str


def whole(body: Body, op: str, path: str) -> Whole:
    """All of a small body; `UnstableError` when it is not as long as it says."""
    with closing(body.open()) as stream:
        data = stream.read()
    if len(data) != body.size_bytes:
        raise UnstableError(f"gave {len(data)} bytes, not {body.size_bytes}", op=op, path=path)
    known = body.md5.hex() if body.md5 else md5(data, usedforsecurity=False).hexdigest()
    return Whole(data, body.digest or Digest(sha256(data).digest()), known)


def parts(body: Body, part_bytes: int, path: str) -> Iterator[bytearray]:
    """The body in parts of one size, the last one shorter; ends only after the stream itself has ended."""
    size = 0
    with closing(body.open()) as stream:
        while True:
            part = bytearray()
            while len(part) < part_bytes and (chunk := stream.read(min(_READ_BYTES, part_bytes - len(part)))):
                part += chunk
            size += len(part)
            if size > body.size_bytes or (not part and size < body.size_bytes):
                raise UnstableError(f"gave {size} bytes, not {body.size_bytes}", op="write", path=path)
            if not part:
                return
            yield part


def attributes(body: Body, digest: Digest | None) -> dict[str, str]:
    """What is kept beside the bytes: real headers under their names, all else as metadata, and our marks."""
    kept = {}
    for name, value in body.attributes.items():
        plain = name.lower().replace("_", "-")
        kept[_HEADERS.get(plain, plain)] = value
    if body.content_type:
        kept["Content-Type"] = body.content_type
    if digest:
        kept[DIGEST] = f"{digest.hex()}-{body.size_bytes}"
    if body.token:
        kept[TOKEN] = body.token
    return kept


def marked_digest(kept: Mapping[str, str], size: int) -> Digest | None:
    """The digest among the metadata of an object, if it was made for an object of this size."""
    told, _, of_size = kept.get(DIGEST, "").partition("-")
    if len(told) != 64 or of_size != str(size):
        return None
    try:
        return Digest(bytes.fromhex(told))
    except ValueError:
        return None
