"""Runs, what they intend and how it ended: the journal and the history, and which plans were used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import sqlite3

from msgspec.structs import replace

from reconcile.core.errors import StalePlanError
from reconcile.ports import Intent, Outcome, Run
from reconcile.state import scopes
from reconcile.state.codec import DamageError
from reconcile.state.sums import Summed

RUNS = Summed("runs", Run, key=("id",))
OUTCOMES = Summed("outcomes", Outcome, lead=("run",), key=("run", "id"), part="run")
INTENTS = Summed("intents", Intent, key=("run", "seq"))

_SO_FAR = """
SELECT count(*) FILTER (WHERE outcome = 'done'), count(*) FILTER (WHERE outcome <> 'done'), coalesce(sum(sent_bytes), 0)
FROM outcomes WHERE run = ?
"""


def numbers(connection: sqlite3.Connection) -> range:
    """The numbers of all runs that are remembered: they have no gap, so that some can be read without the rest."""
    last = scopes.meta(connection).last_run
    return range(last - RUNS.sum_of(connection).count + 1, last + 1)


def newest(connection: sqlite3.Connection, limit: int) -> list[Run]:
    """Runs, newest first."""
    found = list(RUNS.select(connection, "ORDER BY id DESC LIMIT ?", (limit,)))
    if [run.id for run in found] != list(numbers(connection)[: -limit - 1 : -1]):
        raise DamageError("runs are lost")
    return [run if run.ended else _so_far(connection, run) for run in found]


def _so_far(connection: sqlite3.Connection, run: Run) -> Run:
    """A run that did not say how it ended, with what its outcomes tell: whoever died counted nothing."""
    ((done, failed, sent),) = connection.execute(_SO_FAR, (run.id,))
    return replace(run, done=done, failed=failed, bytes=sent)


def user_of(connection: sqlite3.Connection, plan: str) -> Run | None:
    """The run that used a plan."""
    every = RUNS.every(connection, order="id") if plan else ()
    return next(iter([run for run in every if run.plan == plan]), None)


def start(connection: sqlite3.Connection, run: Run, last_run: int) -> Run:
    """The run under its number; an unfinished run of the same plan goes on, a finished one has used it."""
    earlier = user_of(connection, run.plan)
    if earlier is not None and earlier.ended:
        raise StalePlanError(f"run {earlier.id} has already used this plan", op="apply", hint="reconcile plan")
    started = replace(run, id=earlier.id, started=earlier.started) if earlier else replace(run, id=last_run + 1)
    RUNS.put(connection, [started])
    if earlier is None:
        OUTCOMES.found(connection, started.id)
    return started


def forget_before(connection: sqlite3.Connection, run: int) -> int:
    """Forgets the runs before `run` and how their actions ended; returns how many there were."""
    gone = [number for number in numbers(connection) if number < run]
    for number in gone:
        OUTCOMES.forget(connection, number)
    RUNS.drop_from(connection, 0, "id < ?", (run,))
    return len(gone)


def add_outcomes(connection: sqlite3.Connection, run: int, outcomes: Sequence[Outcome]) -> None:
    """Keeps how actions ended; the last word on an action stands."""
    OUTCOMES.put(connection, outcomes, run)


def outcomes_of(connection: sqlite3.Connection, run: int) -> Iterator[Outcome]:
    """The outcomes of a run, by the numbers of their actions; none of one that is not remembered."""
    return OUTCOMES.every(connection, run, order="id") if run in numbers(connection) else iter(())


def close_intents(connection: sqlite3.Connection, run: int, ended: Sequence[int]) -> None:
    """Forgets intents whose actions have ended."""
    INTENTS.drop_rows(connection, 0, [(run, number) for number in ended])
