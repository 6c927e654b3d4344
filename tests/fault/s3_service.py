"""An S3 as a storm has it: its requests, the faults of each, and what it proves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from reconcile.core.record import Record
from reconcile.ports import Store
from tests.fakes.s3_faults import Fault, Request
from tests.fault.hostile import HOSTILE, MAKING
from tests.fault.points import FOREVER, Asked, Asking, Point, plain, points_of
from tests.fault.watched import PREFIX, WatchedS3

FOREIGN: Final = {f"{PREFIX}foreign": b"not ours", "teammate": b"next door", "other/one": b"elsewhere"}
GATES: Final = frozenset({"list", "get"})
"""What these ask for decides over a whole run."""


def requests_of(log: Sequence[Request]) -> list[Asked]:
    """What a server was asked, in turn."""
    asking = Asking()
    return [asking.next(request.op, request.key) for request in log]


def points_at(requests: Sequence[Asked], *, conditions: bool = True) -> Iterator[Point]:
    """Every fault at every request. A stranger comes in between where a condition can tell."""
    return points_of(requests, HOSTILE, lambda op, key: conditions and is_content(op, key))


def is_content(op: str, key: str | None) -> bool:
    """Whether a request is about something others see: not our own notes, copies and probes."""
    return op == "bulk" or (key is not None and "/.reconcile/" not in key)


def struck(server: WatchedS3, trap: str, point: Point) -> Fault:
    """The fault of a point, planned on a server; `trap` is the host to which credentials must never go."""
    hostile = HOSTILE[point.fault]

    def where(request: Request) -> bool:
        return (request.key and plain(request.key)) == point.key

    act = hostile.make(server, trap)
    return server.fault(point.op, act, nth=point.nth, times=point.times, where=where, reads=hostile.reads)


class S3Service:
    """What is overwritten is kept, a condition holds, an answer proves what was stored."""

    hostile = HOSTILE
    foreign = FOREIGN
    keeps = proves = True
    insists: Final = {"conflict": "source", "drift": "restore"}

    def __init__(self, server: WatchedS3, trap: str) -> None:
        self.server, self._trap = server, trap

    def crash(self) -> None:
        """From now on all is done, and said to have failed."""
        for op in MAKING:
            self.server.fault(op, HOSTILE["500 after the work"].make(self.server, self._trap), times=FOREVER)

    def points(self, run: Callable[[], None]) -> list[Point]:
        """Every fault at every request of a run in which nothing fails."""
        run()
        return list(points_at(requests_of(self.server.log), conditions=self.server.conditions))

    def strike(self, point: Point) -> Fault:
        """Plans the fault of a point."""
        return struck(self.server, self._trap, point)

    def decides(self, point: Point) -> bool:
        """Whether all that comes after hangs on this request."""
        return point.op in GATES or point.key is None

    def stands(self, path: str, data: bytes) -> bool:
        """Whether what a stranger left is there."""
        return self.server.contents().get(path) == data

    def recorded(self, record: Record, _target: Store) -> bytes | None:
        """The bytes of the version that a record names; None where it is another by now."""
        there = self.server.objects.get(PREFIX + record.key)
        return there.data if there is not None and there.etag.strip('"') == record.version else None
