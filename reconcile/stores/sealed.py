"""A body on its way out in one request: its last bytes are held back until its stream has ended well.

A request that promised more than it sent publishes nothing, so a body that breaks at its very end publishes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Final

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
