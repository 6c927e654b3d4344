"""Plan files against a model: saved, read, copied, damaged, used once, used by a state of another family."""

from __future__ import annotations

from pathlib import Path
import tempfile

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule
import pytest

from reconcile.core.change import Action, Change, Reason
from reconcile.core.counts import Counts
from reconcile.core.entry import Digest, Version
from reconcile.core.errors import StalePlanError, UsageError
from reconcile.core.plan import Header, MappingPlan, Plan
from reconcile.ports import Run
from reconcile.state.lease import acquire
from reconcile.state.planfile import load_plan, save_plan
from reconcile.state.store import open_state
from tests.conftest import HISTORIES
from tests.state.state_kit import FakeClock

keys = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
actions = st.sampled_from([Action.CREATE, Action.UPDATE, Action.DELETE, Action.MOVE])
drafts = st.lists(st.tuples(keys, actions, st.binary(min_size=32, max_size=32)), max_size=5)


def plan_of(drafts, lineage):
    changes = [
        Change(number, "docs", action, key, Reason.NEW, digest=Digest(digest), expect=Version(f"v{number}"))
        for number, (key, action, digest) in enumerate(drafts)
    ]
    part = MappingPlan("docs", "scope", 1, "./docs", "./there", Counts())
    header = Header(lineage, "2" * 64, "reconcile.yaml", "0.1.0", "apply", [part])
    return Plan(header, lambda mapping: iter(changes if mapping in (None, "docs") else ()), pinned=True)


class Plans(RuleBasedStateMachine):
    """Every file is what was saved, byte for byte and word for word, or it is refused; a plan is used up by one run."""

    files = Bundle("files")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.state = open_state(str(Path(self.folder.name) / "reconcile.db"), write=True)
        self.lease = acquire(self.state, "apply", clock=FakeClock())
        self.saved = {}
        self.used = set()
        self.open = {}

    def new(self):
        return Path(self.folder.name) / f"{len(self.saved)}.plan"

    @rule(target=files, drafts=drafts)
    def save(self, drafts):
        path, plan = self.new(), plan_of(drafts, self.state.lineage)
        save_plan(plan, str(path))
        self.saved[path] = (path.read_bytes(), plan.id, list(plan.changes()))
        return path

    @rule(target=files, file=files)
    def copy(self, file):
        path = self.new()
        path.write_bytes(self.saved[file][0])
        self.saved[path] = self.saved[file]
        return path

    @rule(file=files)
    def save_over(self, file):
        with pytest.raises(UsageError):
            save_plan(plan_of([], self.state.lineage), str(file))

    @rule(file=files)
    def load(self, file):
        content, id_, changes = self.saved[file]
        plan = load_plan(str(file))
        assert (plan.id, list(plan.changes())) == (id_, changes)
        assert file.read_bytes() == content

    @rule(file=files, data=st.data())
    def damage(self, file, data):
        """Any byte, or a cut: it says the same, or it is refused."""
        content, id_, changes = self.saved[file]
        at = data.draw(st.integers(0, len(content) - 1))
        byte = data.draw(st.none() | st.integers(0, 255))
        other = content[:at] if byte is None else content[:at] + bytes([byte]) + content[at + 1 :]
        file.write_bytes(other)
        try:
            plan = load_plan(str(file))
            assert (plan.id, list(plan.changes())) == (id_, changes)
        except StalePlanError as refusal:
            assert refusal.exit_code == 5  # noqa: PT017 - either is right
        assert file.read_bytes() == other
        file.write_bytes(content)

    @rule(file=files)
    def begin(self, file):
        """A run that stopped goes on under its number; one that ended has used the plan up, under whatever name."""
        id_ = load_plan(str(file)).id
        run = Run(0, "apply", 1.0, plan=id_)
        if id_ in self.used:
            with pytest.raises(StalePlanError, match="already used"):
                self.state.begin(run, self.lease)
            return
        number = self.state.begin(run, self.lease)
        assert self.open.setdefault(id_, number) == number
        assert self.state.consumed(id_) == number

    @rule(file=files)
    def end(self, file):
        id_ = self.saved[file][1]
        if id_ in self.open and id_ not in self.used:
            self.state.end(Run(self.open[id_], "apply", 1.0, 2.0, plan=id_), [], self.lease)
            self.used.add(id_)

    def teardown(self):
        self.state.close()
        self.folder.cleanup()


TestPlans = pytest.mark.hazard("P13")(pytest.mark.hazard("P15")(Plans.TestCase))
TestPlans.settings = settings(max_examples=HISTORIES, stateful_step_count=12)
