"""What a rollback would do, what it did, and what a run undid of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from reconcile.core.outcome import Result, Run
from reconcile.core.path import shown
from reconcile.report.model import CUT
from reconcile.report.paint import Paint
from reconcile.report.tables import moment
from reconcile.report.views import Undone

_LINES: Final = {
    "restored": ("~", "restore"),
    "removed": ("-", "remove"),
    "kept": ("!", "keep"),
    "cannot": ("?", "cannot"),
}
"""How a path is marked and what would be done to it, by what would become of it."""

_REST: Final = {"unchanged": "as before already", "kept": "to keep", "cannot": "that cannot come back"}

_LEFT: Final = ("kept", "cannot")


def undone_of(result: Result) -> list[Undone]:
    """What became of each path of a rollback; those that needed nothing are only counted (`skip_count`)."""
    told: Any = ((one.mapping, one.key, one.reason, one.error) for one in result.outcomes)
    return [Undone(*one) for one in told if one[2] != "unchanged"]


def undo_lines(run: Run, expected: Iterable[Undone], *, full: bool = False, color: bool = False) -> Iterator[str]:
    """What rolling back `run` would do (cut after 50 of a kind, unless `full`); the last line is the summary."""
    paint = Paint(color)
    counts: Counter[str] = Counter()
    yield shown(f"Rollback of run {run.id}, {run.operation} of {moment(run.started)}:")
    for one in expected:
        counts[one.ending] += 1
        if one.ending in _LINES and (full or counts[one.ending] <= CUT):
            symbol, what = _LINES[one.ending]
            told = ": ".join(filter(None, (what, one.why)))
            yield f"  {paint.symbol(symbol)} {shown(f'{one.mapping}: {one.key}  {told}')}"
    for ending in _LINES:
        if counts[ending] > CUT and not full:
            yield f"  … {counts[ending] - CUT:,} more: {ending}"
    parts = [f"{counts['restored']:,} to restore", f"{counts['removed']:,} to remove"]
    parts += [f"{counts[ending]:,} {word}" for ending, word in _REST.items() if counts[ending]]
    yield paint.bold(f"Plan: {', '.join(parts)}.")


def rollback_lines(undone: Iterable[Undone], *, unchanged: int = 0, unlock: str = "") -> Iterator[str]:
    """Every path that was not brought back with its reason (cut after 50 of a kind); the last line is the summary."""
    counts: Counter[str] = Counter(unchanged=unchanged)
    reasons: dict[str, str] = {}
    for one in undone:
        counts[one.ending] += 1
        if one.ending in _LEFT:
            reasons.setdefault(one.ending, _short(one))
            if counts[one.ending] <= CUT:
                yield shown(f"  {one.ending} {one.mapping}: {one.key}  {one.why}")
    yield summary(counts, reasons) + (f". Held until: reconcile unlock {shown(unlock)}" if unlock else ".")


def summary(counts: Counter[str], reasons: dict[str, str]) -> str:
    """`restored 114 (digest verified) · removed 2 · kept 3 (changed since) · cannot 1 (big.iso: no copy)`."""
    told = [f"restored {counts['restored']:,} (digest verified)"]
    told += [f"{ending} {counts[ending]:,}" for ending in ("removed", "unchanged") if counts[ending]]
    told += [f"{ending} {counts[ending]:,} ({shown(reasons[ending])})" for ending in _LEFT if ending in reasons]
    return " · ".join(told)


def _short(one: Undone) -> str:
    return one.why.partition(", ")[0] if one.ending == "kept" else f"{one.key}: {one.why}"


def undone_lines(result: Result) -> Iterator[str]:
    """What became of a rollback."""
    unchanged = result.skip_count + sum(one.reason == "unchanged" for one in result.outcomes)
    yield from rollback_lines(undone_of(result), unchanged=unchanged, unlock=result.hold)


def own_lines(result: Result) -> Iterator[str]:
    """What a run undid of itself, path by path."""
    for one in undone_of(result)[:CUT]:
        if one.ending not in _LEFT:
            yield shown(f"  {one.ending} {one.mapping}: {one.key}")
    first, *others = reversed([*undone_lines(result)])
    yield from reversed(others)
    run = f" in run {result.run}" if result.run else ""
    yield f"Rolled back run {result.undoes}{run}: {first}"
