"""The screens that only look: runs, listings, the state, one path, the lock. Lines without line ends, all escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from typing import Final

from reconcile.core.change import SYMBOLS
from reconcile.core.counts import moment_text, plural, seconds_text, size_text
from reconcile.core.entry import Entry, Kind, Problem
from reconcile.core.outcome import Outcome, Run
from reconcile.core.path import shown
from reconcile.core.reasons import conflict_sentence, sentence
from reconcile.core.record import Record, Scope
from reconcile.report.paint import Paint
from reconcile.report.views import Why

_OPEN: Final = -1
_INCOMPLETE: Final = 7


def moment(seconds: float, zone: tzinfo | None = None) -> str:
    """`2026-03-01 18:02:11` in `zone` (None: local time); `never` for 0."""
    return moment_text(seconds, zone) if seconds else "never"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Rows under headings, columns aligned; holds all of them."""
    from tabulate import tabulate  # noqa: PLC0415 - 60 ms that only tables pay

    cells = [[shown(cell) for cell in row] for row in rows]
    yield from tabulate(cells, heads, tablefmt="plain", disable_numparse=True).splitlines()


def history_lines(runs: Iterable[Run], *, zone: tzinfo | None = None) -> Iterator[str]:
    """Runs, newest first, one line each: only the newest can still be under way."""
    told = [
        (
            str(run.id),
            run.operation,
            moment(run.started, zone),
            _took(run),
            _ended(run, newest=not place),
            *_amount(run),
            _who(run),
        )
        for place, run in enumerate(runs)
    ]
    if not told:
        yield "No runs yet."
        return
    yield from table(("run", "what", "started", "took", "ended", "done", "sent", "who"), told)


def _took(run: Run) -> str:
    return seconds_text(run.ended - run.started) if run.ended else ""


def _ended(run: Run, *, newest: bool) -> str:
    if run.exit_code == _OPEN:
        return "open" if newest else "stopped"
    failed = f", {run.failed:,} failed" if run.failed else ""
    return ("done" if run.exit_code == 0 else f"exit {run.exit_code}") + failed


def _amount(run: Run) -> tuple[str, str]:
    return f"{run.done:,} of {run.total:,}", size_text(run.bytes)


def _who(run: Run) -> str:
    return f"{run.who}@{run.host}" if run.host else run.who


def run_lines(
    run: Run, outcomes: Iterable[Outcome], *, newest: bool = True, zone: tzinfo | None = None, color: bool = False
) -> Iterator[str]:
    """One run: its facts, then every action with its time, errors with their hints."""
    paint = Paint(color)
    yield paint.bold(shown(f"Run {run.id}: {run.operation} by {_who(run) or 'unknown'}"))
    ended = f"{moment(run.ended, zone)}, {_took(run)}" if run.ended else "still open" if newest else "nobody knows when"
    yield f"  {moment(run.started, zone)} to {ended}; {', '.join(_amount(run))}; {_ended(run, newest=newest)}"
    all_done = True
    for outcome in outcomes:
        all_done = all_done and outcome.outcome == "done"
        yield from outcome_lines(outcome, paint)
    if run.exit_code == _INCOMPLETE and all_done:
        yield "  No action failed: something could not be read, or was not begun. What it is today: reconcile plan"


def outcome_lines(outcome: Outcome, paint: Paint) -> Iterator[str]:
    """How one action ended; why, and what to do, when it is not done."""
    done = outcome.outcome == "done"
    symbol = SYMBOLS.get(outcome.action, "!") if done else "!"  # type: ignore[call-overload]
    name = f"{outcome.mapping}: {outcome.key}" if outcome.mapping else outcome.key
    old = f" from {outcome.from_key}" if outcome.from_key else ""
    told = f"{size_text(outcome.size_bytes)}  {seconds_text(outcome.seconds)}" if done else ""
    why = told if done else ": ".join(filter(None, (f"{outcome.action} {outcome.outcome}", outcome.error)))
    yield f"  {paint.symbol(symbol)} {shown(name)}{shown(old)}  {shown(why)}"
    if outcome.hint and not done:
        yield f"    {shown(outcome.hint)}"


