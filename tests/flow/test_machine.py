"""Any history of one mapping: people edit both sides, states are lost, rules change; every apply keeps the promises.

Every content a stranger ever put into the target is there for ever, in its place or kept aside. While an apply runs a
`Keeper` watches each change it makes; a second apply changes nothing, a plan never does.
"""

from __future__ import annotations

from contextlib import closing
from io import BytesIO
from itertools import count
import os
from pathlib import Path
import shutil
import tempfile
from typing import Any
import uuid

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from reconcile.core.entry import ANY
from reconcile.core.errors import StoreError
from reconcile.ports import Body, Store
from reconcile.stores.local import LocalStore
from reconcile.stores.memory import MemoryStore
from tests.conftest import HISTORIES
from tests.flow.small_trees import CONTENTS, NAMES, fits
from tests.flow.watchers import Counting, Keeper, holdings, mutations
from tests.flow.world import World

names = st.sampled_from(NAMES)
contents = st.sampled_from(CONTENTS)


class History(RuleBasedStateMachine):
    """One mapping to a local directory."""

    url = ""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="history-"))
        self.world = World(self.root, self.url and f"{self.url}{uuid.uuid4().hex}", {"guard": {"max_delete": "off"}})
        self.world.options["exclude"] = []
        self.strange = (f"stranger {number}" for number in count())
        self.precious: set[bytes] = set()
        self.pure = True
        self.lenient = False

    def teardown(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    # --- people, here

    @rule(name=names, content=contents)
    def edit(self, name: str, content: str) -> None:
        here = self.world.here()
        if name in here or fits(here, name):
            self._clear(name)
            self.world.write(name, content)

    @rule(name=names)
    def delete(self, name: str) -> None:
        if name in self.world.here():
            self.world.remove(name)
            self._prune()

    @rule(old=names, new=names)
    def rename(self, old: str, new: str) -> None:
        here = self.world.here()
        text = here.pop(old, None)
        if text is not None and fits(here, new) and old != new:
            self.world.move(old, "moving")
            self._prune()
            self.world.move("moving", new)

    @rule(one=names, other=names)
    def swap(self, one: str, other: str) -> None:
        if one != other and {one, other} <= self.world.here().keys():
            for old, new in ((one, "moving"), (other, one), ("moving", other)):
                self.world.move(old, new)

    @rule(name=names, time_ns=st.integers(0, 10**18))
    def touch(self, name: str, time_ns: int) -> None:
        if name in self.world.here():
            os.utime(self.world.src / name, ns=(time_ns, time_ns))

    @rule(name=names, mode=st.sampled_from([0o644, 0o755]))
    def chmod(self, name: str, mode: int) -> None:
        if name in self.world.here():
            (self.world.src / name).chmod(mode)

    # --- strangers, there

    @rule(name=names)
    def edit_there(self, name: str) -> None:
        text = next(self.strange).encode()
        with closing(self._target()) as target:
            target.ensure()
            found = {key for key in holdings(target) if not key.startswith(".")}
            if name not in found and not fits(dict.fromkeys(found), name):
                return
            target.write(name, Body(size_bytes=len(text), open=lambda: BytesIO(text)), expect=ANY)
        self.precious.add(text)
        self._meddled()

    @rule(name=names)
    def delete_there(self, name: str) -> None:
        with closing(self._target()) as target:
            target.delete([(name, ANY)])
        self._meddled()

    def _meddled(self) -> None:
        """What strangers take away themselves is theirs to lose."""
        self.precious &= set(self._all().values())
        self.pure = False

    # --- states and rules

    @rule()
    def lose_state(self) -> None:
        shutil.rmtree(self.root / "state", ignore_errors=True)
        self.pure = False

    @rule(name=names)
    def ignore(self, name: str) -> None:
        """Or no longer."""
        ignored = self.world.options["exclude"]
        self.world.options["exclude"] = [] if ignored else [f"/{name}"]
        self.pure = False

    @rule(
        conflict=st.sampled_from(["fail", "source", "target", "newest"]),
        drift=st.sampled_from(["restore", "keep", "fail"]),
        delete=st.booleans(),
    )
    def choose(self, conflict: str, drift: str, delete: bool) -> None:
        self.world.options |= {"conflict": conflict, "drift": drift, "delete": delete}
        self.lenient = True

    # --- the program

    @rule()
    def plan(self) -> None:
        before = self._all()
        calls: list[tuple[str, str]] = []
        self.world.around = lambda store: Counting(store, calls)
        first, second = self.world.plan(), self.world.plan()
        self.world.around = None
        assert mutations(calls) == []
        assert self._all() == before
        assert first.id == second.id

    @rule()
    def apply(self) -> None:
        conflicts = self._watched_apply()
        if self.pure and not self.lenient:
            assert conflicts == set()
            assert self.world.there() == self.world.here()
        there = self.world.there()
        for name, text in self.world.here().items():
            waits = self.lenient or name in conflicts or self._ignored(name)
            assert waits or there.get(name) == text, name
        calls: list[tuple[str, str]] = []
        self.world.around = lambda store: Counting(store, calls)
        again = self.world.apply()
        self.world.around = None
        assert mutations(calls) == []
        assert {conflict.key for conflict in again.conflicts} == conflicts
        if not conflicts and not self.lenient:
            self.pure = self.pure or (there == self.world.here() and not self.world.options["exclude"])

    def _watched_apply(self) -> set[str]:
        """Applies; returns the keys that wait for a decision."""

        def here() -> dict[str, bytes]:
            return {name: text.encode() for name, text in self.world.here().items()}

        self.world.around = lambda store: Keeper(store, here=here, foreign={})
        result = self.world.apply()
        self.world.around = None
        assert result.exit_code == (3 if result.conflicts else 0), result
        assert result.failure_count == 0
        return {conflict.key for conflict in result.conflicts}

    @invariant()
    def nothing_of_a_stranger_is_lost(self) -> None:
        if getattr(self, "precious", None):
            assert self.precious - set(self._all().values()) == set()

    # --- helpers

    def _ignored(self, name: str) -> bool:
        return any(name == rule[1:] or name.startswith(rule[1:] + "/") for rule in self.world.options["exclude"])

    def _target(self) -> Store:
        return LocalStore(str(self.world.out))

    def _all(self) -> dict[str, bytes]:
        with closing(self._target()) as target:
            try:
                return holdings(target)
            except StoreError:
                return {}

    def _clear(self, name: str) -> None:
        path: Any = self.world.src / name
        if path.is_dir():
            shutil.rmtree(path)

    def _prune(self) -> None:
        for path in sorted(self.world.src.rglob("*"), reverse=True):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()


class ObjectHistory(History):
    """One mapping to a store of objects."""

    url = "memory://"

    def _target(self) -> Store:
        return MemoryStore(self.world.target.removeprefix(self.url))


TestLocal = History.TestCase
TestObjects = ObjectHistory.TestCase
TestLocal.settings = TestObjects.settings = settings(max_examples=HISTORIES // 2, stateful_step_count=10)
