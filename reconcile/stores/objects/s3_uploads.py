"""Uploads that were begun and not completed: a bucket keeps their parts, unseen and paid for, until they are aborted.

S3 says of an upload its key, its name and when it was begun, and nothing of who began it: whoever needs to know keeps
the name himself, as the journal does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

from reconcile.core.entry import Leftover
from reconcile.core.errors import DamagedError, NotFoundError
from reconcile.stores.objects.errors import NoUploadError
from reconcile.stores.objects.s3_page import mtime_ns
from reconcile.stores.objects.s3_wire import Wire, text

UPLOAD: Final = "upload "
"""How the mark of an upload begins; its name follows. A mark without it is a token: one request left nothing behind."""


def uploads(wire: Wire) -> Iterator[Leftover]:
    """All uploads under way below the root of the wire, page by page."""
    query = {"uploads": "", "prefix": wire.root, "encoding-type": "url", "max-uploads": "1000"}
    seen: set[tuple[str, str]] = set()
    while True:
        root = wire.call("GET", op="list", query=query).root("ListMultipartUploadsResult", "list", wire.root)
        encoded = text(root, "EncodingType") == "url"
        for upload in root.iterfind("Upload"):
            yield _leftover(wire, upload, encoded=encoded)
        if text(root, "IsTruncated") != "true":
            return
        marker = _plain(text(root, "NextKeyMarker"), encoded=encoded), text(root, "NextUploadIdMarker")
        if not marker[0] or marker in seen:
            raise DamagedError("the list of uploads goes in circles", op="list", path=wire.root)
        seen.add(marker)
        query |= {"key-marker": marker[0], "upload-id-marker": marker[1]}


def abort(wire: Wire, key: str, mark: str) -> None:
    """Gives up the upload a mark names; nothing there is nothing to do."""
    try:
        wire.call("DELETE", key, op="discard", query={"uploadId": mark.removeprefix(UPLOAD)})
    except (NotFoundError, NoUploadError):
        return


def _leftover(wire: Wire, upload: ET.Element, *, encoded: bool) -> Leftover:
    key, name, began = (text(upload, tag) for tag in ("Key", "UploadId", "Initiated"))
    key = _plain(key, encoded=encoded)
    if not name or not key.startswith(wire.root):
        raise DamagedError("the list of uploads is broken", op="list", path=wire.root)
    return Leftover(key.removeprefix(wire.root), f"{UPLOAD}{name}", mtime_ns(began))


def _plain(key: str, *, encoded: bool) -> str:
    return unquote_plus(key, errors="surrogateescape") if encoded else key