def ls_lines(entries: Iterable[Entry | Problem], *, what: str = "file", zone: tzinfo | None = None) -> Iterator[str]:
    """A listing as it streams by: size, time, name; the last line is the total of `what` they are."""
    files = size_bytes = unreadable = 0
    for entry in entries:
        if isinstance(entry, Problem):
            unreadable += 1
            yield f"? {shown(entry.key)}  {shown(entry.reason)}"
        else:
            files += entry.kind is Kind.FILE
            size_bytes += entry.size
            when = moment(entry.mtime_ns / 1e9, zone) if entry.mtime_ns else ""
            yield f"{size_text(entry.size):>10}  {when:<19}  {shown(entry.key)}"
    gaps = f", {unreadable:,} unreadable" if unreadable else ""
    yield f"{plural(files, what)}, {size_text(size_bytes)}{gaps}"


def scope_lines(scopes: Iterable[tuple[Scope, int, int]]) -> Iterator[str]:
    """The scopes of a state, (scope, serial, records) each."""
    rows = [(s.mapping, s.source, s.target, str(serial), f"{count:,}", s.id) for s, serial, count in scopes]
    yield from table(("mapping", "source", "target", "serial", "paths", "scope"), rows)


def record_lines(records: Iterable[Record]) -> Iterator[str]:
    """Records as they stream by: size, digest, run, name."""
    for record in records:
        marks = " (not settled)" * (not record.settled) + " (accepted)" * record.accepted
        facts = f"{size_text(record.size):>10}  {record.digest.hex()[:12]}  run {record.run:<5}"
        yield f"{facts}  {shown(record.key)}{marks}"


def record_text(record: Record, *, indent: str = "") -> Iterator[str]:
    """Everything one record holds."""
    facts = [
        ("key", record.key),
        ("source", record.path or record.key),
        ("size", f"{record.size:,} B"),
        ("sha256", record.digest.hex()),
        ("version", record.version),
        ("run", str(record.run)),
        ("settled", "yes" if record.settled else "no: its version was read too soon after the write"),
    ]
    if record.accepted:
        facts.append(("accepted", "the target holds something else, taken as it was"))
    yield from (f"{indent}{name:<8} {shown(value)}" for name, value in facts)


def why_lines(why: Why, *, zone: tzinfo | None = None, color: bool = False) -> Iterator[str]:
    """What is known of a path, and what a plan would do."""
    paint = Paint(color)
    yield paint.bold(shown(f"{why.mapping}: {why.key}"))
    yield f"  source  {_entry_text(why.source, zone)}"
    yield f"  record  {_record_text(why.record, why.history)}"
    yield f"  target  {_entry_text(why.target, zone)}"
    yield from (f"  {shown(note)}" for note in why.notes)
    yield f"  plan    {_verdict(why, paint)}"
    for run, outcome in why.history:
        told = f"{outcome.action} {outcome.outcome}" + (f": {outcome.error}" if outcome.error else "")
        told = told if run.operation == "apply" else f"{run.operation}: {told}"
        yield f"  run {run.id}  {moment(run.started, zone)}  {shown(told)}"


def _entry_text(entry: Entry | None, zone: tzinfo | None) -> str:
    if entry is None:
        return "nothing"
    kind = "" if entry.kind is Kind.FILE else f" ({entry.kind.name.lower()})"
    digest = f"  sha256 {entry.digest.hex()[:12]}" if entry.digest else ""
    when = f"  {moment(entry.mtime_ns / 1e9, zone)}" if entry.mtime_ns else ""
    return f"{size_text(entry.size)}{kind}{when}{digest}  version {shown(entry.version)}"


def _record_text(record: Record | None, history: Iterable[tuple[Run, Outcome]]) -> str:
    if record is None:
        done = any(outcome.outcome == "done" for _, outcome in history)
        return "none any more" if done else "none: this path was never written or adopted"
    told = f"{size_text(record.size)}  sha256 {record.digest.hex()[:12]}  version {record.version}, run {record.run}"
    return shown(told) + ", which holds something else, accepted as it was" * record.accepted


def _verdict(why: Why, paint: Paint) -> str:
    if why.problems:
        problem = why.problems[0]
        told = f"{problem.side}: {problem.reason.rstrip('.')}. {problem.hint}"
        return f"{paint.symbol('?')} nothing: {shown(told.strip())}"
    if why.conflict is not None:
        return f"{paint.symbol('!')} {shown(conflict_sentence(why.conflict, last_run=why.last_run))}"
    if why.change is None:
        return "nothing to do"
    told = f"{why.change.action}: {sentence(why.change, last_run=why.last_run)}"
    return f"{paint.symbol(SYMBOLS[why.change.action])} {shown(told)}"
