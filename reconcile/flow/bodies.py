"""What is sent: small files whole in memory, large ones as a stream whose end is the permission to publish."""

from __future__ import annotations

from collections.abc import Callable
import io
import mimetypes

from reconcile.core.change import Change
from reconcile.core.entry import Digest, Entry, Version
from reconcile.core.errors import StalePlanError, UnstableError
from reconcile.flow.layout import needs_digest
from reconcile.flow.wired import Wired
from reconcile.ports import Body, Hashes


def small_body(wired: Wired, change: Change, token: str, *, pinned: bool) -> tuple[Body, Version]:
    """Reads the source once; the body, and the version that was read.

    A file edited since it was planned is sent as it is now, unless the plan was saved: then `StalePlanError`; or its
    key holds the hash of what it was: then `UnstableError`.
    """
    data, hashes, entry = _read(wired, change)
    _check_pin(change, hashes.sha256, pinned=pinned)
    if needs_digest(wired.layout) and hashes.sha256 != change.digest:
        message = "was edited since it was planned, and its name there holds the hash of what it was"
        raise UnstableError(message, op="apply", path=change.source_path, hint="reconcile apply sends it as it is now")
    if pinned and entry.executable != change.executable:
        raise _changed(change)
    body = Body(
        size_bytes=len(data),
        open=lambda: io.BytesIO(data),
        data=data,
        digest=hashes.sha256,
        md5=hashes.md5,
        executable=entry.executable,
        token=token,
        origin=change.source_path,
        content_type=_content_type(wired, change.key),
        attributes=wired.sending.attributes,
        tags=wired.sending.tags,
    )
    return body, entry.version


def large_body(wired: Wired, change: Change, token: str, sealed: Callable[[Digest], None], *, pinned: bool) -> Body:
    """A body that is read as it is sent; `sealed(digest)` is called before its end is told."""

    def seal(digest: Digest) -> None:
        _check_pin(change, digest, pinned=pinned)
        sealed(digest)

    version = None if pinned else change.source_version or None  # another checkout may apply it: the digest decides
    return Body(
        size_bytes=change.size,
        open=lambda: wired.reader.stream(change.source_path, version, seal),
        executable=change.executable,
        token=token,
        origin=change.source_path,
        content_type=_content_type(wired, change.key),
        attributes=wired.sending.attributes,
        tags=wired.sending.tags,
    )


def source_digest(wired: Wired, change: Change) -> Digest:
    """The digest of the source, for changes that send nothing."""
    if change.digest is not None:
        return change.digest
    return wired.reader.hashes(change.source_path, change.source_version or None).sha256


def _read(wired: Wired, change: Change) -> tuple[bytes, Hashes, Entry]:
    md5 = wired.target.traits.waits
    try:
        return wired.reader.whole(change.source_path, change.source_version or None, md5=md5)
    except UnstableError:
        return wired.reader.whole(change.source_path, None, md5=md5)


def _check_pin(change: Change, digest: Digest, *, pinned: bool) -> None:
    if pinned and change.digest is not None and digest != change.digest:
        raise _changed(change)


def _changed(change: Change) -> StalePlanError:
    return StalePlanError("the source changed after the plan", op="apply", path=change.source_path, hint="plan again")


def _content_type(wired: Wired, key: str) -> str:
    """As the spec has it; else guessed from the name, where a store keeps such a thing at all."""
    if wired.sending.content_type != "auto":
        return wired.sending.content_type
    return mimetypes.guess_type(key)[0] or "" if wired.target.traits.waits else ""
