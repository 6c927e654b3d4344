"""Runs, what they intend and how it ended: the journal and the history, and which plans were used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import sqlite3

from msgspec.structs import replace

from reconcile.core.errors import StalePlanError
from reconcile.ports import Intent, Outcome, Run
from reconcile.state.codec import Table

RUNS = Table("runs", Run)
OUTCOMES = Table("outcomes", Outcome, lead=("run",))
INTENTS = Table("intents", Intent)


def newest(connection: sqlite3.Connection, limit: int) -> list[Run]:
    """Runs, newest first."""
    return list(RUNS.select(connection, "ORDER BY id DESC LIMIT ?", (limit,)))


def user_of(connection: sqlite3.Connection, plan: str) -> Run | None:
    """The run that used a plan."""
    return next(RUNS.select(connection, "WHERE plan = ? AND plan <> '' ORDER BY id LIMIT 1", (plan,)), None)


def start(connection: sqlite3.Connection, run: Run, last_run: int) -> Run:
    """The run under its number; an unfinished run of the same plan goes on, a finished one has used it."""
    earlier = user_of(connection, run.plan)
    if earlier is not None and earlier.ended:
        raise StalePlanError(f"run {earlier.id} has already used this plan", op="apply", hint="reconcile plan")
    started = replace(run, id=earlier.id, started=earlier.started) if earlier else replace(run, id=last_run + 1)
    RUNS.put(connection, [started])
    return started


def add_outcomes(connection: sqlite3.Connection, run: int, outcomes: Sequence[Outcome]) -> None:
    """Keeps how actions ended; the last word on an action stands."""
    OUTCOMES.put(connection, outcomes, run)


def outcomes_of(connection: sqlite3.Connection, run: int) -> Iterator[Outcome]:
    """The outcomes of a run, by the numbers of their actions."""
    return OUTCOMES.select(connection, "WHERE run = ? ORDER BY id", (run,))


def close_intents(connection: sqlite3.Connection, run: int, numbers: Sequence[int]) -> None:
    """Forgets intents whose actions have ended."""
    connection.executemany("DELETE FROM intents WHERE run = ? AND seq = ?", [(run, number) for number in numbers])
