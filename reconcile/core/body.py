"""What is to be written: bytes, and the digests of a content."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from msgspec import Struct

from reconcile.core.entry import Digest


class Hashes(Struct, frozen=True):
    """Digests of one content, made in one pass. `md5` only where a store may prove equality with it."""

    sha256: Digest
    md5: bytes = b""


class Body(Struct, frozen=True, kw_only=True):
    """Bytes to be written: re-openable, so that a retry can start again at 0.

    `open()` gives a fresh binary stream. **Reading it to its end is the permission to publish**: at the end the stream
    has proven that the source held still, that the bytes are those that were planned, and that the intent is in the
    journal; else that last `read` raises and nothing may be published. `data` holds the whole content when it is small
    (then `digest` and `md5` are known). `token` marks our write in the store's metadata, where it has any. `begun` is
    told a mark for `Tidy.discard` before any byte stands where the death of this process would leave it. `origin` is
    the path in the source, for messages and for stores that read the content as more than bytes. A stream over a local
    file has its `fileno()`: such a store may read the file through that handle, while the stream proves it. `aside` is
    the key to keep what it replaces under, for a store that `keeps` by moving.
    """

    size_bytes: int
    open: Callable[[], BinaryIO]
    begun: Callable[[str], None] | None = None
    data: bytes | None = None
    digest: Digest | None = None
    md5: bytes = b""
    token: str = ""
    executable: bool = False
    origin: str = ""
    aside: str = ""
    content_type: str = ""
    attributes: dict[str, str] = {}
    tags: dict[str, str] = {}
