"""A body on its way out in one request: its last bytes are held back until its stream has ended well.

A request that promised more than it sent publishes nothing, so a body that breaks at its very end publishes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
import io
from typing import Any, BinaryIO, Final

from reconcile.core.errors import UnstableError
from reconcile.ports import Body

CHUNK_BYTES: Final = 1 << 20


def sealed(body: Body, path: str, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """The body in chunks, the last of them only after the end; `UnstableError` when it is not as long as it says."""
    size, held = 0, b""
    with closing(body.open()) as stream:
        while chunk := stream.read(chunk_bytes):
            size += len(chunk)
            if size > body.size_bytes:
                break
            if held:
                yield held
            held = chunk
    if size != body.size_bytes:
        raise UnstableError(f"gave {size} bytes, not {body.size_bytes}", op="write", path=path)
    if held:
        yield held


class _Chunks(io.RawIOBase):
    """Chunks, read like a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._rest:
            self._rest = next(self._chunks, b"")
        given = self._rest[: len(buffer)]
        buffer[: len(given)] = given
        self._rest = self._rest[len(given) :]
        return len(given)


def reader(chunks: Iterator[bytes]) -> BinaryIO:
    """What a store gives in chunks, as a stream that another write can send."""
    return io.BufferedReader(_Chunks(chunks), CHUNK_BYTES)
