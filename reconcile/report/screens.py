"""The short screens: status, the lock, a verification, one line of `watch`, an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from typing import Final

from msgspec import Struct

from reconcile.core.change import SYMBOLS, Action
from reconcile.core.counts import plural, seconds_text, size_text
from reconcile.core.errors import ReconcileError
from reconcile.core.events import ActionEnd, Note, Warn
from reconcile.core.path import shown
from reconcile.core.plan import Plan
from reconcile.report.document import conflict_group
from reconcile.report.model import CUT
from reconcile.report.paint import Paint
from reconcile.report.tables import moment
from reconcile.report.text import group_lines
from reconcile.report.views import Difference, Held, MappingStatus, Status
from reconcile.report.words import typed


def status_lines(status: Status, *, zone: tzinfo | None = None, color: bool = False) -> Iterator[str]:
    """How everything stands: a first line for all, then the last run, the lock and what is orphaned."""
    paint = Paint(color)
    running = status.lock.run if status.lock is not None and not status.lock.dead else 0
    parts = [_standing(mapping, status.now, paint, running) for mapping in status.mappings]
    lock = "lock free" if status.lock is None else "lock of a dead run" if _is_left(status.lock) else "lock held"
    yield " · ".join([*parts, lock])
    if status.last is not None:
        run = status.last
        ended = f"exit {run.exit_code}" if run.ended else f"open, {run.done:,} of {run.total:,} done"
        yield shown(f"Last run: {run.id}, {run.operation}, {moment(run.started, zone)}, {ended}.")
    if status.lock is not None:
        yield from lock_lines(status.lock, status.now, zone=zone)
    for target, count in status.orphans:
        yield shown(
            f"Orphaned: {plural(count, 'path')} in {target}: untouched, and known again with the spec that had them. "
            "Settle: reconcile state mv | state rm"
        )


def _is_left(held: Held) -> bool:
    """Whether a lock keeps nobody out: its process is dead, and no hold stays behind."""
    return held.dead and not held.hold


def _standing(mapping: MappingStatus, now: float, paint: Paint, running: int) -> str:
    name = shown(mapping.name)
    if mapping.open is not None:
        told = f"run {mapping.open.id}, {mapping.open.operation}"
        alive = mapping.open.id == running
        return f"{name} under way: {told}" if alive else paint.alarm(f"{name} left unfinished by {told}")
    return _stood(mapping, now, paint, name)


def _stood(mapping: MappingStatus, now: float, paint: Paint, name: str) -> str:
    """How its last run left it."""
    if mapping.failing_since:
        look = f"reconcile history {mapping.last_run}" if mapping.failed else f"reconcile plan --mapping {name}"
        return paint.alarm(f"{name} FAILING for {seconds_text(now - mapping.failing_since)} → {look}")
    if mapping.taken_back is not None:
        run, part = mapping.taken_back, " in part" if mapping.records else ""
        how = f"destroyed{part}" if run.operation == "destroy" else "rolled back"
        return f"{name} {how} by run {run.id}, {seconds_text(now - run.ended)} ago"
    if mapping.conflicts:
        return f"{name} {plural(mapping.conflicts, 'conflict')}"
    if not mapping.last_success:
        return f"{name} never applied"
    aside = f", {plural(mapping.rejects, 'row')} put aside → reconcile plan" if mapping.rejects else ""
    return f"{name} in sync, {seconds_text(now - mapping.last_success)} ago{aside}"


def lock_lines(held: Held | None, now: float, *, zone: tzinfo | None = None) -> Iterator[str]:
    """Who holds the lock, and the three things one can do about it."""
    if held is None:
        yield "Lock free."
        return
    since = f"{datetime.fromtimestamp(held.since, zone).astimezone(zone):%H:%M:%S}"
    who = f"{held.who}@{held.host}"
    if held.hold:
        yield shown(
            f"Held since {since} by {who}: {held.reason or 'no reason given'}    free: reconcile unlock {held.id}"
        )
        return
    run = f", run {held.run}" if held.run else ""
    done = f", {held.done:.0%} done".replace("%", " %") if held.done else ""
    heard = f", last heard {seconds_text(now - held.heard)} ago" if held.heard else ""
    yield shown(f"Locked since {since} by {who}: {held.operation}{run}{done}{heard}.")
    if _is_left(held):
        yield "  Its process is dead: the next run takes the lock over and goes on from there."
        return
    yield shown(f"  wait: --lock-timeout 10m    look: reconcile lock show    break: reconcile unlock {held.id}")


def verify_lines(differences: Iterable[Difference], *, checked: int, size_bytes: int) -> Iterator[str]:
    """Every path that differs; the last line says how many were read."""
    count, unseen, seen = 0, "", False
    for one in differences:
        count += 1
        seen |= not one.unseen
        if one.unseen:
            unseen = "reconcile apply --resend" + ("" if unseen else f" --path {typed(one.key)}")
        yield shown(f"  ! {one.mapping}: {one.key}  {one.why}")
    told = (
        f"{count:,} of {plural(checked, 'path')} differ from the state"
        if count
        else f"{plural(checked, 'path')} as recorded"
    )
    ways = shown(", ".join(filter(None, ("reconcile plan" if seen else "", unseen))))
    yield f"Verified: {told}; {size_text(size_bytes)} read." + (f" Next: {ways}" if ways else "")


def conflict_lines(plan: Plan, *, full: bool = False, color: bool = False) -> Iterator[str]:
    """The conflicts of every mapping with the command that settles them."""
    waiting = [mapping for mapping in plan.mappings if mapping.conflicts]
    for mapping in waiting:
        yield shown(mapping.name)
        several, most = len(plan.mappings) > 1, None if full else CUT
        group = conflict_group(mapping.conflicts, mapping.last_run, most, several=several)
        yield from group_lines(group, Paint(color))
    total = len(plan.conflicts)
    yield f"{plural(total, 'conflict')}." if total else "No conflicts."


_SYMBOLS: Final[dict[str, str]] = {action.value: SYMBOLS[action] for action in Action}


def watch_line(event: Struct, at: float, *, zone: tzinfo | None = None, color: bool = False) -> str | None:
    """What `watch` prints when it hears `event` at Unix second `at`; None for what it keeps to itself."""
    clock, paint = f"{datetime.fromtimestamp(at, zone).astimezone(zone):%H:%M:%S}", Paint(color)
    match event:
        case ActionEnd(outcome="done"):
            symbol = paint.symbol(_SYMBOLS.get(event.action, " "))
            sent = f" {size_text(event.bytes)}" if event.bytes else ""
            return f"{clock} {symbol} {shown(event.path)}{sent} {seconds_text(event.seconds)}"
        case ActionEnd():
            hint = f": {event.hint}" if event.hint else ""
            return f"{clock} {paint.symbol('!')} {shown(f'{event.path} {event.outcome}: {event.error}{hint}')}"
        case Warn():
            return f"{clock} {paint.symbol('!')} {shown(event.text)}"
        case Note():
            return f"{clock} {paint.symbol(event.symbol or ' ')} {shown(event.text)}"
        case _:
            return None


def error_lines(error: ReconcileError, *, color: bool = False) -> Iterator[str]:
    """What went wrong, where, and the next command. A message is one line; only lists of problems have several."""
    several = getattr(error, "problems", None) or getattr(error, "refusals", None)
    first, *others = several or [str(error)]
    yield Paint(color).alarm(f"Error: {shown(first)}")
    yield from (f"  {shown(line)}" for line in others)
    if error.hint:
        yield f"  {shown(error.hint)}"
