"""What the tests of the state share: a clock they own, records, a state with a few of them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from reconcile.core.entry import Digest, Version
from reconcile.core.record import Record, Scope
from reconcile.ports import Fold, Run
from reconcile.state.lease import acquire
from reconcile.state.store import open_state

DOCS = Scope("docs", "./docs", "s3://acme/docs")
DATA = Scope("data", "./data", "dbfs:/data")
KEYS = ["a", "a-b", "a/b", "a/b/c.txt", "a0", "z", "ä", "\U0001f600"]


class FakeClock:
    """Time that passes only by sleeping."""

    def __init__(self, now=1_700_000_000.0):
        self.wall = now
        self.passed = 0.0
        self.on_sleep = lambda: None

    def now(self):
        return self.wall

    def monotonic(self):
        return self.passed

    def sleep(self, seconds):
        self.wall += seconds
        self.passed += seconds
        self.on_sleep()


def record(key, content="one", **more):
    digest = sha256(f"{key} {content}".encode()).digest()
    return Record(key, len(content), Digest(digest), Version(f'"{digest[:16].hex()}"'), **more)


def fold_keys(state, lease, keys, *, scope=DOCS, content="one"):
    """A run that records `keys`; returns its number."""
    state.open_scope(scope, lease)
    run = state.begin(Run(0, "apply", 1.0), lease)
    folds = [Fold(scope.id, seq, put=record(key, content)) for seq, key in enumerate(keys)]
    state.fold(run, folds, [], lease)
    state.end(Run(run, "apply", 1.0, 2.0, exit_code=0), [scope.id], lease)
    return run


def made(path: Path, keys=KEYS, content="one"):
    """The path of a closed state that holds `keys`."""
    state = open_state(str(path), write=True)
    lease = acquire(state, "apply", clock=FakeClock())
    fold_keys(state, lease, keys, content=content)
    lease.release()
    state.close()
    return path


def told_by(state):
    """All a reader can see of an open state."""
    scopes = state.scopes()
    return (
        state.lineage,
        scopes,
        {scope.id: list(state.records(scope.id)) for scope, _, _ in scopes},
        [state.completed(scope.id) for scope, _, _ in scopes],
        state.runs(),
        [list(state.outcomes(run.id)) for run in state.runs()],
        state.journal.open_intents(),
        {scope.id: [_pasts(state, run.id, scope.id) for run in state.runs()] for scope, _, _ in scopes},
    )


def _pasts(state, run, scope):
    """Every path that has a record, or that an action ever named, as the run found it."""
    keys = {outcome.key for run in state.runs() for outcome in state.outcomes(run.id)}
    return list(state.past(run, scope, sorted(keys | {record.key for record in state.records(scope)})))


def everything(path: Path):
    """All a reader can see of a state."""
    state = open_state(str(path))
    try:
        return told_by(state)
    finally:
        state.close()


def bytes_of(directory: Path):
    """Every file below a directory and its content."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir()) if path.is_file()}
