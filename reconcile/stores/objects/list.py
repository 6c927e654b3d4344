"""From the pages of a service to entries: what is ours to see, what is broken, and whether the order can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from reconcile.core.entry import Cover, Entry, Problem, Version
from reconcile.core.errors import DamagedError, StoreError
from reconcile.core.path import has_control, why_not_key

_ENDS: Final = ("", ".", "/")
"""How a key begins that is not plain."""


class UnorderedError(DamagedError):
    """A listing that was promised in byte order is not; begin again, sequentially and through the spill."""


class Item(Struct, frozen=True, gc=False):
    """One object of a page; `key` is whole, with the prefix."""

    key: str
    size: int
    version: Version
    mtime_ns: int


class View(Struct, frozen=True):
    """What is to be listed: keys below `root` + `under`, in `(after, until]`, all but the root relative to it."""

    root: str
    under: str = ""
    after: str | None = None
    until: str | None = None

    @property
    def prefix(self) -> str:
        """The prefix to ask for; it ends with a slash, so that siblings are never seen."""
        return f"{self.root}{self.under}/" if self.under else self.root

    @property
    def whole(self) -> bool:
        """Whether nothing of the root is left out."""
        return not self.under and self.after is None and self.until is None


class Order:
    """Whether a service lists in byte order: `trusted` when it promised, or has shown it beyond doubt.

    It has shown it when a whole sequential listing came in order and held a witness: `x-…` or `x.…` right before
    `x/…`. A service that lists by path segments puts `x/…` first.
    """

    def __init__(self, *, trusted: bool) -> None:
        self.trusted = trusted

    def watch(self, items: Iterable[Item], view: View) -> Iterator[Item]:
        """Passes items on without repetitions; judges the order at the end of a whole listing, and at any break."""
        last, broken, witness = "", False, False
        for item in items:
            key = item.key
            if key <= last:
                if key == last:
                    continue
                broken = True
                if self.trusted:
                    self.trusted = False
                    raise UnorderedError("lists out of order", op="list", path=key)
            elif not witness and not self.trusted:
                witness = _is_witness(last, key)
            last = key
            yield item
        if witness and not broken and view.whole:
            self.trusted = True


def _is_witness(last: str, key: str) -> bool:
    at = key.find("/")
    while at != -1:
        if last[at : at + 1] and last[at] < "/" and last[:at] == key[:at]:
            return True
        at = key.find("/", at + 1)
    return False


def entries(pages: Iterable[Sequence[Item]], view: View, order: Order) -> Iterator[Entry | Problem]:
    """The entries of a listing. Its first page must come; a later one that fails makes the rest a `Problem`.

    Where the order is trusted a busy moment is raised instead: whoever is patient can go on after the last key.
    """
    cut, shown = len(view.root), len(view.prefix)
    last, begun = None, False

    def items() -> Iterator[Item]:
        nonlocal begun
        for page in pages:
            begun = True
            yield from page

    try:
        for item in _within(order.watch(items(), view), view, order):
            last = item.key[cut:]
            entry = Entry(last, item.size, item.version, item.mtime_ns)
            if _is_plain(last):
                yield entry
            else:
                yield from _odd(entry, item.key[shown:])
    except UnorderedError:
        raise
    except StoreError as error:
        if not begun or (order.trusted and not error.permanent):
            raise
        known = last if order.trusted else None
        yield Problem(known or view.after or "", error.message, Cover.RANGE, view.until, hint=error.hint)


def _within(items: Iterable[Item], view: View, order: Order) -> Iterator[Item]:
    """Those that were asked for; services that are not trusted with the order are not trusted with bounds either."""
    prefix = view.prefix
    after = None if view.after is None else view.root + view.after
    until = None if view.until is None else view.root + view.until
    for item in items:
        key = item.key
        if not key.startswith(prefix):
            raise DamagedError("lists keys that were not asked for", op="list", path=key)
        if until is not None and key > until:
            if order.trusted:
                return
        elif after is None or key > after:
            yield item


def _is_plain(key: str) -> bool:
    """Whether a key is surely ours to give: the quick answer for nearly all. Every control name starts with a dot."""
    return (
        key.isascii()
        and "//" not in key
        and "/." not in key
        and "\0" not in key
        and key[:1] not in _ENDS
        and key[-1:] != "/"
    )


def _odd(entry: Entry, name: str) -> Iterator[Entry | Problem]:
    """What a key with an unusual part is: ours (nothing), the mark of a directory (nothing), a problem, or a key.

    `name` is the key below the directory that is listed: control files are found by whoever lists their directory.
    """
    if has_control(name) or (entry.size == 0 and (not name or name.endswith("/"))):
        return
    reason = why_not_key(entry.key)
    yield Problem(entry.key, reason) if reason else entry
