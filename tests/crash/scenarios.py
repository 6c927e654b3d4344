"""Stories in which somebody dies: what was there, what is wanted, and which command is on its way.

Each is as small as the actions it is about allow, so that thousands of deaths are cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconcile.core.errors import LockedError, StalePlanError, UsageError
from reconcile.flow import mending
from reconcile.flow.adopting import adopt
from reconcile.flow.applying import ApplyOptions, Hooks, apply
from reconcile.flow.planning import PlanOptions, make_plan
from reconcile.state import lease
from reconcile.state.planfile import load_plan, save_plan
from reconcile.state.pushing import push
from tests.crash.everything import AFTER, BEFORE
from tests.flow.world import World

Tree = Mapping[str, str]

STEADY = {"steady": "stays"}
STRANGERS = {"stranger": "not ours", "dir/stranger": "nor this"}
LARGE = 1_000
"""So many bytes are large here: what is larger goes as a stream, and in parts."""


def big(letter: str) -> str:
    """A content of several parts."""
    return letter * (3 * LARGE + 7)


@dataclass(frozen=True)
class Scenario:
    """`before` was applied; then the source became `after`, and somebody changed what is `there` in the target.

    `due` are the actions of the plan. `run` is what dies, and `again` what dies after that; `end` makes it good without
    any help, and leaves `wanted` in the target. The `gaps` are the names that hold nothing for a moment: a file takes
    the place of a directory there, or the reverse. `mapping` is what it is called from now on, `arrange` the last thing
    that happens before. `short` is a run of a few steps.
    """

    name: str
    due: str = ""
    before: Tree = field(default_factory=dict)
    after: Tree = field(default_factory=dict)
    there: Mapping[str, str | None] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    arrange: Callable[[World], object] = lambda _world: None
    run: Callable[[World], object] = World.apply
    again: Callable[[World], object] = World.apply
    end: Callable[[World], object] = World.settled
    wanted: Tree | None = None
    mapping: str = "docs"
    gaps: frozenset[str] = frozenset()
    first: bool = False
    on_s3: bool = True
    short: bool = False

    @property
    def finally_there(self) -> Tree:
        """All that a reader of the target finds at the end."""
        return {**STRANGERS, **({**STEADY, **self.after} if self.wanted is None else self.wanted)}


# --- what is run


def destroy(world: World) -> None:
    with world.house(write=True) as house:
        options = ApplyOptions(PlanOptions(kind="destroy"), operation="destroy")
        apply(house, None, options, Hooks(world.events.append, lambda _plan: True, world.clock))


def destroyed(world: World) -> None:
    """The same again, until nothing of ours is left."""
    destroy(world)
    assert set(world.there()) <= STRANGERS.keys()


def reset(world: World) -> None:
    with world.house(write=True) as house:
        mending.reset(house, world.clock)


def adopt_all(world: World) -> None:
    with world.house(write=True) as house:
        adopt(house, ApplyOptions(operation="adopt"), Hooks(world.events.append, lambda _plan: True, world.clock))


def plan_file(world: World) -> Path:
    return world.root / "saved.plan"


def save(world: World) -> None:
    with world.house(write=False) as house:
        save_plan(make_plan(house, PlanOptions(pinned=True), world.events.append), str(plan_file(world)))


def apply_saved(world: World) -> None:
    world.apply(load_plan(str(plan_file(world))))


def saved_again(world: World) -> None:
    """The same plan goes on where it stopped, or is refused as used, or as stale; then nothing hangs on it."""
    try:
        apply_saved(world)
    except (StalePlanError, UsageError):
        world.settled()
    else:
        assert list(world.plan().changes()) == []


def lose_state(world: World) -> None:
    for path in (world.root / "state").iterdir():
        path.unlink()


def move_scope(world: World) -> None:
    with world.house(write=True) as house:
        old = house.state.scopes()[0][0]
        mending.move(house.state, old.id, house.mappings[0].scope, world.clock)


def remove_records(world: World) -> None:
    with world.house(write=True) as house:
        scopes = [scope for scope, _, _ in house.state.scopes()]
        mending.remove(house.state, scopes, lambda key: key.startswith("a"), world.clock)


def push_copy(world: World) -> None:
    with world.house(write=False) as house:
        copy = str(world.root / "copy.db")
        Path(copy).unlink(missing_ok=True)
        mending.pull(house.state, copy)
    push(world.state, copy, clock=world.clock)


def hold(world: World) -> None:
    with world.house(write=True) as house:
        lease.hold(house.state, "frozen", clock=world.clock)


def unlock(world: World) -> None:
    with world.house(write=True) as house:
        holder = lease.show(house.state)
        if holder is not None:
            lease.break_lease(house.state, holder.id)


def unlocked(world: World) -> None:
    """It is held or it is not; if it is, only a person ends that."""
    with world.house(write=False) as house:
        held = lease.show(house.state)
    if held is not None and held.hold:
        try:
            world.apply()
        except LockedError:
            unlock(world)
        else:
            raise AssertionError("a hold did not hold")
    world.settled()


# --- the stories

_SOME = {"a": "one", "ab/c": "two"}
_EDITED = {"a": "edited there"}
_MEANWHILE = {"drifted": "an edit there", "lost": None, "gone-both": None, "adopted": "there already"}


def _executable(world: World) -> None:
    (world.src / "a").chmod(0o755)


def _create() -> Iterator[Scenario]:
    tree = {"a": "1", "deep/er/b": "2", "empty": ""}
    yield Scenario("first apply", "create", {}, tree, first=True)
    yield Scenario("create", "create", {}, tree)


def _change() -> Iterator[Scenario]:
    yield Scenario("update", "update", {"a": "old", "b/c": "", "d": "old"}, {"a": "new", "b/c": "filled", "d": ""})
    yield Scenario("delete", "delete", {"a": "1", "b/c": "2", "b/d": "3", "e": ""})
    yield Scenario("restore", "update create", _SOME, _SOME, there=_EDITED | {"ab/c": None})
    yield Scenario("mode", "update", _SOME, _SOME, arrange=_executable, on_s3=False)
    wins = {"there": {"a": "theirs"}, "options": {"conflict": "source"}}
    yield Scenario("source wins", "update", {"a": "old"}, {"a": "new"}, **wins)
    yield Scenario("keep never", "update delete", {"a": "old", "b": "gone"}, {"a": "new"}, options={"keep": "never"})


def _move() -> Iterator[Scenario]:
    yield Scenario("move", "move", {"a": "1", "b/c": "2"}, {"new/deep/a": "1", "c": "2"})
    yield Scenario("move and delete", "move delete", {"a": "twins", "b": "twins", "c": "1"}, {"a2": "twins"})
    logs = {"log": "0", "log.1": "1", "log.2": "2"}
    yield Scenario("chain", "move update", logs, {"log": "new", "log.1": "0", "log.2": "1", "log.3": "2"})
    yield Scenario("swap", "move", {"a": "one", "b": "the other"}, {"a": "the other", "b": "one"})
    five = [f"content {number}" for number in range(5)]
    turned = {str((number + 1) % 5): text for number, text in enumerate(five)}
    yield Scenario("cycle of five", "move", dict(zip("01234", five, strict=True)), turned)


def _replace() -> Iterator[Scenario]:
    """The one exception to old or new: no file system can put a directory in the place of a file in one step."""
    for name, before, after in (
        ("file to directory", {"file": "old"}, {"file/one": "1", "file/two": "2"}),
        ("directory to file", {"dir2/one": "1", "dir2/in/two": "2"}, {"dir2": "new"}),
        ("into itself", {"x": "1", "y/y": "2"}, {"x/x": "1", "y": "2"}),
    ):
        yield Scenario(name, "create delete", before, after, gaps=frozenset({*before, *after}))


def _large() -> Iterator[Scenario]:
    before = {"a": big("a"), "b": big("b"), "c": big("c")}
    yield Scenario("large", "create update move delete", before, {"a": big("x"), "new": big("n"), "b2": big("b")})
    after = {"log": big("n"), "log.1": big("0"), "log.2": big("1")}
    yield Scenario("large chain", "move update", {"log": big("0"), "log.1": big("1")}, after)


def _remember() -> Iterator[Scenario]:
    yield Scenario("adopt", "adopt", {}, _SOME, there=_SOME)
    accepted = STEADY | _SOME | _EDITED
    yield Scenario("accept", "accept", _SOME, _SOME, there=_EDITED, options={"drift": "keep"}, wanted=accepted)
    yield Scenario("forget", "forget", {"a": "1", "b/c": "2"}, there={"a": None, "b/c": None})
    yield Scenario("state lost", "adopt", _SOME, _SOME, arrange=lose_state)


def _commands() -> Iterator[Scenario]:
    before, after = {"a": "old", "b": "gone"}, {"a": "new", "c": "new too"}
    saved = {"arrange": save, "run": apply_saved, "again": saved_again, "end": saved_again}
    yield Scenario("saved plan", "create update delete", before, after, **saved)
    yield Scenario("saving a plan", "create update delete", before, after, run=save, short=True)
    yield Scenario("adopt, all of it", "adopt", {}, _SOME, there=_SOME, run=adopt_all)
    ours = frozenset({*STEADY, *_SOME})
    yield Scenario("destroy", "", _SOME, _SOME, run=destroy, gaps=ours)
    yield Scenario("destroy, again", "", _SOME, _SOME, run=destroy, again=destroy, end=destroyed, wanted={}, gaps=ours)
    yield Scenario("reset", "", _SOME, _SOME, run=reset)
    yield Scenario("state mv", "adopt", _SOME, _SOME, mapping="papers", run=move_scope)
    yield Scenario("state rm", "", _SOME, _SOME, run=remove_records)
    yield Scenario("state push", "", _SOME, _SOME, run=push_copy)
    freed = {"again": unlocked, "end": unlocked, "short": True}
    yield Scenario("hold", "update delete", _SOME, {"a": "2"}, run=hold, **freed)
    yield Scenario("unlock", "update delete", _SOME, {"a": "2"}, arrange=hold, run=unlock, **freed)


def _everything() -> Scenario:
    gaps = frozenset(key for key in {*BEFORE, *AFTER} if key.startswith(("file", "directory")))
    due = "create update delete move adopt forget"
    return Scenario("everything", due, BEFORE, AFTER, there=_MEANWHILE, gaps=gaps)


SCENARIOS = (
    *_create(),
    *_change(),
    *_move(),
    *_replace(),
    *_large(),
    *_remember(),
    *_commands(),
    _everything(),
)


def named(name: str) -> Scenario:
    """The scenario of a name."""
    return next(scenario for scenario in SCENARIOS if scenario.name == name)
