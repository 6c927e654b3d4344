"""Makes the golden states and plans of the version that is checked out; run once, when a version is released. ::

    python -m tests.golden.make

Where the schema of the state changed since its version was given a number, the states are made again beside the first.
Nothing in them tells of the machine they were made on. What is made is never made again: it is what users have.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
import shutil
import sys
from typing import Any

import msgspec
from msgspec import json

from reconcile import __version__
from reconcile.core.change import Action, Change, Conflict, Reason, Refusal
from reconcile.core.counts import Counts
from reconcile.core.entry import Cover, Digest, Problem, Version
from reconcile.core.journal import Fold, Holder, Intent
from reconcile.core.outcome import Outcome, Run
from reconcile.core.plan import Header, MappingPlan, Plan
from reconcile.core.record import Record, Scope
from reconcile.ports import StateStore
from reconcile.scan.filters import Filter, Rules
from reconcile.scan.walk import walk
from reconcile.state.fence import write_row
from reconcile.state.lease import SqliteLease
from reconcile.state.migrations import MIGRATIONS
from reconcile.state.planfile import save_plan
from reconcile.state.shared import open_shared
from reconcile.state.store import SqliteState, open_state
from reconcile.stores.local import LocalStore
from tests.state.state_kit import FakeClock, told_by

HERE = Path(__file__).parent
DOCS = Scope("docs", "./docs", "s3://acme/docs")
HASHED = Scope("hashed", "./data", "file:///srv/data", layout="{stem}_{sha256}{suffix}")
KEYS = ["a", "a-b", "a/b", "a/b/c.txt", "z", "Überstraße", "\U0001f600", "tab\there"]
ETL = Holder("9c2e41d7", "etl", "ci-runner-7", 77, "apply", 1_772_391_000.0, boot="boot-1/machine", started="5 pid:[1]")


def record(key: str, **more: Any) -> Record:
    digest = Digest(key.encode().ljust(32, b"\x01")[:32])
    return Record(key, len(key), digest, Version(f'"{digest[:16].hex()}"'), **more)


def leased(state: SqliteState, holder: Holder | None, fence: int) -> SqliteLease:
    with state.leasing() as connection:
        write_row(connection, fence, holder)
    return SqliteLease(state, fence, holder or ETL, FakeClock())


def a_run(state: StateStore, lease: SqliteLease) -> None:
    """A run that ended: two scopes, records of every kind, outcomes of every ending."""
    for scope in (DOCS, HASHED):
        state.open_scope(scope, lease)
    run = Run(0, "apply", 1_772_391_000.0, who="etl", host="ci-runner-7", version=__version__, plan="7" * 64, total=9)
    number = state.begin(run, lease)
    folds = [Fold(DOCS.id, seq, put=record(key, run=number)) for seq, key in enumerate(KEYS)]
    folds.append(Fold(HASHED.id, 20, put=record("x_01.csv", path="in/x.csv", settled=False, executable=True)))
    kept = f".reconcile/undo/{number}/a"
    outcomes = [
        Outcome(0, "docs", "update", "a", "done", 1, 1, 0.25, reason="changed", kept=kept),
        Outcome(1, "docs", "move", "a-b", "done", 3, from_key="old", reason="renamed"),
        Outcome(2, "docs", "create", "no", "failed", error="403 access denied", hint="look at the policy"),
        Outcome(3, "docs", "delete", "held", "held", error="held back"),
        Outcome(4, "docs", "update", "theirs", "conflict", error="changed since the plan"),
    ]
    state.fold(number, folds, outcomes, lease)
    ended = {"ended": 1_772_391_003.0, "exit_code": 7, "done": 2, "failed": 3, "bytes": 1, "mappings": ["docs"]}
    done = msgspec.structs.replace(run, id=number, counts={"update": 1, "move": 1}, **ended)
    state.end(done, [HASHED.id], lease)
    another_run(state, lease)


def another_run(state: StateStore, lease: SqliteLease) -> None:
    """A run that changed what the first had left: what it found is remembered."""
    number = state.begin(Run(0, "apply", 1_772_391_500.0, who="etl", host="ci-runner-7", total=3), lease)
    folds = [
        Fold(DOCS.id, 1, put=record("a", run=number, executable=True), there=record("a").version),
        Fold(DOCS.id, 2, drop="z", there=record("z").version),
        Fold(DOCS.id, 3, put=record("theirs", run=number), there=Version('"of a stranger"')),
    ]
    told = ("update", "a"), ("delete", "z"), ("update", "theirs")
    outcomes = [Outcome(at, "docs", action, key, "done", 1) for at, (action, key) in enumerate(told, 1)]
    state.fold(number, folds, outcomes, lease)
    ended = Run(number, "apply", 1_772_391_500.0, 1_772_391_501.0, exit_code=0, total=3, done=3, mappings=["docs"])
    state.end(ended, [DOCS.id], lease)


def an_open_run(state: StateStore, lease: SqliteLease) -> None:
    """A run that died: its intents are open, its lease is held."""
    number = state.begin(Run(0, "apply", 1_772_392_000.0, who="etl", host="ci-runner-7", total=2), lease)
    intents = [
        Intent(number, 1, DOCS.id, "new", "create", Version(""), b"\x02" * 32, 3, "token1", executable=True),
        Intent(number, 2, DOCS.id, "z2", "move", Version(""), b"\x03" * 32, 1, "t2", "src/z", "z", Version('"zz"')),
    ]
    state.journal.intend(intents)
    state.fold(number, [Fold(DOCS.id, 0, drop="tab\there")], [], lease)


def write_told(folder: Path, state: SqliteState) -> None:
    """What a reader saw of it when it was made: what every later version must see, too."""
    told = json.encode(told_by(state), order="deterministic", enc_hook=str)
    (folder / "told.json").write_bytes(json.format(told, indent=1) + b"\n")


def make_states(folder: Path) -> None:
    for name in ("empty", "whole", "interrupted", "held"):
        path = folder / name / "reconcile.db"
        state = open_state(str(path), write=True)
        if name != "empty":
            lease = leased(state, ETL, 4)
            a_run(state, lease)
            lease.release()
        if name == "interrupted":
            an_open_run(state, leased(state, ETL, 5))
            shutil.copytree(path.parent, folder / "living")
        if name == "held":
            leased(state, msgspec.structs.replace(ETL, hold=True, pid=0, reason="migration"), 6)
        write_told(path.parent, state)
        state.close()
    (folder / "interrupted" / "told.json").rename(folder / "living" / "told.json")
    shutil.rmtree(folder / "interrupted")
    (folder / "living").rename(folder / "interrupted")  # as a killed process leaves it: the newest only in the log
    (folder / "interrupted" / "reconcile.db-shm").unlink()


def make_shared(root: Path) -> None:
    """A log in a directory: all deeds, a snapshot in the middle."""
    store = LocalStore(str(root), walk=partial(walk, str(root), selection=Filter(Rules())))
    store.ensure()
    with closing(open_shared(store, write=True)) as state:
        lease = leased(state, ETL, 1)
        a_run(state, lease)
        state.keep_generation()
        lease.renew(run=1, done=0.5)
        an_open_run(state, lease)
        state.forget_runs(2, lease)
        write_told(root, state)


def a_change(number: int, action: Action, key: str, reason: Reason, **more: Any) -> Change:
    return Change(number, "docs", action, key, reason, **more)


def changes() -> list[Change]:
    """Every action, and every field with something in it."""
    digest, seen = Digest(b"\x01" * 32), Version("12:34:56:78")
    told = {"digest": digest, "size": 12, "source_version": seen}
    return [
        a_change(1, Action.CREATE, "a/new.txt", Reason.NEW, **told, executable=True),
        a_change(2, Action.UPDATE, "b.csv", Reason.CHANGED, **told, was_size=9, expect=Version('"b"')),
        a_change(3, Action.CREATE, "lost.txt", Reason.LOST, **told, drift=True),
        a_change(
            4, Action.MOVE, "m/x", Reason.RENAMED, **told, from_key="x", from_version=Version('"x"'), vacates=True
        ),
        a_change(5, Action.DELETE, "old.txt", Reason.GONE, size=3, expect=Version('"o"'), after=(4,), group=4),
        a_change(6, Action.ADOPT, "same.txt", Reason.EQUAL, **told, path="src/same.txt", expect=Version('"s"')),
        a_change(7, Action.ACCEPT, "kept.txt", Reason.ACCEPTED, **told, expect=Version('"k"')),
        a_change(8, Action.FORGET, "Überstraße 文.txt", Reason.BOTH_GONE),
    ]


def plan_of(rows: list[Change], **more: Any) -> Plan:
    counts = Counts()
    for row in rows:
        counts.add(row)
    part = MappingPlan("docs", DOCS.id, 3, "file:///srv/docs", "s3://acme/docs", counts, **more)
    header = Header("1" * 32, "2" * 64, "reconcile.yaml", __version__, "apply", [part], ["deletes"], 41, 318, 900)
    return Plan(header, lambda mapping: iter(rows if mapping in (None, "docs") else []), pinned=True)


def make_plans(folder: Path) -> None:
    folder.mkdir(parents=True)
    unclean: dict[str, Any] = {
        "conflicts": [
            Conflict("docs", "q3.xlsx", Reason.BOTH_CHANGED, "here 18:02"),
            Conflict("docs", "p", Reason.PROTECTED, exit_code=4),
        ],
        "problems": [Problem("m", "listing failed: 503", Cover.RANGE, until="q", side="target", hint="once more")],
        "refusals": [Refusal("docs", "deletes", "would delete 3 of 4 files", allowed=True)],
    }
    more: dict[str, Any] = {
        "creates": ["bucket acme"],
        "notices": ["a notice"],
        "conditions": "unproven",
        "last_run": 41,
    }
    save_plan(plan_of([]), str(folder / "empty.plan"))
    save_plan(plan_of(changes(), **more), str(folder / "every_action.plan"))
    save_plan(
        plan_of(changes()[:2], window=True, waits_for=["tables"], records=7, whole=False, **unclean),
        str(folder / "unclean.plan"),
    )


def main() -> None:
    first, plans = HERE / "states" / __version__, HERE / "plans" / __version__
    states = first.with_name(f"{__version__}-schema-{len(MIGRATIONS)}") if first.exists() else first
    if states.exists():
        sys.exit(f"{states.name} has its golden files; they are never made again")
    make_states(states)
    make_shared(states / "shared")
    if not plans.exists():
        make_plans(plans)


if __name__ == "__main__":
    main()
