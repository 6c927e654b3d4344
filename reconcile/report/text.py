"""Plans and results as lines for people: one line a change, the next command under it, the summary last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Final

from reconcile.core.counts import size_text
from reconcile.core.outcome import Result
from reconcile.core.path import shown
from reconcile.core.plan import Plan
from reconcile.report import ended
from reconcile.report.document import document
from reconcile.report.model import Group, Line, Refused, Section
from reconcile.report.paint import Paint
from reconcile.report.undone import own_lines
from reconcile.report.words import more_text

_LOOK_AHEAD: Final = 64
_WIDEST: Final = 56
"""Names up to this many characters are aligned; longer ones push their own line only."""


def plan_lines(plan: Plan, *, full: bool = False, color: bool = False) -> Iterator[str]:
    """The plan, line by line, without line ends; the last line is the summary. `color`: with SGR codes."""
    told, paint = document(plan, full=full), Paint(color)
    yield from map(shown, told.notes)
    if told.legend:
        yield "  ".join(f"{paint.symbol(symbol)} {word}" for symbol, word in told.legend)
        yield ""
    for section in told.sections:
        yield from _section(section, paint)
        yield ""
    yield paint.bold(told.summary)


def result_lines(
    plan: Plan | None,
    result: Result,
    *,
    full: bool = False,
    color: bool = False,
    seen: bool = False,
    mounts: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """What became of a plan: everything that is not done with its next command; the last line is the summary.

    `plan` (if there is one) tells since which run a path is in conflict, and whether it was a `destroy`; `seen`: it was
    shown just before, so that what it said of conflicts, guards and unreadable paths is only counted; `mounts`: by
    mapping, where a cluster sees its target, for what a notebook needs to use what was sent.
    """
    paint = Paint(color)
    for group in ended.groups(plan, result, full=full, seen=seen):
        yield from group_lines(group, paint)
        yield ""
    for refused in ended.refusals(plan, result) if not seen else ():
        yield from refused_lines(refused, paint)
        yield ""
    if result.rollback is not None:
        yield from own_lines(result.rollback)
    if mounts:
        from reconcile.report.notebook import notebook_lines  # noqa: PLC0415 - for stores that programs see as a path

        yield from notebook_lines(mounts, result)
    yield paint.bold(shown(ended.summary(result)))


def _section(section: Section, paint: Paint) -> Iterator[str]:
    yield paint.bold(shown(section.name)) + f"  {shown(section.source)} → {shown(section.target)}"
    yield from (f"  {shown(note)}" for note in section.notes)
    for group in section.groups:
        yield from group_lines(group, paint)
    if section.refused is not None:
        yield from refused_lines(section.refused, paint)


def group_lines(group: Group, paint: Paint) -> Iterator[str]:
    """One group: its heading, its lines with the names aligned, what was cut, what to do next."""
    if group.heading:
        yield f"  {shown(group.heading)}"
    ahead = list(islice(group.lines, _LOOK_AHEAD))
    names = [len(shown(line.key)) for line in ahead if isinstance(line, Line)]
    width = max((length for length in names if length <= _WIDEST), default=0)
    for line in chain(ahead, group.lines):
        if isinstance(line, Line):
            yield _line(line, width, paint)
            yield from (f"      {shown(detail)}" for detail in line.details)
            if line.hint:
                yield f"    {shown(line.hint)}"
        else:
            yield f"  … {more_text(line.counts)} (--full shows all)"
    if group.advice:
        yield f"    {shown(group.advice)}"


def _line(line: Line, width: int, paint: Paint) -> str:
    size = f"{size_text(line.size):>10}  " if line.size is not None else ""
    return f"  {paint.symbol(line.symbol)} {shown(line.key):<{width}}  {size}{shown(line.reason)}"


def refused_lines(refused: Refused, paint: Paint) -> Iterator[str]:
    """The verdict of the guards, and the commands that follow from it."""
    yield from (paint.alarm(shown(sentence)) for sentence in refused.sentences)
    if refused.ways:
        yield "  " + "      ".join(f"{what}: {shown(way)}" for what, way in refused.ways)
