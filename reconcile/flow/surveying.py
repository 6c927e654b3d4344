"""What of ours in a target has done its duty: kept bytes of runs long over, dead writes, forgotten probes.

Nothing is judged by a clock alone. Kept bytes are ours when an action of one of our own runs says that it put them
there, and old when that run ended long ago *and* the store has had them for as long. What is parked may be the only
copy of a content: it is done with when that very content is recorded, and found, under a live key. A dead write is ours
by its name. All else may be another state's, or a living run's, and is told and left.
"""

from __future__ import annotations

from collections.abc import Iterator
import re
from typing import Final, Literal

from msgspec import Struct

from reconcile.abilities import Tidy
from reconcile.core.entry import Digest, Entry, Leftover, Problem
from reconcile.core.errors import NotFoundError, StoreError
from reconcile.core.path import CONTROL_DIR, has_control
from reconcile.core.record import Record
from reconcile.flow.hashing import digest_of
from reconcile.flow.wired import House, Wired
from reconcile.ports import StateStore

Kind = Literal["kept", "parked", "unfinished", "probes", "directories"]

YOUNG: Final = "not old enough"

ALIVE_S: Final = 86_400.0
"""What no run of this state vouches for is left alone for so long, whatever was asked for: its maker may be alive."""

_OF_A_RUN: Final = re.compile(rf"{re.escape(CONTROL_DIR)}/(undo|park)/(\d+)(?:-[0-9a-f]+)?/.+", re.DOTALL)
_PROBE: Final = re.compile(rf"{re.escape(CONTROL_DIR)}/probe-[0-9a-f]{{16}}-[12]")
_ALL: Final = 1 << 62


class Due(Struct, frozen=True):
    """One thing that may go: an object at a version, an unfinished write at its mark, an empty directory."""

    kind: Kind
    key: str
    mark: str = ""
    size_bytes: int = 0


class Left(Struct, frozen=True):
    """One thing that stays, and why."""

    kind: Kind
    key: str
    size_bytes: int
    why: str
    run: int = 0
    """The run of ours that must be remembered for it to go one day."""


class Ages:
    """When each run was over, and what is old: `now_s` and `older_than_s` in Unix seconds and seconds."""

    def __init__(self, state: StateStore, now_s: float, older_than_s: float) -> None:
        self.before_s = now_s - older_than_s
        self.dead_before_s = now_s - max(older_than_s, ALIVE_S)
        self._ended: dict[int, float] = {}
        next_began = 0.0  # a run that was killed was over when the next one began; the newest may still go on
        for run in state.runs(limit=_ALL):
            self._ended[run.id] = run.ended or next_began
            next_began = run.started

    def why_not(self, run: int, came_ns: int) -> str:
        """Why what a run put somewhere at `came_ns` (Unix ns, by the store's clock) is not old; "" when it is."""
        ended = self._ended.get(run)
        if ended is None:
            return f"of a run {run} that this state does not know"
        if not ended:
            return f"of run {run}, which is not over"
        return "" if max(ended, came_ns / 1e9) < self.before_s else YOUNG

    def oldest_needed(self, newest: int) -> int:
        """The run from which on all must be remembered: of the `newest` runs and those not old, the first."""
        young = [run for run, ended in self._ended.items() if not ended or ended >= self.before_s]
        return min([*young, *list(self._ended)[:newest]], default=0)

    def runs_before(self, run: int) -> int:
        """So many runs are remembered that came before this one."""
        return sum(known < run for known in self._ended)

    def is_old(self, came_ns: int) -> bool:
        """Whether what nobody vouches for is old by the store's clock."""
        return came_ns < self.dead_before_s * 1e9


class Survey:
    """A look at one target."""

    def __init__(self, house: House, wired: Wired, ages: Ages) -> None:
        self._house = house
        self._wired = wired
        self._ages = ages
        self._beside = {other.name for other in house.mappings if other.target.url == wired.target.url} - {wired.name}
        self._run = 0
        self._ours: set[str] = set()
        self._others: set[str] = set()

    def run(self) -> Iterator[Due | Left | Problem]:
        """All of ours there: what may go, what stays and why, what could not be looked at."""
        target = self._wired.target
        parked: list[tuple[int, Entry]] = []
        try:
            for item in target.list(CONTROL_DIR):
                yield from [item] if isinstance(item, Problem) else self._judged(item, parked)
            for left in target.leftovers() if isinstance(target, Tidy) else ():
                yield self._unfinished(left)
        except NotFoundError:  # a container that is not there holds nothing
            return
        yield from self._settled(parked)

    def _judged(self, item: Entry, parked: list[tuple[int, Entry]]) -> Iterator[Due | Left]:
        found = _OF_A_RUN.fullmatch(item.key)
        if item.kind:
            yield from [Due("directories", item.key)] if item.key.endswith("/") else []
        elif found and found[1] == "park":
            parked.append((int(found[2]), item))
        elif found:
            yield from self._kept(int(found[2]), item)
        elif _PROBE.fullmatch(item.key) and self._ages.is_old(item.mtime_ns):
            yield Due("probes", item.key, item.version, item.size)

    def _kept(self, run: int, item: Entry) -> Iterator[Due | Left]:
        """What another mapping kept in a target that both have is told where that one is looked at."""
        self._read(run)
        if item.key in self._others and item.key not in self._ours:
            return
        why = self._ages.why_not(run, item.mtime_ns)
        if not why and item.key not in self._ours:
            why = f"no action of run {run} tells of it"
        needs = run if why == YOUNG else 0
        yield Left("kept", item.key, item.size, why, needs) if why else Due("kept", item.key, item.version, item.size)

    def _read(self, run: int) -> None:
        """Where a run kept bytes; a mapping that is no more in the spec may have been renamed to this one."""
        if self._run != run:
            mine, names = self._wired.name, self._house.names
            self._run, self._ours, self._others = run, set(), set()
            for one in self._house.state.outcomes(run):
                if one.mapping == mine or one.mapping not in names:
                    self._ours.add(one.kept)
                elif one.mapping in self._beside:
                    self._others.add(one.kept)

    def _unfinished(self, item: Leftover | Problem) -> Due | Left | Problem:
        """Ours is what bears a name that nobody else may use."""
        if isinstance(item, Problem):
            return item
        if not has_control(item.key):
            return Left("unfinished", item.key, item.size_bytes, "no run of this state is known to have begun it")
        if not self._ages.is_old(item.began_ns):
            return Left("unfinished", item.key, item.size_bytes, YOUNG)
        return Due("unfinished", item.key, item.mark, item.size_bytes)

    def _settled(self, parked: list[tuple[int, Entry]]) -> Iterator[Due | Left | Problem]:
        """What is parked: it may go only if its content stands, recorded and unchanged, under a live key."""
        old: dict[Digest, list[Entry]] = {}
        for run, item in parked:
            if why := self._ages.why_not(run, item.mtime_ns):
                yield Left("parked", item.key, item.size, why, run if why == YOUNG else 0)
                continue
            try:
                old.setdefault(digest_of(self._wired.target, item), []).append(item)
            except StoreError as error:
                yield Problem(item.key, error.message, hint=error.hint)
        for record in self._house.state.records(self._wired.scope.id) if old else ():
            if record.digest in old and not record.accepted and self._stands(record):
                yield from (Due("parked", item.key, item.version, item.size) for item in old.pop(record.digest))
        for item in (item for items in old.values() for item in items):
            yield Left("parked", item.key, item.size, "nothing else is known to hold its content")

    def _stands(self, record: Record) -> bool:
        there = self._wired.target.stat(record.key)
        return there is not None and there.version == record.version
