"""A whole house in memory: the real planner and the real engine, in one thread, around dicts.

What is left out is what the planner's promises do not hang on: the state is a dict, the lease is nobody's, and the
workers of the engine run at once, one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
import threading
from typing import Any, BinaryIO, Self, TypeVar

from msgspec.structs import replace

from reconcile.core.entry import ANY, Cover, Digest, Entry, Problem, Version
from reconcile.core.errors import ChangedError, DeniedError, UnstableError
from reconcile.core.outcome import Result
from reconcile.core.path import is_under
from reconcile.core.plan import Plan
from reconcile.core.policy import GuardLimits, Limit, Policy
from reconcile.core.record import Record, Scope
from reconcile.flow import engine
from reconcile.flow.applying import ApplyOptions, Hooks, _Apply
from reconcile.flow.clock import RealClock
from reconcile.flow.crew import Crew
from reconcile.flow.held import Held
from reconcile.flow.planning import PlanOptions, make_plan
from reconcile.flow.wire import EVERYTHING
from reconcile.flow.wired import House, Wired
from reconcile.ports import Body, Fold, Hashes, Holder, Intent, Outcome, Run
from reconcile.state.heartbeat import Heartbeat
from reconcile.stores.memory import TRAITS, MemoryStore
from tests.planner.worlds import World

T = TypeVar("T")
SCOPE = Scope("docs", "src", "memory://out")
NO_GUARD = GuardLimits(max_delete=Limit(), min_files=1 << 30)
ALLOWED = ("deletes",)


class LittleSource:
    """The source of a world: store and reader in one. `fresh` files have no known digest, `denied` ones no bytes."""

    url = "memory://src"
    traits = TRAITS

    def __init__(self, world: World) -> None:
        self.world = world

    def list(self, under: str = "", *, after: str | None = None, until: str | None = None) -> Iterator[Entry | Problem]:
        world = self.world
        for key in sorted({*world.source, *world.unknown_source}):
            if key in world.unknown_source:
                yield Problem(key, "cannot be read", Cover.TREE)
            elif not world.hides(key):
                yield self._entry(key)

    def stat(self, path: str) -> Entry | None:
        if self.world.hides(path):
            raise DeniedError("cannot be read", op="stat", path=path)
        return self._entry(path) if path in self.world.source else None

    def whole(self, path: str, version: Version | None, *, md5: bool) -> tuple[bytes, Hashes, Entry]:
        data = self._read(path, version)
        return data, Hashes(digest(data)), self._entry(path)

    def hashes(self, path: str, version: Version | None, *, md5: bool = False) -> Hashes:
        return Hashes(digest(self._read(path, version)))

    def stream(self, path: str, version: Version | None, on_sealed: Callable[[Digest], None]) -> BinaryIO:
        raise AssertionError("no file here is large")

    def close(self) -> None:
        pass

    def _entry(self, key: str) -> Entry:
        data = self.world.source[key]
        known = None if key in self.world.fresh else digest(data)
        return Entry(key, len(data), Version(data.decode() + "/" + str(key in self.world.fresh)), digest=known)

    def _read(self, path: str, version: Version | None) -> bytes:
        if path in self.world.denied or self.world.hides(path):
            raise DeniedError("cannot be read", op="read", path=path)
        if version not in (None, self._entry(path).version):
            raise UnstableError("changed since it was listed", op="read", path=path)
        return self.world.source[path]


def digest(data: bytes) -> Digest:
    return Digest(sha256(data).digest())


class LittleTarget(MemoryStore):
    """Objects, or (`tree`) files: then no name is both a file and a directory. `unknown` keys are not listed."""

    def __init__(self, *, tree: bool) -> None:
        super().__init__()
        self.traits = replace(TRAITS, tree=tree)
        self.unknown: frozenset[str] = frozenset()

    def list(self, under: str = "", *, after: str | None = None, until: str | None = None) -> Iterator[Entry | Problem]:
        for key in sorted(key for key in self.unknown if not under or is_under(key, under)):
            yield Problem(key, "cannot be read")
        for item in super().list(under, after=after, until=until):
            if item.key not in self.unknown:
                yield item

    def _check(self, key: str, op: str, expect: Version) -> None:
        super()._check(key, op, expect)
        if self.traits.tree and any(is_under(one, key) or is_under(key, one) for one in self.items):
            raise ChangedError("a file and a directory meet", op=op, path=key)

    def move(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """Renames in one step; what moves out of the way is not in the way."""
        item = self._item(entry.key, "move", entry.version)
        del self.items[entry.key]
        try:
            self._check(key, "move", expect)
        except ChangedError:
            self.items[entry.key] = item
            raise
        return self._put(key, item)

    def _delete(self, key: str, expect: Version) -> Exception | None:
        if key in self.items and expect not in (ANY, self.items[key].version):
            return ChangedError("is not what was expected there", op="delete", path=key)
        self.items.pop(key, None)
        return None

    @property
    def items(self) -> dict[str, Any]:
        return self._shelf.items

    def place(self, key: str, data: bytes) -> Version:
        """Somebody writes, as only somebody can."""
        with BytesIO(data) as stream:
            return self.write(key, Body(size_bytes=len(data), open=lambda: stream), expect=ANY).version


class LittleState:
    """Records in a dict, one scope, no intents left open."""

    lineage = "0" * 32

    def __init__(self) -> None:
        self.kept: dict[str, Record] = {}
        self.commits = 0
        self.announced: list[Intent] = []
        self.journal = self

    def intend(self, intents: Sequence[Intent]) -> None:
        self.announced += intents

    def open_intents(self) -> list[Intent]:
        return []

    def serial(self, scope: str) -> int:
        return self.commits

    def scopes(self) -> list[tuple[Scope, int, int]]:
        return []

    def completed(self, scope: str) -> bool:
        return True

    def records(self, scope: str) -> Iterator[Record]:
        return iter([self.kept[key] for key in sorted(self.kept)])

    def lost(self) -> str:
        return ""

    def runs(self, limit: int = 50) -> list[Run]:
        return []

    def open_scope(self, scope: Scope, lease: Any) -> None:
        pass

    def begin(self, run: Run, lease: Any) -> int:
        return self.commits + 1

    def fold(self, run: int, folds: Sequence[Fold], outcomes: Sequence[Outcome], lease: Any) -> None:
        self.commits += 1
        for fold in folds:
            if fold.put is not None:
                self.kept[fold.put.key] = fold.put
            elif fold.drop is not None:
                self.kept.pop(fold.drop, None)

    def end(self, run: Run, completed: Sequence[str], lease: Any) -> None:
        self.commits += 1


class Nobody:
    """A lease that is never asked for."""

    fence = 1
    holder = Holder("1", "me", "here", 1, "apply", 0.0)

    def renew(self, *, run: int = 0, done: float = 0.0) -> None:
        pass

    def release(self) -> None:
        pass


class Inline:
    """An executor whose one worker is the caller."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], *told: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*told))
        return future


