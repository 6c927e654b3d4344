"""The pages of an S3 listing, each one checked: a listing ends because the service says so, never because it broke."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

from reconcile.core.errors import DamagedError, NotFoundError
from reconcile.stores.answers import NoContainerError
from reconcile.stores.objects.list import Item
from reconcile.stores.objects.s3_page import read_page
from reconcile.stores.objects.s3_wire import Headers, Wire, text
from reconcile.stores.patience import Ask

EMPTY_PAGES: Final = 100
"""So many pages in a row may hold nothing, before a listing counts as one that never ends."""


def pages(wire: Wire, prefix: str, start_after: str, ask: Ask) -> Iterator[list[Item]]:
    """All pages below `prefix` whose keys come after `start_after` ("": from the start); `ask` asks for each."""
    query = {"list-type": "2", "encoding-type": "url", "max-keys": "1000", "prefix": prefix}
    if start_after:
        query["start-after"] = start_after
    trail = _Trail(prefix)
    token: str | None = None
    while token != "":
        root, page = ask(lambda: _page(wire, query, prefix))
        token = trail.next(root, page)
        yield page
        query["continuation-token"] = token


def _page(wire: Wire, query: Headers, prefix: str) -> tuple[ET.Element, list[Item]]:
    """One page. Only the bucket can be missing: nothing found where it is there would read as nothing kept."""
    try:
        return read_page(wire.call("GET", op="list", query=query), prefix)
    except NoContainerError:
        raise
    except NotFoundError as error:
        raise DamagedError("answers that the listing is missing", op="list", path=prefix) from error


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
