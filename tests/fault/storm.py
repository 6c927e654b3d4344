"""Runs of the real flow against an S3 that fails at chosen requests, and what must hold whatever fails.

A `Story` is what is to be done; a rehearsal without faults shows its requests, and so the points (`points.py`). A
volley of points is one run: what must hold is asked of the run, and then of the next one, in which nothing fails.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
import os
from pathlib import Path
import shutil
from typing import Any, Final

from reconcile.core.errors import ReconcileError
from reconcile.core.outcome import Result
from tests.fault.hostile import HOSTILE, MAKING
from tests.fault.points import FOREVER, Point, points_of, requests_of, struck
from tests.fault.watched import PREFIX, WatchedS3
from tests.flow.small_trees import make
from tests.flow.world import World
from tests.stores.fakes import OwnClock

LARGE: Final = 64
"""Bodies larger than this go in parts, of so many bytes."""

FOREIGN: Final = {f"{PREFIX}foreign": b"not ours", "teammate": b"next door", "other/one": b"elsewhere"}


@dataclass(frozen=True)
class Story:
    """From one tree to another. `prior`: what was done and noted before; `server`: what kind of service it is."""

    before: dict[str, str]
    after: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    prior: str = "applied"


class Stage:
    """One story, ready to be run as often as wanted from the same beginning."""

    def __init__(self, root: Path, story: Story, server: WatchedS3, trap: str) -> None:
        self.server, self.trap, self.story = server, trap, story
        options = {"guard": {"max_delete": "off", "max_update": "off"}, "concurrency": 1}
        self.world = World(root, f"s3://bucket/{PREFIX}", options | story.options, clock=OwnClock())
        self._places = {root / "state": root / "kept-state", Path(os.environ["HOME"]): root / "kept-home"}
        self._set_up()
        self._objects = server.kept()
        for place, kept in self._places.items():
            place.mkdir(exist_ok=True)
            shutil.copytree(place, kept)
        self._whole = self._stays_whole()

    def _set_up(self) -> None:
        story, server = self.story, self.server
        vars(server).update(story.server)
        if story.prior != "nothing":
            make(self.world.src, story.before)
            assert self.world.apply().exit_code == 0
        for key, data in FOREIGN.items():
            server.put(key, data)
        make(self.world.src, story.after)
        if story.prior == "lost state":
            for place in self._places:
                shutil.rmtree(place)
        if story.prior == "crashed":
            for op in MAKING:
                server.fault(op, HOSTILE["500 after the work"].make(server, self.trap), times=FOREVER)
            assert self.world.apply().exit_code == 7
            server.heal()

    def _stays_whole(self) -> dict[str, tuple[bytes, ...]]:
        """Keys that are only ever written over: at each moment old or new."""
        before, after = self.story.before, self.story.after
        if self.story.prior in ("nothing", "lost state"):
            return {}
        same = {key for key in before if key in after and before[key] not in set(after.values()) - {after[key]}}
        return {f"{PREFIX}{key}": (before[key].encode(), after[key].encode()) for key in same}

    def reset(self) -> None:
        """Everything as it was at the beginning."""
        self.server.forget()
        self.server.objects = dict(self._objects)
        for place, kept in self._places.items():
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(kept, place)
        self.world.options.pop("conflict", None)
        self.world.options.pop("drift", None)

    def points(self) -> Iterator[Point]:
        """Every fault at every request of a run in which nothing fails."""
        self.reset()
        result = self.world.apply()
        assert result.exit_code == 0, (result.outcomes, result.conflicts)
        self._true()
        return points_of(requests_of(self.server.log), conditions=self.server.conditions)

    def run(self, volley: Sequence[Point]) -> list[Point]:
        """Applies while all of these fail; returns those that were reached. Asserts all that must hold."""
        self.reset()
        faults = [(point, struck(self.server, self.trap, point)) for point in volley]
        self._watch(volley)
        told = self._apply()
        self.server.heal()
        reached = [point for point, fault in faults if fault.fired]
        self._held(told, reached)
        self._heals(reached)
        return reached

    def _watch(self, volley: Sequence[Point]) -> None:
        """Tells the server what it may never see."""
        server = self.server
        here = {text.encode() for text in self.story.after.values()}
        keeps = self.story.options.get("keep") != "never"
        server.precious = [d for d in (s.data for s in self._objects.values()) if keeps and d not in here]
        server.whole = {} if any(HOSTILE[point.fault].lies for point in volley) else self._whole

    def _apply(self) -> Result | ReconcileError:
        try:
            return self.world.apply()
        except ReconcileError as error:
            return error

    def _held(self, told: Result | ReconcileError, reached: Sequence[Point]) -> None:
        """What must hold after a run in which something failed."""
        assert self.server.wrongs == []
        self._records_are_so()
        for key, data in self.server.strangers.items():
            there = self.server.objects.get(key)
            assert data is None or (there is not None and there.data == data), f"{key}: a stranger's work is gone"
        if isinstance(told, ReconcileError):
            assert told.op, f"{told!r} does not say what failed"
            assert told.message
        elif told.exit_code == 0:
            self._true(set(self.story.before) if any(HOSTILE[point.fault].hides for point in reached) else ())
        else:
            self._named(told)
        assert reached or (isinstance(told, Result) and told.exit_code == 0)

    def _named(self, told: Result) -> None:
        """Whoever is told of a failure hears what failed, and where."""
        ended = [outcome for outcome in told.outcomes if outcome.outcome != "done"]
        assert ended or told.problems or told.conflicts or told.refusals
        for outcome in ended:
            assert outcome.key
            assert outcome.error, outcome

    def _records_are_so(self) -> None:
        with self.world.house(write=False) as house:
            for scope, _, _ in house.state.scopes():
                for record in house.state.records(scope.id):
                    there = self.server.objects.get(PREFIX + record.key)
                    if there is not None and there.etag.strip('"') == record.version:
                        assert sha256(there.data).digest() == record.digest, f"{record.key} is recorded wrong"
                        assert len(there.data) == record.size

    def _heals(self, reached: Sequence[Point]) -> None:
        """With the fault gone one apply makes it good; where others wrote, or lies were told, a person decides."""
        told = {HOSTILE[point.fault] for point in reached}
        result = self.world.apply()
        if result.exit_code in (3, 7) and any(hostile.lies or hostile.strange for hostile in told):
            self.world.options |= {"conflict": "source", "drift": "restore"}
            result = self.world.apply()
        assert self.server.wrongs == []
        self._records_are_so()
        hidden = any(hostile.hides for hostile in told)
        if hidden and result.exit_code == 3:
            return  # a name that was called absent is nobody's now, and stands in the way: nothing is lost by that
        assert result.exit_code == 0, (result.outcomes, result.conflicts, result.problems)
        strange = {key.removeprefix(PREFIX) for key in self.server.strangers}
        self._true(strange | (set(self.story.before) if hidden else set()))
        again = self.world.plan()
        assert strange or (list(again.changes()), again.exit_code()) == ([], 0), self.world.told(again)

    def _true(self, strange: Collection[str] = ()) -> None:
        """The desired state is there, and what is not ours is as it was; `strange` keys may be there as well."""
        shown = self.server.shown()
        wanted = {key: text.encode() for key, text in self.story.after.items()} | {"foreign": b"not ours"}
        for key in set(strange) - set(self.story.after):
            shown.pop(key, None)
        assert shown == wanted
        for key, data in FOREIGN.items():
            assert self.server.objects[key].data == data
