"""The state store: what is folded is read back, in order, and adds up."""

from __future__ import annotations

import time

import pytest

from reconcile.core.entry import Digest, Version
from reconcile.core.errors import FencedError, LockedError, StalePlanError
from reconcile.core.record import Record, Scope
from reconcile.ports import Fold, Intent, Outcome, Run
from reconcile.state.lease import acquire, break_lease
from reconcile.state.store import open_state

SCOPE = Scope("docs", "./docs", "s3://acme/docs")


class TheClock:
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)


def record(key, content=b"x", **more):
    return Record(key, len(content), Digest(content.ljust(32, b"\0")), Version(f"v-{content!r}"), **more)


def test_what_is_folded_is_read_back(tmp_path):
    path = str(tmp_path / "state" / "reconcile.db")
    state = open_state(path, write=True)
    lease = acquire(state, "apply", clock=TheClock)
    state.open_scope(SCOPE, lease)
    run = state.begin(Run(0, "apply", 1.0, plan="p"), lease)
    state.journal.intend([Intent(run, 1, SCOPE.id, "b", "create", Version(""))])
    assert [i.key for i in state.journal.open_intents()] == ["b"]
    folds = [Fold(SCOPE.id, n, put=record(k)) for n, k in enumerate(["a", "b", "a/b", "ä"])]
    state.fold(run, folds, [Outcome(1, "docs", "create", "b", "done")], lease)
    assert state.journal.open_intents() == []
    assert [r.key for r in state.records(SCOPE.id)] == ["a", "a/b", "b", "ä"]
    state.end(Run(run, "apply", 1.0, 2.0, plan="p"), [SCOPE.id], lease)
    assert state.completed(SCOPE.id)
    assert state.serial(SCOPE.id) == 1
    assert state.consumed("p") == run
    with pytest.raises(StalePlanError):
        state.begin(Run(0, "apply", 1.0, plan="p"), lease)
    with pytest.raises(LockedError):
        acquire(state, "apply", clock=TheClock)
    break_lease(state, lease.holder.id)
    with pytest.raises(FencedError):
        state.fold(run, [Fold(SCOPE.id, 1, drop="a")], [], lease)
    state.close()
    again = open_state(path)
    assert [r.key for r in again.records(SCOPE.id)] == ["a", "a/b", "b", "ä"]
    assert [o.key for o in again.outcomes(run)] == ["b"]
    again.close()
