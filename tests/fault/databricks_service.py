"""A Databricks workspace as a storm has it: its requests, the faults of each, and what it does not prove."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from reconcile.core.record import Record
from reconcile.ports import Store
from tests.fakes.databricks.faults import Fault, refuse
from tests.fakes.databricks.wire import Request
from tests.fault.databricks_hostile import HOSTILE, LISTS, op_of
from tests.fault.databricks_watched import WatchedDatabricks, place_of
from tests.fault.points import Asked, Asking, Point, plain, points_of

GATES: Final = LISTS | {"GET /.well-known/databricks-config"}
"""What these ask for decides over a whole run."""


class DatabricksService:
    """What is overwritten is not kept, and only a read-back proves what was stored."""

    hostile = HOSTILE
    keeps = proves = False
    insists: Final = {"conflict": "source", "drift": "restore", "keep": "never"}

    def __init__(self, server: WatchedDatabricks, trap: str) -> None:
        self.server, self._trap = server, trap
        self.foreign = {f"{server.prefix}foreign": b"not ours", f"{server.target}-next/door": b"next door"}

    def crash(self) -> None:
        """From now on nothing can be changed."""
        self.server.faults.add(refuse(500), "POST|PUT|DELETE", times=None)

    def points(self, run: Callable[[], None]) -> list[Point]:
        """Every fault at every request of a run in which nothing fails."""
        asking, requests = Asking(), list[Asked]()

        def note(request: Request) -> bool:
            requests.append(asking.next(op_of(request), place_of(request)))
            return False

        self.server.faults.add(refuse(500), where=note)
        run()
        return list(points_of(requests, HOSTILE))

    def strike(self, point: Point) -> Fault:
        """Plans the fault of a point."""

        def where(request: Request) -> bool:
            return op_of(request) == point.op and plain(place_of(request)) == point.key

        act = HOSTILE[point.fault].make(self.server, self._trap)
        return self.server.faults.add(act, nth=point.nth, times=point.times, where=where)

    def decides(self, point: Point) -> bool:
        """Whether all that comes after hangs on this request."""
        return point.op in GATES

    def stands(self, _path: str, data: bytes) -> bool:
        """Whether what a stranger left is there, or was put aside."""
        return data in self.server.contents().values()

    def recorded(self, record: Record, target: Store) -> bytes | None:
        """The bytes of the version that a settled record names; None where it is another by now."""
        there = target.stat(record.key)
        if there is None or not record.settled or there.version != record.version:
            return None
        return b"".join(target.read(record.key))
