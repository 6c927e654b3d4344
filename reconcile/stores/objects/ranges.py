"""One listing as many: ranges of the keys asked for side by side, and given one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from queue import Full, Queue
from threading import Event
from typing import Final

from reconcile.core.entry import Entry, Problem
from reconcile.ports import Store

LANES: Final = 8
"""Ranges listed side by side."""

CHUNK: Final = 1000
CHUNKS_AHEAD: Final = 4
"""How far a range may be ahead of who reads it: 4,000 entries."""


def list_ranges(
    store: Store, bounds: Sequence[str], *, after: str | None = None, until: str | None = None
) -> Iterator[Entry | Problem]:
    """As `store.list`, cut at `bounds` (keys at about equal distances), if the store lists in byte order.

    Works through every wrapper, so each range is as patient as the store is. `UnorderedError` when the order turns out
    to be none: what was given so far is to be forgotten, and listed again in one go and through the spill.
    """
    if store.traits.order != "bytes":
        return store.list(after=after, until=until)
    inner = sorted({key for key in bounds if (after is None or key > after) and (until is None or key < until)})
    return side_by_side([store.list(after=low, until=high) for low, high in pairwise([after, *inner, until])])


class _Lane:
    """One range, listed by a thread into a bounded queue; an error is the last thing in it."""

    def __init__(self) -> None:
        self.chunks: Queue[list[Entry | Problem] | Exception | None] = Queue(CHUNKS_AHEAD)

    def fill(self, found: Iterator[Entry | Problem], stop: Event) -> None:
        try:
            chunk: list[Entry | Problem] = []
            for entry in found:
                chunk.append(entry)
                if len(chunk) == CHUNK:
                    self._put(chunk, stop)
                    chunk = []
                if stop.is_set():
                    return
            self._put(chunk, stop)
            self._put(None, stop)
        except Exception as error:  # noqa: BLE001 - raised where the range is read
            self._put(error, stop)

    def _put(self, chunk: list[Entry | Problem] | Exception | None, stop: Event) -> None:
        while not stop.is_set():
            try:
                self.chunks.put(chunk, timeout=0.1)
            except Full:
                continue
            return

    def drain(self) -> Iterator[Entry | Problem]:
        while (chunk := self.chunks.get()) is not None:
            if isinstance(chunk, Exception):
                raise chunk
            yield from chunk


def side_by_side(ranges: Sequence[Iterator[Entry | Problem]]) -> Iterator[Entry | Problem]:
    """Listings of adjoining ranges, made at the same time and given one after the other.

    Ranges start in turn, so the one that is read always has its thread, and the others wait on full queues.
    """
    stop, lanes = Event(), [_Lane() for _ in ranges]
    with ThreadPoolExecutor(LANES, thread_name_prefix="list") as threads:
        try:
            for lane, found in zip(lanes, ranges, strict=True):
                threads.submit(lane.fill, found, stop)
            for lane in lanes:
                yield from lane.drain()
        finally:
            stop.set()
