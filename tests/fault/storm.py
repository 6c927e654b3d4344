"""Runs of the real flow against a service that fails at chosen requests, and what must hold whatever fails.

A `Story` is what is to be done; a rehearsal without faults shows its requests, and so the points (`points.py`). A
volley of points is one run: what must hold is asked of the run, and then of the next one, in which nothing fails.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
import json
import os
from pathlib import Path
import random
import shutil
from typing import Any, Final, Protocol

from reconcile.core.errors import ReconcileError
from reconcile.core.outcome import Result
from reconcile.core.record import Record
from reconcile.ports import Store
from tests.fault.points import Hostile, Point
from tests.flow.small_trees import make
from tests.flow.world import World
from tests.stores.fakes import OwnClock

LARGE: Final = 64
"""Bodies larger than this go in parts, of so many bytes."""

ATTEMPTS: Final = 3
"""Of a call that fails: a first, a second, and the last one."""


@dataclass(frozen=True)
class Story:
    """From one tree to another. `prior`: what was done and noted before; `server`: what kind of service it is."""

    before: dict[str, str]
    after: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    prior: str = "applied"


class Fired(Protocol):
    """A planned fault, with how often it struck."""

    fired: int


class Service(Protocol):
    """A service in which faults can be planned, with the server that is watched (`watched.py`).

    `foreign` stands there, and is not ours. `keeps`: what is overwritten is kept aside; `proves`: an answer proves what
    was stored. `insists` are the options by which a person decides for the source.
    """

    server: Any
    hostile: Mapping[str, Hostile]
    foreign: Mapping[str, bytes]
    keeps: bool
    proves: bool
    insists: Mapping[str, str]

    def crash(self) -> None: ...
    def points(self, run: Callable[[], None]) -> list[Point]: ...
    def strike(self, point: Point) -> Fired: ...
    def decides(self, point: Point) -> bool: ...
    def stands(self, path: str, data: bytes) -> bool: ...
    def recorded(self, record: Record, target: Store) -> bytes | None: ...


class Stage:
    """One story, ready to be run as often as wanted from the same beginning."""

    def __init__(self, root: Path, story: Story, service: Service) -> None:
        self.service, self.server, self.story = service, service.server, story
        self._options = {"guard": {"max_delete": "off", "max_update": "off"}, "concurrency": 1} | story.options
        self.world = World(root, self.server.target, dict(self._options), clock=OwnClock())
        self._places = {root / "state": root / "kept-state", Path(os.environ["HOME"]): root / "kept-home"}
        self._set_up()
        self._kept, self._before = self.server.kept(), self.server.contents()
        for place, kept in self._places.items():
            place.mkdir(exist_ok=True)
            shutil.copytree(place, kept)
        self._whole = self._stays_whole()

    def _set_up(self) -> None:
        story, server = self.story, self.server
        vars(server).update(story.server)
        for path, data in self.service.foreign.items():
            server.put(path, data)
        server.beside = {path for path in self.service.foreign if not path.startswith(server.prefix)}
        if story.prior != "nothing":
            make(self.world.src, story.before)
            self._apply_well()
        make(self.world.src, story.after)
        if story.prior == "lost state":
            for place in self._places:
                shutil.rmtree(place)
        if story.prior == "crashed":
            self.service.crash()
            assert self.world.apply().exit_code == 7
            server.heal()
        server.pass_time()

    def _stays_whole(self) -> dict[str, tuple[bytes, ...]]:
        """Paths that are only ever written over: at each moment old or new."""
        before, after = self.story.before, self.story.after
        if self.story.prior in ("nothing", "lost state"):
            return {}
        same = {key for key in before if key in after and before[key] not in set(after.values()) - {after[key]}}
        return {f"{self.server.prefix}{key}": (before[key].encode(), after[key].encode()) for key in same}

    def reset(self) -> None:
        """Everything as it was at the beginning."""
        self.server.restore(self._kept)
        for place, kept in self._places.items():
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(kept, place)
        self.world.options = dict(self._options)

    def points(self) -> list[Point]:
        """Every fault at every request of a run in which nothing fails."""
        self.reset()
        found = self.service.points(self._apply_well)
        self._true()
        return found

    def _apply_well(self) -> None:
        result = self.world.apply()
        assert result.exit_code == 0, (result.outcomes, result.conflicts, result.problems)

    def run(self, volley: Sequence[Point]) -> list[Point]:
        """Applies while all of these fail; returns those that were reached. Asserts all that must hold."""
        self.reset()
        faults = [(point, self.service.strike(point)) for point in volley]
        self._watch(volley)
        told = self._apply()
        self.server.heal()
        reached = [point for point, fault in faults if fault.fired]
        self._held(told, reached)
        self._heals(reached)
        return reached

    def _watch(self, volley: Sequence[Point]) -> None:
        """Tells the server what it may never see."""
        here = {text.encode() for text in self.story.after.values()}
        kept = self._before.values() if self.service.keeps and self.story.options.get("keep") != "never" else ()
        self.server.precious = [data for data in (*self.service.foreign.values(), *kept) if data not in here]
        self.server.whole = {} if self._any(volley, "lies") else self._whole

    def _any(self, points: Collection[Point], what: str) -> bool:
        """Whether a fault of these is one that `lies`, `hides` or is `strange`."""
        return any(getattr(self.service.hostile[point.fault], what) for point in points)

    def _believed(self, reached: Collection[Point]) -> bool:
        """Whether the service cannot have made anybody believe what is not so."""
        reads_back = self.service.proves or self.story.options.get("verify_writes")
        return bool(reads_back) or not self._any(reached, "lies")

    def _apply(self) -> Result | ReconcileError:
        try:
            return self.world.apply()
        except ReconcileError as error:
            return error

    def _held(self, told: Result | ReconcileError, reached: Sequence[Point]) -> None:
        """What must hold after a run in which something failed."""
        assert self.server.wrongs == []
        if self.service.proves or not self._any(reached, "lies"):
            self._records_are_so()
        for path, data in self.server.strangers.items():
            assert data is None or self.service.stands(path, data), f"{path}: a stranger's work is gone"
        if isinstance(told, ReconcileError):
            assert told.op, f"{told!r} does not say what failed"
            assert told.message
        elif told.exit_code != 0:
            self._named(told)
        elif self._believed(reached):
            self._true(self.story.before if self._any(reached, "hides") else ())
        assert reached or (isinstance(told, Result) and told.exit_code == 0)

    def _named(self, told: Result) -> None:
        """Whoever is told of a failure hears what failed, and where."""
        ended = [outcome for outcome in told.outcomes if outcome.outcome != "done"]
        assert ended or told.problems or told.conflicts or told.refusals
        for outcome in ended:
            assert outcome.key
            assert outcome.error, outcome

    def _records_are_so(self) -> None:
        """The version a record names is that of the bytes it tells."""
        with self.world.house(write=False) as house:
            for scope, _, _ in house.state.scopes():
                for record in house.state.records(scope.id):
                    data = self.service.recorded(record, house.mappings[0].target)
                    if data is not None:
                        assert sha256(data).digest() == record.digest, f"{record.key} is recorded wrong"
                        assert len(data) == record.size

    def _heals(self, reached: Sequence[Point]) -> None:
        """With the fault gone one apply makes it good; where others wrote, or lies were told, a person decides."""
        self.server.pass_time()
        result = self.world.apply()
        if result.exit_code in (3, 7) and (self._any(reached, "lies") or self._any(reached, "strange")):
            self.world.options |= self.service.insists
            result = self.world.apply()
        assert self.server.wrongs == []
        hidden = self._any(reached, "hides")
        if hidden and result.exit_code == 3:
            return  # a name that was called absent is nobody's now, and stands in the way: nothing is lost by that
        assert result.exit_code == 0, (result.outcomes, result.conflicts, result.problems)
        if not self._believed(reached):
            return
        self._records_are_so()
        strange = {path.removeprefix(self.server.prefix) for path in self.server.strangers}
        self._true({*strange, *(self.story.before if hidden else ())})
        self.server.pass_time()
        again = self.world.plan()
        assert strange or (list(again.changes()), again.exit_code()) == ([], 0), self.world.told(again)

    def _true(self, strange: Collection[str] = ()) -> None:
        """The desired state is there, and what is not ours is as it was; `strange` keys may be there as well."""
        shown = self.server.shown()
        wanted = {key: text.encode() for key, text in self.story.after.items()} | {"foreign": b"not ours"}
        for key in set(strange) - set(self.story.after):
            shown.pop(key, None)
        assert shown == wanted
        assert self.service.foreign.items() <= self.server.contents().items()


def volleys(stage: Stage, points: Sequence[Point], size: int) -> Iterator[tuple[Point, ...]]:
    """The points in runs: one alone where it decides over all others, else so many in each."""
    alone = [point for point in points if stage.service.decides(point)]
    others = [point for point in points if not stage.service.decides(point)]
    yield from ((point,) for point in alone)
    yield from (tuple(others[at : at + size]) for at in range(0, len(others), size))


def sweep(stage: Stage, count: int, lot: random.Random) -> int:
    """Runs so many points of a story; returns how many were reached. What fails is told as a line for `tests/seeds`."""
    points = stage.points()
    size = 1 + len({(point.op, point.key, point.nth) for point in points}) // 6
    reached = 0
    for volley in volleys(stage, lot.sample(points, min(count, len(points))), size):
        try:
            reached += len(stage.run(volley))
        except AssertionError as error:
            told = json.dumps([list(vars(point).values()) for point in volley])
            raise AssertionError(f"{told}\n{error}") from error
    return reached
