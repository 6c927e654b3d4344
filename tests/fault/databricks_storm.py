"""Runs of the real flow against a Databricks workspace that fails at chosen requests, and what must hold then.

As `storm.py` has it for S3: a rehearsal shows the requests of a story, a `Point` is one fault at one of them, a volley
of points is one run. What must hold is asked of the run, and then of the next one, in which nothing fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
import os
from pathlib import Path
import re
import shutil
from typing import Final

from reconcile.core.errors import ReconcileError
from reconcile.core.outcome import Result
from tests.fakes.databricks.faults import Fault, refuse
from tests.fakes.databricks.wire import Request
from tests.fault.databricks_hostile import HOSTILE, op_of
from tests.fault.databricks_watched import WatchedDatabricks, place_of
from tests.fault.storm import FOREVER, Point, Story
from tests.flow.small_trees import make
from tests.flow.world import World
from tests.stores.fakes import OwnClock

FOREIGN: Final = {"foreign": b"not ours"}


def subject(request: Request) -> str:
    """What a request is about, without what is drawn by lot."""
    return re.sub(r"-[0-9a-f]{16}", "-*", place_of(request))


class Stage:
    """One story on one kind of store, ready to be run as often as wanted from the same beginning."""

    def __init__(self, root: Path, story: Story, server: WatchedDatabricks, trap: str) -> None:
        self.server, self.trap, self.story = server, trap, story
        options = {"guard": {"max_delete": "off", "max_update": "off"}, "concurrency": 1}
        self._options = options | story.options
        self.world = World(root, server.root, dict(self._options), clock=OwnClock())
        self._places = {root / "state": root / "kept-state", Path(os.environ["HOME"]): root / "kept-home"}
        self._set_up()
        self._files, self._now = server.kept(), server.clocked.now
        for place, kept in self._places.items():
            place.mkdir(exist_ok=True)
            shutil.copytree(place, kept)
        self._whole = self._stays_whole()

    def _set_up(self) -> None:
        story, server = self.story, self.server
        for name, data in FOREIGN.items():
            server.put(f"{server.root}/{name}", data)
        server.put(server.root + "-next/door", b"next door")
        server.beside = {f"{server.root}-next/door"}
        if story.prior != "nothing":
            make(self.world.src, story.before)
            result = self.world.apply()
            assert result.exit_code == 0, (result.outcomes, result.problems)
        make(self.world.src, story.after)
        if story.prior == "lost state":
            for place in self._places:
                shutil.rmtree(place)
        if story.prior == "crashed":
            server.faults.add(refuse(500), "POST|PUT|DELETE", times=None)
            assert self.world.apply().exit_code == 7
            server.faults.heal()
        server.pass_time(60)

    def _stays_whole(self) -> dict[str, tuple[bytes, ...]]:
        """Paths that are only ever written over: at each moment old or new."""
        before, after = self.story.before, self.story.after
        if self.story.prior in ("nothing", "lost state"):
            return {}
        same = {key for key in before if key in after and before[key] not in set(after.values()) - {after[key]}}
        return {f"{self.server.root}/{key}": (before[key].encode(), after[key].encode()) for key in same}

    def reset(self) -> None:
        """Everything as it was at the beginning."""
        server = self.server
        server.restore(self._files)
        server.clocked.now = self._now
        server.strangers.clear()
        server.wrongs.clear()
        for place, kept in self._places.items():
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(kept, place)
        self.world.options = dict(self._options)

    def rehearse(self) -> list[tuple[str, str, int]]:
        """Every request of a run in which nothing fails, as (op, subject, which one of its kind)."""
        self.reset()
        seen: Counter[tuple[str, str]] = Counter()
        found = []

        def note(request: Request) -> bool:
            kind = op_of(request), subject(request)
            seen[kind] += 1
            found.append((*kind, seen[kind]))
            return False

        self.server.faults.add(refuse(500), where=note)
        result = self.world.apply()
        assert result.exit_code == 0, (result.outcomes, result.conflicts, result.problems)
        self._true()
        return found

    def points(self) -> Iterator[Point]:
        """Every fault at every request: once, and for as long as it is tried."""
        for op, about, nth in self.rehearse():
            for name, hostile in HOSTILE.items():
                if hostile.ops is not None and op not in hostile.ops:
                    continue
                for times in (1,) if hostile.strange else (1, FOREVER):
                    yield Point(op, about, nth, name, times)

    def run(self, volley: Sequence[Point]) -> list[Point]:
        """Applies while all of these fail; returns those that were reached. Asserts all that must hold."""
        self.reset()
        faults = [(point, self._planned(point)) for point in volley]
        self._watch(volley)
        told = self._apply()
        self.server.faults.heal()
        reached = [point for point, fault in faults if fault.fired]
        self._held(told, reached)
        self._heals(reached)
        return reached

    def _watch(self, volley: Sequence[Point]) -> None:
        """Tells the server what it may never see. What is overwritten is not kept here, so only what others left is."""
        self.server.precious = list(FOREIGN.values())
        self.server.whole = {} if any(HOSTILE[point.fault].lies for point in volley) else self._whole

    def _planned(self, point: Point) -> Fault:
        def where(request: Request) -> bool:
            return op_of(request) == point.op and subject(request) == point.key

        act = HOSTILE[point.fault].make(self.server, self.trap)
        return self.server.faults.add(act, nth=point.nth, times=point.times, where=where)

    def _apply(self) -> Result | ReconcileError:
        try:
            return self.world.apply()
        except ReconcileError as error:
            return error

    def _held(self, told: Result | ReconcileError, reached: Sequence[Point]) -> None:
        """What must hold after a run in which something failed."""
        assert self.server.wrongs == [], self.server.wrongs
        lied = any(HOSTILE[point.fault].lies for point in reached)
        self._records_are_so(lied=lied)
        there = self.server.tree()
        for path, data in self.server.strangers.items():
            assert data is None or data in there.values(), f"{path}: a stranger's work is gone"
        if isinstance(told, ReconcileError):
            assert told.op, f"{told!r} does not say what failed"
            assert told.message
        elif told.exit_code == 0:
            if not lied or self.story.options.get("verify_writes"):
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

    def _records_are_so(self, *, lied: bool) -> None:
        """A settled record's version is that of the bytes it tells."""
        with self.world.house(write=False) as house:
            target = house.mappings[0].target
            for scope, _, _ in house.state.scopes():
                for record in house.state.records(scope.id):
                    there = target.stat(record.key)
                    if there is None or not record.settled or there.version != record.version or lied:
                        continue
                    data = b"".join(target.read(record.key))
                    assert sha256(data).digest() == record.digest, f"{record.key} is recorded wrong"
                    assert len(data) == record.size

    def _heals(self, reached: Sequence[Point]) -> None:
        """With the fault gone one apply makes it good; where others wrote, or lies were told, a person decides."""
        told = {HOSTILE[point.fault] for point in reached}
        self.server.pass_time(60)
        result = self.world.apply()
        if result.exit_code in (3, 7) and any(hostile.lies or hostile.strange for hostile in told):
            self.world.options |= {"conflict": "source", "drift": "restore", "keep": "never"}
            result = self.world.apply()
        assert self.server.wrongs == [], self.server.wrongs
        hidden = any(hostile.hides for hostile in told)
        if hidden and result.exit_code == 3:
            return  # a name that was called absent is nobody's now, and stands in the way: nothing is lost by that
        assert result.exit_code == 0, (result.outcomes, result.conflicts, result.problems)
        if any(hostile.lies for hostile in told) and not self.story.options.get("verify_writes"):
            return
        strange = {path.removeprefix(self.server.root + "/") for path in self.server.strangers}
        self._true(strange | (set(self.story.before) if hidden else set()))
        self.server.pass_time(60)
        again = self.world.plan()
        assert strange or (list(again.changes()), again.exit_code()) == ([], 0), (
            self.world.told(again),
            list(again.problems()),
        )

    def _true(self, strange: Collection[str] = ()) -> None:
        """The desired state is there, and what is not ours is as it was; `strange` keys may be there as well."""
        shown = self.server.shown()
        wanted = {key: text.encode() for key, text in self.story.after.items()} | FOREIGN
        for key in set(strange) - set(self.story.after):
            shown.pop(key, None)
        assert shown == wanted, (shown, wanted)
