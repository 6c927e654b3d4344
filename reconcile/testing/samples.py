"""What the suite writes: bodies that are good, and one that breaks; and the shortest ways to look."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import md5, sha256
from io import BytesIO
from typing import Any, BinaryIO, Final

from reconcile.core.entry import ABSENT, Digest, Entry, Version
from reconcile.core.errors import UnstableError
from reconcile.ports import Body, Store

NAMES: Final = (
    "plain.txt",
    "two words.txt",
    "percent%2Fescape",
    "plus+sign",
    "hash#mark",
    "hash#1",
    "what?",
    "amp&equals=semi;colon:at@",
    "quote'double\"back`tick",
    "star*[range]{brace}",
    "dash-first/-x",
    "dots/...",
    "back\\slash",
    "umlaut-ü-composed",
    "emoji-\N{SMILING FACE WITH SUNGLASSES}",
    "hebrew-\N{HEBREW LETTER ALEF}-bidi-\N{RIGHT-TO-LEFT OVERRIDE}x",
    " leading-and-trailing ",
    "tab\tand\nnewline",
    "escape-\x1b[31m",
)
"""Names a store either keeps exactly or refuses; never changes."""


def body_of(data: bytes, *, token: str = "", executable: bool = False) -> Body:
    """A small body, with its digests."""
    return Body(
        size_bytes=len(data),
        open=partial(BytesIO, data),
        data=data,
        digest=Digest(sha256(data).digest()),
        md5=md5(data, usedforsecurity=False).digest(),
        token=token,
        executable=executable,
    )


def stream_of(data: bytes, *, size_bytes: int | None = None, opened: Callable[[bytes], BinaryIO] = BytesIO) -> Body:
    """A body that is only a stream, as large files are; it may promise another size than it gives."""
    return Body(size_bytes=len(data) if size_bytes is None else size_bytes, open=partial(opened, data))


class BreakingStream(BytesIO):
    """Gives all its bytes and then raises where others say that they have ended: the permission is refused."""

    def read(self, size: int | None = -1, /) -> bytes:
        """As `BytesIO.read`, but for the last one."""
        chunk = super().read(size)
        if size is None or size < 0 or (size and not chunk):
            raise UnstableError("changed while it was read", op="read")
        return chunk

    def readinto(self, buffer: Any, /) -> int:
        """As `read`."""
        chunk = self.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)


def content(store: Store, key: str) -> bytes:
    """All bytes under a key."""
    return b"".join(store.read(key))


def put(store: Store, key: str, data: bytes, *, expect: Version = ABSENT) -> Entry:
    """Writes, and gives the entry as the store shows it afterwards."""
    store.write(key, body_of(data), expect=expect)
    entry = store.stat(key)
    assert entry is not None
    return entry


def listed(store: Store, under: str = "", *, after: str | None = None, until: str | None = None) -> list[str]:
    """The keys of a listing that has no problems."""
    entries = list(store.list(under, after=after, until=until))
    assert all(isinstance(entry, Entry) for entry in entries)
    return [entry.key for entry in entries]
