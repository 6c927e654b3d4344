"""What is sent: small files whole in memory, large ones as a stream whose end is the permission to publish."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import md5, sha256
import io
import mimetypes
from typing import BinaryIO, Final, cast

from reconcile.core.change import Change
from reconcile.core.entry import Digest, Entry, Version
from reconcile.core.errors import ChangedError, NotFoundError, StalePlanError, UnstableError
from reconcile.flow.wired import Wired
from reconcile.ports import Body

SMALL_BYTES: Final = 16 << 20
"""Files up to this size are read once, whole: hashed, checked and sent from memory."""

_TRIES: Final = 3


def small_body(wired: Wired, change: Change, token: str, *, pinned: bool) -> tuple[Body, Version]:
    """Reads the source once; the body, and the version that was read.

    `StalePlanError` if it is not what a saved plan saw, `UnstableError` if it moves."""
    entry, data = _read_steady(wired, change, pinned=pinned)
    digest = Digest(sha256(data).digest())
    _check_pin(change, digest, pinned=pinned)
    body = Body(
        size_bytes=len(data),
        open=lambda: io.BytesIO(data),
        data=data,
        digest=digest,
        md5=md5(data, usedforsecurity=False).digest() if wired.target.traits.waits else b"",
        executable=entry.executable if entry is not None else change.executable,
        token=token,
        content_type=_content_type(wired, change.key),
        attributes=wired.sending.attributes,
        tags=wired.sending.tags,
    )
    return body, entry.version if entry is not None else change.source_version


def large_body(wired: Wired, change: Change, token: str, sealed: Callable[[Digest], None], *, pinned: bool) -> Body:
    """A body that is read as it is sent; `sealed(digest)` is called before its end is told."""

    def seal(digest: Digest) -> None:
        _check_pin(change, digest, pinned=pinned)
        sealed(digest)

    def open_again() -> BinaryIO:
        chunks = wired.source.read(change.source_path, version=change.source_version or None)
        return cast("BinaryIO", io.BufferedReader(_SealedStream(_as_source(chunks, change), seal), 1 << 20))

    return Body(
        size_bytes=change.size,
        open=open_again,
        executable=change.executable,
        token=token,
        content_type=_content_type(wired, change.key),
        attributes=wired.sending.attributes,
        tags=wired.sending.tags,
    )


def _check_pin(change: Change, digest: Digest, *, pinned: bool) -> None:
    if pinned and change.digest is not None and digest != change.digest:
        raise StalePlanError("the source changed after the plan", op="apply", path=change.key, hint="plan again")


def _read_steady(wired: Wired, change: Change, *, pinned: bool) -> tuple[Entry | None, bytes]:
    """The content at the planned version; a file edited since is read as it is now, unless the plan was saved."""
    version, entry = change.source_version, None
    for _ in range(_TRIES):
        try:
            return entry, b"".join(wired.source.read(change.source_path, version=version or None))
        except (ChangedError, UnstableError) as error:
            if pinned:
                raise StalePlanError(
                    "the source changed after the plan", op="apply", path=change.source_path, hint="plan again"
                ) from error
            entry = wired.source.stat(change.source_path)
            if entry is None or entry.kind:
                raise NotFoundError("gone since it was planned", op="read", path=change.source_path) from error
            version = entry.version
    raise UnstableError(
        "it changes while it is read", op="read", path=change.source_path, hint="the next run tries again"
    )


def _as_source(chunks: Iterator[bytes], change: Change) -> Iterator[bytes]:
    """A source that changed is never mistaken for a target that did."""
    try:
        yield from chunks
    except ChangedError as error:
        raise UnstableError("it changed while it was sent", op="read", path=change.source_path) from error


def _content_type(wired: Wired, key: str) -> str:
    if wired.sending.content_type != "auto":
        return wired.sending.content_type
    return "" if wired.target.traits.tree else mimetypes.guess_type(key)[0] or ""


class _SealedStream(io.RawIOBase):
    """A raw stream over chunks; at their end, and only there, the digest is sealed."""

    def __init__(self, chunks: Iterator[bytes], seal: Callable[[Digest], None]) -> None:
        self._chunks = chunks
        self._seal = seal
        self._rest = memoryview(b"")
        self._hash = sha256()
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        into = memoryview(buffer)  # type: ignore[arg-type]
        if not self._rest and not self._ended:
            self._refill()
        count = min(len(into), len(self._rest))
        into[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _refill(self) -> None:
        for chunk in self._chunks:
            if chunk:
                self._hash.update(chunk)
                self._rest = memoryview(chunk)
                return
        self._ended = True
        self._seal(Digest(self._hash.digest()))


def source_digest(wired: Wired, change: Change) -> Digest:
    """The digest of the source as it is now, read steadily; for changes that send nothing."""
    if change.digest is not None:
        return change.digest
    strong = sha256()
    for chunk in _as_source(wired.source.read(change.source_path, version=change.source_version or None), change):
        strong.update(chunk)
    return Digest(strong.digest())
