"""What became of a plan: one outcome an action, one result a run."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from reconcile.core.change import Conflict, Refusal
from reconcile.core.entry import Problem

Ending = Literal["done", "failed", "skipped", "held", "conflict"]
"""`skipped`: not begun; `held`: kept back on purpose; `conflict`: the target had changed."""


class Outcome(Struct, frozen=True):
    """How one action ended. `seconds` it took; `kept` is where the old bytes are, if they were kept."""

    id: int
    mapping: str
    action: str
    key: str
    outcome: Ending
    size_bytes: int = 0
    sent_bytes: int = 0
    seconds: float = 0.0
    error: str = ""
    hint: str = ""
    from_key: str | None = None
    reason: str = ""
    kept: str = ""


class Run(Struct, frozen=True):
    """One run as history shows it. Times in Unix seconds, for people; `ended` is 0.0 while it is open."""

    id: int
    operation: str
    started: float
    ended: float = 0.0
    who: str = ""
    host: str = ""
    version: str = ""
    plan: str = ""
    exit_code: int = -1
    total: int = 0
    done: int = 0
    failed: int = 0
    bytes: int = 0
    counts: dict[str, int] = {}
    mappings: list[str] = []


class Result(Struct):
    """The result of a run, also what `reconcile.apply` returns. `total_bytes` were sent, in `seconds`.

    `outcomes` holds the actions that were tried or held back (of a run of over 100,000, only those that did not end
    well), `left` counts what is still to do, `skip_count` the paths that needed nothing.

    Of a rollback, `undoes` is the run it undid, `hold` the id of the hold it left, and the `reason` of each outcome
    what became of the path: `restored` (read back), `removed`, `unchanged`, `kept` or `cannot`. `rollback` is what a
    run with `on_failure: rollback` then undid of itself.
    """

    run: int = 0
    outcomes: list[Outcome] = []
    conflicts: list[Conflict] = []
    problems: list[Problem] = []
    refusals: list[Refusal] = []
    counts: dict[str, int] = {}
    skip_count: int = 0
    total_bytes: int = 0
    seconds: float = 0.0
    resumed: int = 0
    left: int = 0
    stopped: bool = False
    exit_code: int = 0
    undoes: int = 0
    hold: str = ""
    rollback: Result | None = None

    @property
    def success_count(self) -> int:
        """Actions that did what the plan said."""
        return sum(self.counts.values())

    @property
    def failure_count(self) -> int:
        """Actions that failed, met a conflict, or were not begun because of one that did."""
        return sum(outcome.outcome != "done" for outcome in self.outcomes)
