"""Points: one fault at one of the requests that something makes of an S3 when nothing fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import re
from typing import Final

from tests.fakes.s3_faults import Fault, Request
from tests.fault.hostile import HOSTILE
from tests.fault.watched import WatchedS3

FOREVER: Final = 1_000
Asked = tuple[str, str | None, int]
"""A request by its op, its key and which one of these it is."""


@dataclass(frozen=True)
class Point:
    """A fault at the `nth` request of one op for one key, and at `times` of them in all."""

    op: str
    key: str | None
    nth: int
    fault: str
    times: int


def plain(key: str | None) -> str | None:
    """A key without what is drawn by lot."""
    return key and re.sub(r"-[0-9a-f]{16}", "-*", key)


def requests_of(log: Sequence[Request]) -> list[Asked]:
    """What a server was asked, in turn."""
    seen: Counter[tuple[str, str | None]] = Counter()
    found = []
    for request in log:
        kind = request.op, plain(request.key)
        seen[kind] += 1
        found.append((*kind, seen[kind]))
    return found


def points_of(requests: Sequence[Asked], *, conditions: bool) -> Iterator[Point]:
    """Every fault at every request: once, and for as long as it is tried."""
    for op, key, nth in requests:
        for name, hostile in HOSTILE.items():
            if op not in hostile.ops or (hostile.strange and not (conditions and is_content(op, key))):
                continue
            for times in (1,) if hostile.strange else (1, FOREVER):
                yield Point(op, key, nth, name, times)


def is_content(op: str, key: str | None) -> bool:
    """Whether a request is about something others see: not our own notes, copies and probes."""
    return op == "bulk" or (key is not None and "/.reconcile/" not in key)


def struck(server: WatchedS3, trap: str, point: Point) -> Fault:
    """The fault of a point, planned on a server; `trap` is the host to which credentials must never go."""
    hostile = HOSTILE[point.fault]

    def where(request: Request) -> bool:
        return plain(request.key) == point.key

    act = hostile.make(server, trap)
    return server.fault(point.op, act, nth=point.nth, times=point.times, where=where, reads=hostile.reads)
