"""Finds out what a row of the march could not tell: a digest, an equality, a proven absence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
import time

from msgspec import Struct
from msgspec.structs import replace

from reconcile.core.change import Action, Change, Reason
from reconcile.core.decide import NO_FACTS, Ask, Decision, Facts, Source, Target, decide, source_state, target_state
from reconcile.core.entry import ABSENT, Digest, Entry, Kind, Problem
from reconcile.core.errors import StoreError, UnstableError
from reconcile.core.march import Row
from reconcile.core.record import Record
from reconcile.flow.hashing import digest_of
from reconcile.flow.wired import Wired
from reconcile.ports import Hashes

SMALL_BYTES = 1 << 20
"""Below this, hashing side by side costs more than it gains."""


class Judged(Struct, frozen=True, gc=False):
    """A row with its decision (None: nothing to do), what was found out, or the problem met while finding out."""

    row: Row
    decision: Decision | None = None
    facts: Facts = NO_FACTS
    source: Source = Source.UNKNOWN
    problem: Problem | None = None


_DESTROYING = {
    Reason.GONE: Reason.DESTROYED,
    Reason.GONE_OVER: Reason.DESTROYED,
    Reason.BOTH_GONE: Reason.DESTROYED,
    Reason.DELETED_CHANGED: Reason.DESTROY_HELD,
}
"""A destroy takes the source to be empty, which is nothing to tell anybody."""

_WINS = frozenset({"source", "target", "newest"})
"""Policies that leave nothing to a person."""

_DRIFTS = frozenset({Reason.BOTH_CHANGED, Reason.DELETED_CHANGED, Reason.EQUAL})


def tells_drift(decision: Decision | None) -> bool:
    """Whether a decision speaks of a target that changed without us."""
    return decision is not None and (decision.drift or decision.reason in _DRIFTS)


class Judge:
    """Decides rows, asking the stores only what the table needs to know."""

    def __init__(self, wired: Wired, *, destroy: bool = False, resend: bool = False) -> None:
        self._wired = wired
        self._destroy = destroy
        self._resend = resend

    def quick(self, row: Row) -> Judged | None:
        """The decision, if it needs no reading; None when facts are missing."""
        judged = self._judge(row, self._first_facts(row))
        return judged if isinstance(judged, Judged) else None

    def slow(self, rows: Sequence[Row]) -> Iterator[Judged]:
        """Decides rows that need facts, side by side where that helps; in the order given."""
        return each(self._wired, self._thorough, rows, [row.source.size if row.source else 0 for row in rows])

    def _thorough(self, row: Row) -> Judged:
        facts = self._first_facts(row)
        while True:
            judged = self._judge(row, facts)
            if isinstance(judged, Judged):
                return judged
            try:
                facts = self._find_out(row, facts, judged)
            except StoreError as error:
                side = "target" if judged is Ask.TARGET_EQUAL else "source"
                return Judged(row, problem=Problem(row.key, error.message, side=side, hint=error.hint))

    def _judge(self, row: Row, facts: Facts) -> Judged | Ask:
        if row.source is not None and row.source.kind is Kind.FILE and not self._wired.selection.size(row.source.size):
            facts = replace(facts, absence=Source.IGNORED)
        source = source_state(row, facts)
        if isinstance(source, Ask):
            return source
        target = target_state(row, source, facts)
        if isinstance(target, Ask):
            return target
        wired = self._wired
        decision = decide(
            row,
            wired.policy,
            source,
            target,
            facts,
            executable=wired.executable,
            accepted_waits=wired.accepted_waits,
        )
        accepted = row.record is not None and row.record.accepted
        if self._resend and not accepted and decision is None and (source, target) == (Source.SAME, Target.SAME):
            decision = Decision(Action.UPDATE, Reason.RESENT, row.target.version if row.target else ABSENT)
        if row.target is not None and row.target.outdated and not accepted:
            if decision is None and (source, target) == (Source.SAME, Target.SAME):
                decision = Decision(Action.UPDATE, Reason.REMADE, row.target.version)
            elif decision is not None and decision.action is Action.ADOPT:
                decision = replace(decision, action=Action.UPDATE, reason=Reason.REMADE)
        if self._destroy and decision is not None:
            decision = replace(decision, reason=_DESTROYING.get(decision.reason, decision.reason))
        return Judged(row, decision, facts, source)

    def _first_facts(self, row: Row) -> Facts:
        if self._destroy and row.record is not None:
            return Facts(absence=Source.ABSENT)
        if row.source is None and row.record is None:
            return Facts(absence=Source.ABSENT if self._selects(row) else Source.IGNORED)
        return NO_FACTS

    def _selects(self, row: Row) -> bool:
        """Whether what only the target has is in scope, as it would be here."""
        selection = self._wired.selection
        return selection.file(row.key) and (row.target is None or selection.size(row.target.size))

    def _find_out(self, row: Row, facts: Facts, ask: Ask) -> Facts:
        if ask is Ask.SOURCE_DIGEST:
            return replace(facts, source_digest=self._digest(row).sha256)
        if ask is Ask.TARGET_EQUAL:
            return self._compare(row, facts)
        return replace(facts, absence=self._absence(row))

    def _digest(self, row: Row) -> Hashes:
        assert row.source is not None
        here, md5 = row.source, self._wired.target.traits.waits
        return self._wired.reader.hashes(here.path or here.key, here.version, md5=md5)

    def _compare(self, row: Row, facts: Facts) -> Facts:
        """Whether the target still has the recorded content, whatever its version says, or else the source's."""
        assert row.target is not None
        there, record, here = row.target, row.record, row.source
        facts = replace(facts, target_asked=True, target_equal=False)
        read = self._read(there, record)
        if record is not None and record.size == there.size and self._is_recorded(there, record, read):
            return replace(facts, target_recorded=True)
        if here is None or here.kind is not Kind.FILE or here.size != there.size:
            return facts
        hashes = self._digest(row)
        equal = self._wired.target.prove(there, hashes) if read is None else read == hashes.sha256
        if equal is None and self._wired.learnt is not None and self._wired.learnt.is_other(there, hashes.sha256):
            equal = False
        if equal is None and self._wired.policy.conflict in _WINS:  # what is equal must not pass for a loser
            equal = digest_of(self._wired.target, there) == hashes.sha256
        return replace(facts, source_digest=hashes.sha256, target_equal=equal)

    def _read(self, there: Entry, record: Record | None) -> Digest | None:
        """The digest of what is there, read back where its store proves nothing: the same content may be there anew.

        Only of a path we know; what was never met is for apply to read.
        """
        target = self._wired.target
        return None if record is None or target.traits.proves else digest_of(target, there)

    def _is_recorded(self, there: Entry, record: Record, read: Digest | None) -> bool:
        """Proven, or for a version that is ours but not settled, read back. An accepted content was never recorded."""
        if record.accepted:
            return False
        target = self._wired.target
        proven = target.prove(there, Hashes(record.digest)) if read is None else read == record.digest
        if proven is None and there.version == record.version:
            return digest_of(target, there) == record.digest
        return bool(proven)

    def _absence(self, row: Row) -> Source:
        """Why no listing showed the source of a record; only what is proven gone may lead to a delete."""
        assert row.record is not None
        path = row.record.path or row.key
        if not self._wired.selection.file(path) or not self._wired.selection.size(row.record.size):
            return Source.IGNORED
        entry = self._wired.reader.stat(path)
        if entry is None or entry.kind is Kind.DIRECTORY:  # a directory proves that no file has that name
            return Source.ABSENT
        if entry.kind is not Kind.FILE:
            return Source.OTHER
        if not self._wired.selection.size(entry.size):
            return Source.IGNORED
        if row.record.path is not None:  # under another key now: what was sent before is history, and kept
            return Source.UNSELECTED
        raise UnstableError("the file came back while the tree was read", op="plan", path=path, hint="run it again")


def each(
    wired: Wired, work: Callable[[Row], Judged], rows: Sequence[Row], sizes_bytes: Iterable[int]
) -> Iterator[Judged]:
    """`work` on every row, in threads when a store waits or the files are large."""
    waits = wired.target.traits.waits or wired.source.traits.waits
    if len(rows) > 1 and (waits or max(sizes_bytes, default=0) >= SMALL_BYTES):
        with ThreadPoolExecutor(wired.concurrency, "judge") as pool:
            yield from pool.map(work, rows)
    else:
        yield from map(work, rows)


def pin(wired: Wired, change: Change) -> Digest | Problem:
    """The digest of what a change will send, remembered; a problem when the file cannot be read."""
    read_ns = time.time_ns()
    try:
        digest = wired.reader.hashes(change.source_path, change.source_version or None).sha256
    except StoreError as error:
        return Problem(change.key, error.message, hint=error.hint)
    if wired.memory is not None and change.source_version:
        wired.memory.remember(change.source_path, change.source_version, digest, read_ns)
    return digest
