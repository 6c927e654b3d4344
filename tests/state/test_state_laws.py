"""Laws of the records: whatever is folded in whatever order, the state is the map it should be, and adds up."""

from __future__ import annotations

from pathlib import Path
import tempfile

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
import pytest

from reconcile.core.errors import FencedError
from reconcile.ports import Fold, Run
from reconcile.state.connection import looking
from reconcile.state.generations import KEPT, generations
from reconcile.state.lease import acquire, break_lease
from reconcile.state.pushing import push
from reconcile.state.store import open_state
from reconcile.state.verify import verify
from tests.conftest import HISTORIES
from tests.state.state_kit import DATA, DOCS, FakeClock, record

keys = st.sampled_from(["a", "a/b", "a-b", "b", "ä", "é", "\x01", "\U0001f600"])
scopes = st.sampled_from([DOCS, DATA])
contents = st.sampled_from(["one", "two"])
changes = st.lists(st.tuples(scopes, keys, st.none() | contents), max_size=6)


class Records(RuleBasedStateMachine):
    """A state beside a dictionary. Of many records is spoken where there are more than two."""

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("reconcile.state.store.FEW", 2)
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "reconcile.db"
        self.model = {DOCS.id: {}, DATA.id: {}}
        self.kept = {}
        self.readers = []
        self.open()
        for scope in (DOCS, DATA):
            self.state.open_scope(scope, self.lease)

    def open(self):
        self.state = open_state(str(self.path), write=True)
        self.lease = acquire(self.state, "apply", clock=FakeClock())
        self.run = self.state.begin(Run(0, "apply", 1.0), self.lease)

    @rule(changes=changes)
    def fold(self, changes):
        folds = []
        for seq, (scope, key, content) in enumerate(changes):
            put = None if content is None else record(key, content)
            folds.append(Fold(scope.id, seq, put=put, drop=key if content is None else None))
            self.model[scope.id].pop(key, None)
            if put:
                self.model[scope.id][key] = put
        self.state.fold(self.run, folds, [], self.lease)

    @rule(changes=changes)
    def fold_without_the_lease(self, changes):
        lost = self.lease
        break_lease(self.state, lost.holder.id)
        try:
            self.state.fold(self.run, [Fold(s.id, 1, drop=k) for s, k, _ in changes], [], lost)
        except FencedError:
            pass
        else:
            raise AssertionError("a fenced holder wrote")
        self.lease = acquire(self.state, "apply", clock=FakeClock())

    @rule()
    def end_and_open_again(self):
        self.state.end(Run(self.run, "apply", 1.0, 2.0), [DOCS.id], self.lease)
        for number, _ in generations(self.path):  # a run that changed something may have kept one
            self.kept.setdefault(number, {scope: dict(model) for scope, model in self.model.items()})
        self.lease.release()
        self.state.close()
        self.open()

    @rule(scope=scopes)
    def begin_to_read(self, scope):
        """A long reading sees what stood when its first record was read, whatever is written meanwhile."""
        reading = self.state.records(scope.id)
        model = dict(self.model[scope.id])
        if model:
            self.readers.append((reading, [next(reading)], model))

    @rule()
    def read_on(self):
        for reading, seen, model in self.readers:
            assert [*seen, *reading] == [model[key] for key in sorted(model)]
        self.readers.clear()

    @rule()
    def keep_a_generation(self):
        self.state.keep_generation()
        self.kept[self.state.head().serial] = {scope: dict(model) for scope, model in self.model.items()}
        assert [number for number, _ in generations(self.path)] == sorted(self.kept, reverse=True)[:KEPT]

    @rule(chance=st.randoms(use_true_random=False))
    def put_a_generation_back(self, chance):
        """It is what it was then, as the newest commit; what it replaced is a generation now."""
        found = generations(self.path)
        if not found:
            return
        self.read_on()
        number, file = chance.choice(found)
        before = self.state.head().serial
        copy = self.path.with_name("copy")
        copy.write_bytes(file.read_bytes())
        self.lease.release()
        self.state.close()
        push(str(self.path), str(copy), force=True, clock=FakeClock())
        self.kept[before] = {scope: dict(model) for scope, model in self.model.items()}
        self.model = {scope: dict(model) for scope, model in self.kept[number].items()}
        self.open()
        assert self.state.head().serial > before

    @invariant()
    def it_is_the_map(self):
        for scope, model in self.model.items():
            assert list(self.state.records(scope)) == [model[key] for key in sorted(model)]

    @invariant()
    def it_is_whole(self):
        with looking(self.path) as connection:
            verify(connection)

    def teardown(self):
        self.read_on()
        self.state.close()
        self.folder.cleanup()
        self.patch.undo()


TestRecords = Records.TestCase
TestRecords.settings = settings(max_examples=HISTORIES, stateful_step_count=10)
