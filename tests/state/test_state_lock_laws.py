"""The lease against a model: processes of several machines, a clock that jumps, deaths, pauses, broken locks."""

from __future__ import annotations

from pathlib import Path
import tempfile

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace
import pytest

from reconcile.core.errors import FencedError, LockedError, UsageError
from reconcile.ports import Fold, Run
from reconcile.state import alive
from reconcile.state import lease as leases
from reconcile.state.lease import TTL_S, acquire, break_lease, hold, show
from reconcile.state.store import open_state
from tests.conftest import HISTORIES
from tests.state.state_kit import DOCS, FakeClock, record

NAMES = ("here-1", "here-2", "far-1")
names = st.sampled_from(NAMES)
JUMPS = (-31_536_000.0, -3600.0, 3600.0, 31_536_000.0)
YEAR = 31_536_000.0


class Process:
    """A process as the model knows it; `lease` is what it believes to hold."""

    def __init__(self, name, state):
        self.name = name
        self.far = name.startswith("far")
        self.state = state
        self.lease = None
        self.life = "alive"


class Locks(RuleBasedStateMachine):
    """Who may commit is who took the lease last, and nobody else; who may take it is told by the model."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = str(Path(self.folder.name) / "reconcile.db")
        self.processes = {name: Process(name, open_state(path, write=True)) for name in NAMES}
        self.clock = FakeClock()
        self.owner = None
        self.held = None
        self.fences = []
        self.commits = 0
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(alive, "life", self.life_of)
        self.patch.setattr(leases, "_us", self.us)

    def us(self, operation, clock):
        holder = WHOLE_US(operation, clock)
        return replace(holder, who=self.acting)

    def life_of(self, holder):
        """A process of our machine is alive or dead for certain; of another one, perhaps."""
        process = self.processes.get(holder.who)
        return "perhaps" if process is None or process.far else process.life

    def take(self, name, timeout_s=0.0):
        self.acting = name
        process = self.processes[name]
        process.lease = acquire(process.state, "apply", timeout_s=timeout_s, clock=self.clock)
        self.fences.append(process.lease.fence)
        self.owner = name

    def is_free(self):
        """Nobody holds it, or its holder is dead for certain."""
        if self.held is not None:
            return False
        owner = self.processes.get(self.owner)
        return owner is None or (not owner.far and owner.life == "dead")

    @rule(name=names)
    def acquire(self, name):
        if self.is_free():
            self.take(name)
            return
        with pytest.raises(LockedError):
            self.take(name)

    @rule(name=names)
    def wait_long(self, name):
        """Only the silence of a holder elsewhere, watched for `TTL_S`, ends in a takeover."""
        owner = self.processes.get(self.owner)
        if self.held is None and (self.is_free() or owner.far):
            self.take(name, timeout_s=TTL_S + 1)
            return
        with pytest.raises(LockedError):
            self.take(name, timeout_s=TTL_S + 1)

    @rule(name=names)
    def wait_while_it_beats(self, name):
        owner = self.processes.get(self.owner)
        if owner is None or owner.life == "dead" or self.held is not None:
            return
        self.clock.on_sleep = lambda: owner.lease.renew() if int(self.clock.passed * 4) % 40 == 0 else None
        with pytest.raises(LockedError):
            self.take(name, timeout_s=3 * TTL_S)
        self.clock.on_sleep = lambda: None

    @rule(name=names)
    def renew(self, name):
        self.only_the_owner(name, lambda process: process.lease.renew(run=3, done=0.5))

    @rule(name=names)
    def commit(self, name):
        def fold(process):
            process.state.open_scope(DOCS, process.lease)
            run = process.state.begin(Run(0, "apply", 1.0), process.lease)
            process.state.fold(run, [Fold(DOCS.id, 1, put=record("a", str(run)))], [], process.lease)
            self.commits += 1

        self.only_the_owner(name, fold)

    def only_the_owner(self, name, act):
        process = self.processes[name]
        if process.lease is None:
            return
        if name == self.owner and self.held is None:
            act(process)
            return
        with pytest.raises(FencedError):
            act(process)

    @rule(name=names)
    def release(self, name):
        process = self.processes[name]
        if process.lease is not None:
            process.lease.release()
            process.lease = None
            self.owner = None if self.owner == name else self.owner

    @rule(name=names)
    def unlock(self, name):
        """Whoever holds it, paused or not, is out at once."""
        process = self.processes[name]
        holder = show(process.state)
        if holder is None:
            with pytest.raises(UsageError):
                break_lease(process.state, "1234")
            return
        with pytest.raises(UsageError):
            break_lease(process.state, holder.id + "0")
        break_lease(process.state, holder.id)
        self.owner = self.held = None

    @rule(name=names)
    def freeze(self, name):
        self.acting = name
        if not self.is_free():
            with pytest.raises(LockedError):
                hold(self.processes[name].state, "migration", clock=self.clock)
            return
        hold(self.processes[name].state, "migration", clock=self.clock)
        self.owner, self.held = None, name

    @rule(name=names)
    def die(self, name):
        """What it believed goes with it; its lock stays behind."""
        self.processes[name].life = "dead"

    @rule(name=names)
    def start_again(self, name):
        """Another process, whatever its number."""
        process = self.processes[name]
        if self.owner != name:
            process.life, process.lease = "alive", None

    @rule(seconds=st.sampled_from(JUMPS) | st.floats(-YEAR, YEAR))
    def jump(self, seconds):
        self.clock.wall += seconds

    @invariant()
    def the_row_is_the_model(self):
        holder = show(self.processes["here-1"].state)
        assert (holder is None) == (self.owner is None and self.held is None)
        if holder is not None:
            assert holder.who == (self.owner or self.held)
            assert holder.hold == (self.held is not None)

    @invariant()
    def fences_only_grow(self):
        assert self.fences == sorted(set(self.fences))

    def teardown(self):
        for process in self.processes.values():
            process.state.close()
        self.patch.undo()
        self.folder.cleanup()


WHOLE_US = leases._us
TestLocks = pytest.mark.hazard("T22")(pytest.mark.hazard("T10")(pytest.mark.hazard("T11")(Locks.TestCase)))
TestLocks.settings = settings(max_examples=HISTORIES, stateful_step_count=15)