class Alone(Crew[T]):
    """A crew whose one worker is the coordinator."""

    def begin(self, task: Callable[[], T]) -> None:
        self.at_work += 1
        self._tasks.put(task)
        self._tasks.put(None)
        self._work()


@contextmanager
def one_thread() -> Iterator[None]:
    """While entered, the engine's workers work where they are called."""
    usual = engine.ThreadPoolExecutor, engine.Crew
    engine.ThreadPoolExecutor, engine.Crew = Inline, Alone  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        engine.ThreadPoolExecutor, engine.Crew = usual  # type: ignore[misc]


class LittleHouse:
    """A world made real: its base recorded and in place, its strangers' deeds done."""

    def __init__(self, world: World, policy: Policy, *, tree: bool) -> None:
        self.source, self.target, self.state = LittleSource(world), LittleTarget(tree=tree), LittleState()
        self.policy = replace(policy, guard=NO_GUARD)
        self._furnish(world)
        self.around: Callable[[Any], Any] = lambda store: store

    def _furnish(self, world: World) -> None:
        items, target = {}, self.target
        for key, data in world.base.items():
            items[key] = target.place(key, data)
        if not world.lost_state:
            self.state.kept = {
                key: Record(key, len(data), digest(data), items[key]) for key, data in world.base.items()
            }
        for key in [key for key in world.base if key not in world.target]:
            del target.items[key]
        for key, data in world.target.items():
            if key in world.touched or world.base.get(key) != data:
                target.place(key, data)
        target.unknown = frozenset(world.unknown_target)

    def heal(self) -> None:
        """Everything can be read again."""
        self.source.world = self.source.world.healed()
        self.target.unknown = frozenset()

    def _house(self) -> House:
        wired = Wired(
            name="docs",
            scope=SCOPE,
            source=self.source,  # type: ignore[arg-type]
            reader=self.source,
            target=self.around(self.target),
            selection=EVERYTHING,
            policy=self.policy,
            protected=lambda _key: False,
        )
        return House(self.state, None, [wired], "spec", "")  # type: ignore[arg-type]

    def plan(self) -> Plan:
        return make_plan(self._house(), PlanOptions(allowed=ALLOWED), _nobody_hears)

    def apply(self, plan: Plan) -> Result:
        hooks = Hooks(_nobody_hears, lambda _plan: True, RealClock(), threading.Event())
        held = Held(Nobody(), Heartbeat(Nobody()))
        return _Apply(self._house(), plan, ApplyOptions(), hooks, held).run(None, 0)


def _nobody_hears(_event: object) -> None:
    pass
