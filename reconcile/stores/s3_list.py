"""The pages of an S3 listing, each one checked: a listing ends because the service says so, never because it broke."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

from reconcile.core.entry import Version
from reconcile.core.errors import DamagedError
from reconcile.stores.object_list import Item
from reconcile.stores.s3_wire import Wire, text

EMPTY_PAGES: Final = 100
"""So many pages in a row may hold nothing, before a listing counts as one that never ends."""


def pages(wire: Wire, prefix: str, start_after: str) -> Iterator[list[Item]]:
    """All pages below `prefix` whose keys come after `start_after` ("": from the start)."""
    query = {"list-type": "2", "encoding-type": "url", "max-keys": "1000", "prefix": prefix}
    if start_after:
        query["start-after"] = start_after
    trail = _Trail(prefix)
    token: str | None = None
    while token != "":
        root = wire.call("GET", op="list", query=query).root("ListBucketResult", "list", prefix)
        page = _items(root, prefix)
        token = trail.next(root, page)
        yield page
        query["continuation-token"] = token


class _Trail:
    """What a listing has shown so far, as far as it takes to see that it goes in circles."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._tokens: set[str] = set()
        self._firsts: set[str] = set()
        self._empty = 0

    def next(self, root: ET.Element, page: list[Item]) -> str:
        """The token of the next page, "" after the last one."""
        token = text(root, "NextContinuationToken")
        if text(root, "IsTruncated") != "true":
            if token or text(root, "IsTruncated") != "false":
                raise self._damaged("does not say whether it goes on")
            return ""
        first = page[0].key if page else ""
        self._empty = 0 if page else self._empty + 1
        if not token:
            raise self._damaged("goes on, but does not say where")
        if token in self._tokens or (page and first in self._firsts) or self._empty > EMPTY_PAGES:
            raise self._damaged("goes in circles")
        self._tokens.add(token)
        self._firsts.add(first)
        return token

    def _damaged(self, how: str) -> DamagedError:
        return DamagedError(f"the listing {how}", op="list", path=self._prefix)


def _items(root: ET.Element, prefix: str) -> list[Item]:
    encoded = text(root, "EncodingType") == "url"
    try:
        return [_item(contents, encoded) for contents in root.iterfind("Contents")]
    except (ValueError, TypeError) as error:
        raise DamagedError("a page of the listing is broken", op="list", path=prefix) from error


def _item(contents: ET.Element, encoded: bool) -> Item:  # noqa: FBT001 - called a million times
    find = contents.findtext
    key, size, etag, modified = find("Key"), find("Size"), find("ETag"), find("LastModified")
    if not key or not etag:
        raise ValueError(key)
    if encoded and ("%" in key or "+" in key):
        key = unquote_plus(key, errors="surrogateescape")
    return Item(key, int(size or ""), Version(etag.strip('"')), mtime_ns(modified or ""))


def mtime_ns(modified: str) -> int:
    """An ISO time of S3 as Unix ns."""
    return round(datetime.fromisoformat(modified).timestamp() * 1000) * 1_000_000
