"""The listing of a service that shows one directory at a time: several under way at once, each page by itself.

What comes is in no order. A directory that cannot be looked into is a `Problem` that covers it; only the first one
ends the listing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final

import msgspec
from msgspec import Struct

from reconcile.core.entry import Cover, Entry, Problem
from reconcile.core.errors import DamagedError, NotFoundError, StoreError, UnstableError
from reconcile.core.path import has_control, is_control_area
from reconcile.stores.databricks.errors import SignInError

EMPTY_PAGES: Final = 100
"""So many pages in a row may hold nothing, before a directory counts as one that never ends."""


class Page(Struct, frozen=True):
    """A part of one directory: what is known of its files, the keys of its directories, the mark of the next part."""

    found: Sequence[Entry | Problem]
    directories: Sequence[str] = ()
    next: str = ""


class Bounds(Struct, frozen=True):
    """What of a tree is asked for: below `under`, in `(after, until]`."""

    under: str = ""
    after: str | None = None
    until: str | None = None

    def has(self, key: str) -> bool:
        """Whether a file is asked for."""
        if (self.after is not None and key <= self.after) or (self.until is not None and key > self.until):
            return False
        return self._is_shown(key)

    def reaches(self, directory: str) -> bool:
        """Whether anything below a directory could be asked for."""
        if self.until is not None and directory + "/" > self.until:
            return False
        if self.after is not None and directory + "0" <= self.after:  # "0" is the character after "/"
            return False
        return self._is_shown(directory)

    def _is_shown(self, key: str) -> bool:
        """Control names are for who asks for our own directory; in there, all names are ours."""
        return not has_control(key[len(self.under) :]) if not is_control_area(self.under) else True


class Whole(Bounds, frozen=True):
    """All there is, control names as well."""

    def has(self, key: str) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def reaches(self, directory: str) -> bool:  # noqa: ARG002
        """Always."""
        return True


class Pages(Struct):
    """The pages of one directory as they come: tells when they go in circles, and remembers one of them to do so.

    What is remembered is a page that comes when twice as many came since the last one (Brent's way): a circle is seen
    before it was gone through three times. `empty` pages came in a row; `since` so many since the one remembered.
    """

    known: int = 0
    since: int = 0
    span: int = 1
    empty: int = 0

    def check(self, page: Page, directory: str, mark: str) -> None:
        """Takes in the page at `mark`; `DamagedError` when the next one would lead nowhere."""
        told = hash(frozenset((*(item.key for item in page.found), *page.directories)))
        self.empty = 0 if page.found or page.directories else self.empty + 1
        again = not self.empty and self.since > 0 and told == self.known
        if page.next and (again or page.next == mark or self.empty > EMPTY_PAGES):
            raise DamagedError("the listing goes in circles", op="list", path=directory)
        if self.empty:
            return
        if not self.since or self.since == self.span:
            self.known, self.span, self.since = told, max(1, 2 * self.since), 0
        self.since += 1


class _Task(Struct, frozen=True):
    """The next part of one directory, and what came before it."""

    directory: str
    mark: str = ""
    pages: Pages = msgspec.field(default_factory=Pages)


def list_tree(look: Callable[[str, str], Page], bounds: Bounds, lanes: int) -> Iterator[Entry | Problem]:
    """All of it; `look(directory, mark)` gives one page, and is called from `lanes` threads at once.

    Depth first, so that what waits stays little: at no time more than the directories beside the way down.
    """
    first = look(bounds.under, "")
    waiting: deque[_Task] = deque()
    yield from _taken(first, _Task(bounds.under), bounds, waiting)
    flying: dict[Future[Page], _Task] = {}
    with ThreadPoolExecutor(lanes, thread_name_prefix="list") as threads:
        try:
            while waiting or flying:
                while waiting and len(flying) < lanes:
                    task = waiting.pop()
                    flying[threads.submit(look, task.directory, task.mark)] = task
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    task = flying.pop(future)
                    try:
                        page = future.result()
                    except SignInError:
                        raise
                    except StoreError as error:
                        if task.directory == bounds.under:
                            raise _unfinished(error, task) from error
                        yield Problem(task.directory, error.message, Cover.TREE, hint=error.hint)
                        continue
                    yield from _taken(page, task, bounds, waiting)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


def _unfinished(error: StoreError, task: _Task) -> StoreError:
    """Why a listing ends in its middle; what vanished by then is not what was never there."""
    if isinstance(error, NotFoundError):
        return UnstableError("vanished while it was listed", op="list", path=task.directory)
    return error


def _taken(page: Page, task: _Task, bounds: Bounds, waiting: deque[_Task]) -> Iterator[Entry | Problem]:
    """What of a page is asked for; what is still to be looked at comes to `waiting`."""
    task.pages.check(page, task.directory, task.mark)
    waiting.extend(_Task(directory) for directory in page.directories if bounds.reaches(directory))
    if page.next:
        waiting.append(_Task(task.directory, page.next, task.pages))
    for item in page.found:
        if bounds.has(item.key):
            yield item
