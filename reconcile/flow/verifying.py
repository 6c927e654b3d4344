"""Reads the target and compares what it holds with what the state remembers. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from reconcile.core.entry import ABSENT, Digest, Kind, Problem
from reconcile.core.errors import StoreError
from reconcile.core.events import Progress
from reconcile.core.march import OutOfOrderError, Row, Tally, march
from reconcile.flow.hashing import digest_of
from reconcile.flow.streams import target_stream
from reconcile.flow.wired import House, Wired
from reconcile.ports import Sink
from reconcile.report.views import Difference
from reconcile.stores.objects.list import UnorderedError

BATCH: Final = 256
"""So many paths are read before anybody is told."""


@dataclass(slots=True)
class Verified:
    """What was found. `checked` paths and `bytes` were read; `problems` (mapping, problem) could not be."""

    checked: int = 0
    bytes: int = 0
    differences: list[Difference] = field(default_factory=list)
    problems: list[tuple[str, Problem]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """7 when something could not be read, 8 when something differs."""
        return 7 if self.problems else 8 if self.differences else 0


def verify(house: House, sink: Sink) -> Verified:
    """Every recorded path of every mapping, read from the target and compared by digest."""
    found = Verified()
    for wired in house.in_order():
        wired.missing("verify")  # a target that is not there is no empty one
        try:
            part = _Reading(house, wired, sink).run(unsorted=False)
        except (OutOfOrderError, UnorderedError):
            part = _Reading(house, wired, sink).run(unsorted=True)
        found.checked += part.checked
        found.bytes += part.bytes
        found.differences += part.differences
        found.problems += part.problems
    return found


@dataclass(frozen=True, slots=True)
class _Reading:
    """The reading of one mapping."""

    house: House
    wired: Wired
    sink: Sink
    found: Verified = field(default_factory=Verified)

    def run(self, *, unsorted: bool) -> Verified:
        """Reads side by side where the store waits."""
        tally = Tally()
        rows = self._recorded(tally, unsorted=unsorted)
        with ThreadPoolExecutor(self.wired.concurrency if self.wired.target.traits.waits else 1, "verify") as pool:
            while batch := list(islice(rows, BATCH)):
                for row, why in zip(batch, pool.map(self._read, batch), strict=True):
                    self._take(row, why)
                self.sink(Progress("verify", self.wired.name, done=self.found.checked, bytes=self.found.bytes))
        self.found.problems += [(self.wired.name, problem) for problem in tally.problems]
        return self.found

    def _recorded(self, tally: Tally, *, unsorted: bool) -> Iterator[Row]:
        """The recorded keys in reach, each with what the target shows there; what is unknown is told by the tally."""
        records = self.house.state.records(self.wired.scope.id)
        for row in march((), records, target_stream(self.house, self.wired, unsorted=unsorted), tally):
            if row.record is not None and not row.unknown_target and self.wired.in_reach(row.key):
                yield row

    def _read(self, row: Row) -> str | Problem:
        """Why the target is not as recorded; "" when it is, or is still what was accepted."""
        assert row.record is not None
        if row.target is None:
            return "" if row.record.version == ABSENT else "is gone from the target"
        if row.target.kind is not Kind.FILE:
            return f"is no file any more, but a {row.target.kind.name.lower()}"
        if row.record.accepted and row.target.version == row.record.version:
            return ""
        try:
            digest = digest_of(self.wired.target, row.target)
        except StoreError as error:
            return Problem(row.key, error.message, side="target", hint=error.hint)
        return "" if digest == row.record.digest else f"holds other bytes: {_both(row.record.digest, digest)}"

    def _take(self, row: Row, why: str | Problem) -> None:
        if isinstance(why, Problem):
            self.found.problems.append((self.wired.name, why))
            return
        self.found.checked += 1
        if row.target is not None and row.target.kind is Kind.FILE:
            self.found.bytes += row.target.size
        if why:
            self.found.differences.append(Difference(self.wired.name, row.key, why, unseen=_shows_nothing(row)))


def _shows_nothing(row: Row) -> bool:
    """Whether the target shows the version that was recorded, and nobody would look behind it."""
    record = row.record
    return record is not None and record.settled and row.target is not None and row.target.version == record.version


def _both(recorded: Digest, found: Digest) -> str:
    return f"sha256 {found.hex()[:12]}, recorded {recorded.hex()[:12]}"
