"""A body on its way out, read to its end before anything is published."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from hashlib import md5, sha256
from typing import Final

from msgspec import Struct

from reconcile.core.entry import Digest
from reconcile.core.errors import UnstableError
from reconcile.ports import Body

_READ_BYTES: Final = 256 << 10
"""Little enough to stay in the cache of the processor until it is hashed and copied, and to need no fresh memory."""


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
