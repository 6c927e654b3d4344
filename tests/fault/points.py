"""Points: one fault at one of the requests that something makes of a service when nothing fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
import re
from typing import Any, Final

FOREVER: Final = 1_000
Asked = tuple[str, str | None, int]
"""A request by its op, what it is about and which one of these it is."""


@dataclass(frozen=True)
class Hostile:
    """One way to fail, of the requests of these `ops` (all if None).

    `lies`: what is kept or shown is not so, and nothing but our own proof can tell. `hides`: what is there is called
    absent; nothing is lost by that, but a name may be forgotten. `strange`: it is no failure but somebody else at work.
    `reads`: so many bytes of a body are read, and then no more.

    `make` gives the act for a service and the host to which credentials must never go.
    """

    make: Callable[[Any, str], Any]
    ops: frozenset[str] | None = None
    lies: bool = False
    strange: bool = False
    hides: bool = False
    reads: int | None = None


@dataclass(frozen=True)
class Point:
    """A fault at the `nth` request of one op for one key, and at `times` of them in all."""

    op: str
    key: str | None
    nth: int
    fault: str
    times: int


def plain(key: str) -> str:
    """A key without what is drawn by lot."""
    return re.sub(r"-[0-9a-f]{16}", "-*", key)


class Asking:
    """Numbers requests: `next` is the request of an op about something, as the how manieth of its kind."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str | None]] = Counter()

    def next(self, op: str, key: str | None) -> Asked:
        kind = op, key and plain(key)
        self._seen[kind] += 1
        return (*kind, self._seen[kind])


def points_of(
    requests: Iterable[Asked],
    catalogue: Mapping[str, Hostile],
    may_intrude: Callable[[str, str | None], bool] = lambda _op, _key: True,
) -> Iterator[Point]:
    """Every fault at every request: once, and for as long as it is tried; strangers come once, where they may."""
    for op, key, nth in requests:
        for name, hostile in catalogue.items():
            if hostile.ops is not None and op not in hostile.ops:
                continue
            if not hostile.strange:
                yield from (Point(op, key, nth, name, times) for times in (1, FOREVER))
            elif may_intrude(op, key):
                yield Point(op, key, nth, name, 1)
