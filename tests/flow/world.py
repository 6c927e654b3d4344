"""A small world for stories: a source directory, a target, a state, and the real flow between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
import json
import os
from pathlib import Path
import threading
from typing import Any

from reconcile.core.change import Change
from reconcile.core.entry import Entry, Problem
from reconcile.core.outcome import Result
from reconcile.core.path import has_control
from reconcile.core.plan import Plan
from reconcile.flow.applying import ApplyOptions, Hooks, apply
from reconcile.flow.clock import RealClock
from reconcile.flow.planning import PlanOptions, make_plan
from reconcile.flow.settling import overlay
from reconcile.flow.wire import Reach, wire
from reconcile.flow.wired import House
from reconcile.ports import Clock, Store
from reconcile.spec.load import build
from reconcile.spec.model import Spec
from tests.flow.small_trees import files_below


@dataclass
class World:
    """`root/src` is the source, `target` where it goes (`root/out`, or a URL). Options are those of the mapping.

    `around` puts something around the target, `more` are further mappings, `clock` is what a busy store is waited by,
    `state` is where it is remembered (`root/state`, or the place of a shared one), `mapping` what it is called,
    `stores` are named connections.
    """

    root: Path
    target: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    events: list[Any] = field(default_factory=list)
    around: Callable[[Store], Store] | None = None
    more: dict[str, dict[str, Any]] = field(default_factory=dict)
    clock: Clock = field(default_factory=RealClock)
    state: str = ""
    mapping: str = "docs"
    stores: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.src.mkdir(parents=True, exist_ok=True)
        self.target = self.target or str(self.root / "out")
        self.state = self.state or str(self.root / "state" / "reconcile.db")

    @property
    def src(self) -> Path:
        return self.root / "src"

    @property
    def out(self) -> Path:
        return self.root / "out"

    def put(self, **files: str) -> None:
        """Writes files of the source; `__` in a name stands for `/`, a trailing `_` for nothing."""
        for name, text in files.items():
            self.write(name.replace("__", "/"), text)

    def write(self, name: str, text: str | bytes, base: Path | None = None) -> Path:
        path = (base or self.src) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def move(self, old: str, new: str) -> None:
        (self.src / new).parent.mkdir(parents=True, exist_ok=True)
        os.rename(self.src / old, self.src / new)

    def remove(self, name: str) -> None:
        (self.src / name).unlink()

    def spec(self) -> Spec:
        """What a spec file would say of it."""
        document = {
            "state": self.state,
            "stores": self.stores,
            "mappings": {self.mapping: {"source": str(self.src), "target": self.target, **self.options}} | self.more,
        }
        return _built(json.dumps(document), self.root)

    def house(self, *, write: bool, reach: Reach | None = None) -> House:
        house = wire(self.spec(), write=write, clock=self.clock, reach=reach or Reach())
        if self.around is not None:
            house.mappings = [replace(wired, target=self.around(wired.target)) for wired in house.mappings]
        return house

    def plan(self, *, reach: Reach | None = None, **options: Any) -> Plan:
        with self.house(write=False, reach=reach) as house:
            return make_plan(house, PlanOptions(overlay=overlay(house), **options), self.events.append)

    def apply(self, plan: Plan | None = None, *, reach: Reach | None = None, **options: Any) -> Result:
        """`approve` and `stop` are those of the hooks; other options those of the plan."""
        approve, stop = options.pop("approve", lambda _plan: True), options.pop("stop", threading.Event())
        hooks = Hooks(self.events.append, approve, self.clock, stop)
        with self.house(write=True, reach=reach) as house:
            return apply(house, plan, ApplyOptions(PlanOptions(**options)), hooks)

    def settled(self) -> None:
        """Applies, and expects nothing left over, now and in a second plan."""
        result = self.apply()
        assert result.exit_code == 0, (result.outcomes, result.conflicts, result.problems)
        again = self.plan()
        assert self.told(again) == []
        assert again.exit_code(detailed=True) == 0

    def told(self, plan: Plan | None = None) -> list[str]:
        """A plan in short: `create a`, `move b<a`."""
        return [brief(change) for change in (plan or self.plan()).changes()]

    def there(self) -> dict[str, str]:
        """Every file of the target with its text, control files left out."""
        if os.path.isdir(self.target) and self.around is None:
            found = files_below(self.target)
            return {key: data.decode() for key, data in found.items() if not has_control(key)}
        with self.house(write=False) as house:
            store = house.mappings[0].target
            items = list(store.list())
            assert not [item for item in items if isinstance(item, Problem)]
            entries = [item for item in items if isinstance(item, Entry) and not item.kind]
            return {entry.key: b"".join(store.read(entry.key)).decode() for entry in entries}

    def here(self) -> dict[str, str]:
        """Every file of the source with its text."""
        return {name: data.decode() for name, data in sorted(files_below(str(self.src)).items())}


@lru_cache(maxsize=256)
def _built(document: str, root: Path) -> Spec:
    """The same spec for the same words: those of these worlds hang on nothing else."""
    assert "${" not in document
    return build(json.loads(document), root=root)


def brief(change: Change) -> str:
    came = f"<{change.from_key}" if change.from_key else ""
    return f"{change.action} {change.key}{came}"
