"""One page of an S3 listing, read.

The objects of a page nearly always have one shape: the same elements in the same order. They are then found by one
expression, made from the first of them, in a fraction of the time of the parser; anything else is left to the parser.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
import re
from typing import Final
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

from msgspec.structs import replace

from reconcile.core.entry import Version
from reconcile.core.errors import DamagedError
from reconcile.stores.objects.list import Item
from reconcile.stores.objects.s3_wire import Reply, text

_FIRST: Final = "<Contents>"
_LAST: Final = "</Contents>"
_WANTED: Final = ("Key", "Size", "ETag", "LastModified")
_TEXTS: Final = re.compile(r">[^<]*<")
_PLAIN: Final = re.compile(r"[\w<>/]+")
_TEXT: Final = r"[^<>&\x00-\x08\x0b\x0c\r\x0e-\x1f\ufffe\uffff]*"
"""Text that means just itself, and that the parser would take."""

_LEAF: Final = re.compile(r"<(\w+)></\1>")

_THERE: Final = "objects-stood-here"
_OBJECTS: Final = ("Contents", _THERE)

Fields = tuple[str, str, str, str]
"""What a page says of one object, in the order of `_WANTED`."""

Page = tuple[ET.Element, Iterable[Fields]]
"""All of a page but its objects, and what it says of these."""


def read_page(reply: Reply, prefix: str) -> tuple[ET.Element, list[Item]]:
    """The page, and its objects. `DamagedError` when it is no page, or an object lacks something."""
    root, found = _quickly(reply, prefix) or _parsed(reply, prefix)
    encoded = text(root, "EncodingType") == "url"
    try:
        return root, [_item(fields, encoded) for fields in found]
    except ValueError as error:
        raise DamagedError("a page of the listing is broken", op="list", path=prefix) from error


def _parsed(reply: Reply, prefix: str) -> Page:
    root = reply.root("ListBucketResult", "list", prefix)
    return root, [_fields(each) for each in root.iterfind("Contents")]


def _quickly(reply: Reply, prefix: str) -> Page | None:
    """The same, where all objects of the page, and nothing else, stand in one place right in it; else None."""
    rest, found = _apart(reply)
    if found is None:
        return None
    try:
        root = rest.root("ListBucketResult", "list", prefix)
    except DamagedError:
        return None
    return (root, found) if [each.tag for each in root if each.tag in _OBJECTS] == [_THERE] else None


def _apart(reply: Reply) -> tuple[Reply, Iterable[Fields] | None]:
    """The page with a mark for its objects, and what it says of them; all, and None, if they are not of one shape."""
    try:
        content = reply.data.decode()
    except UnicodeDecodeError:
        return reply, None
    start, last = content.find(_FIRST), content.rfind(_LAST)
    if not 0 <= start < last:
        return reply, None
    end = last + len(_LAST)
    objects = content[start:end].replace("&quot;", '"').replace("&#34;", '"')
    shape = _shape(_TEXTS.sub("><", objects[: objects.index(_LAST) + len(_LAST)]))
    if shape is None:
        return reply, None
    told, each = shape.split(objects), len(_WANTED) + 1
    if any(told[::each]):  # something stands between the objects, or in the place of one
        return reply, None
    columns = (told[shape.groupindex[name] :: each] for name in _WANTED)
    return replace(reply, data=f"{content[:start]}<{_THERE}/>{content[end:]}".encode()), zip(*columns, strict=True)


@lru_cache(maxsize=16)
def _shape(tags: str) -> re.Pattern[str] | None:
    """The expression for objects with these elements; None if they are not simple, or lack or repeat a wanted one."""
    if not _PLAIN.fullmatch(tags) or any(tags.count(f"<{name}></{name}>") != 1 for name in _WANTED):
        return None
    try:
        ET.fromstring(tags)  # noqa: S314 - tags alone
    except ET.ParseError:
        return None

    def leaf(match: re.Match[str]) -> str:
        name = match[1]
        return f"<{name}>(?P<{name}>{_TEXT})</{name}>" if name in _WANTED else f"<{name}>{_TEXT}</{name}>"

    return re.compile(_LEAF.sub(leaf, tags))


def _fields(contents: ET.Element) -> Fields:
    find = contents.findtext
    return find("Key") or "", find("Size") or "", find("ETag") or "", find("LastModified") or ""


def _item(fields: Fields, encoded: bool) -> Item:  # noqa: FBT001 - called a million times
    key, size, etag, modified = fields
    if not key or not etag:
        raise ValueError(key)
    if encoded and ("%" in key or "+" in key):
        key = unquote_plus(key, errors="surrogateescape")
    return Item(key, int(size), Version(etag.strip('"')), mtime_ns(modified))


@lru_cache(maxsize=4096)
def mtime_ns(modified: str) -> int:
    """An ISO time of S3 as Unix ns."""
    return round(datetime.fromisoformat(modified).timestamp() * 1000) * 1_000_000
