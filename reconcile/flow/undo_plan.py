"""What a rollback would do to each path of one mapping: looks only, and changes nothing.

A path is brought back only if the target still holds there what the run left; its old content comes from where the run
kept it, from the bucket's own versions, or from where the run moved it. All else is kept as it is, and told why.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from reconcile.core.change import QUIET, Action, Change, Reason
from reconcile.core.entry import ABSENT, Entry, Version
from reconcile.core.errors import StoreError
from reconcile.core.graph import entangle, frees, meeting
from reconcile.core.outcome import Run
from reconcile.core.path import parents
from reconcile.core.record import Record
from reconcile.flow.clearing import what_stays
from reconcile.flow.keeping import VERSION_ID
from reconcile.flow.names import place_of
from reconcile.flow.undo_evidence import Evidence, Touched, proven
from reconcile.flow.undoing import Before
from reconcile.flow.wired import House, Wired
from reconcile.ports import Past, Store
from reconcile.report.views import Undone

_COMES: Final = frozenset({Action.CREATE, Action.UPDATE, Action.MOVE})


@dataclass(slots=True)
class Part:
    """The rollback of one mapping: changes to make, what each path was before, and what is told of all others."""

    wired: Wired
    changes: list[Change] = field(default_factory=list)
    befores: dict[str, Before] = field(default_factory=dict)
    told: list[Undone] = field(default_factory=list)


def undo_part(house: House, wired: Wired, run: Run, first_id: int) -> Part:
    """What rolling back `run` in this mapping would do; ids of changes count from `first_id`."""
    evidence = Evidence(house, wired, run)
    part = Part(wired)
    if not evidence.past:
        why = "the run had another source, target or layout"
        part.told = [Undone(wired.name, key, "cannot", why) for key in evidence.touched]
        return part
    verdicts = _Verdicts(wired, evidence)
    for one in evidence.touched.values():
        verdicts.judge(one)
    verdicts.settle_directories()
    verdicts.settle_moves()
    return verdicts.part(part, first_id)


class _Verdicts:
    """Path by path, what is to be done. A verdict is a change, or the reason why there is none."""

    def __init__(self, wired: Wired, evidence: Evidence) -> None:
        self._wired = wired
        self._evidence = evidence
        self._there = evidence.there
        self._told: dict[str, Undone] = {}
        self._changes: dict[str, Change] = {}
        self._befores: dict[str, Before] = {}

    # --- one path

    def judge(self, one: Touched) -> None:
        """Decides about one path; what cannot be found out keeps back no other."""
        try:
            self._judge(one)
        except StoreError as error:
            self._tell(one.key, "cannot", str(error))

    def _judge(self, one: Touched) -> None:
        key, past = one.key, self._evidence.past[one.key]
        if key in self._evidence.unreadable:
            self._tell(key, "cannot", self._evidence.unreadable[key])
        elif one.action in QUIET:
            self._judge_record(past)
        elif one.stopped or (one.action is None and past.there == ABSENT):
            self._judge_stopped(one, past)
        else:
            self._judge_content(one, past, self._there.get(key))

    def _judge_record(self, past: Past) -> None:
        """Nothing there was changed: only what was remembered comes back."""
        if past.changed_by:
            self._tell(past.key, "kept", self._since(past))
        else:
            self._as_before(past, past.record)

    def _judge_stopped(self, one: Touched, past: Past) -> None:
        """A run that died before it changed the path may have taken its content out of its place, and not put it back.

        Nothing was folded then: what is remembered is what was there before, unless a later run made it. The same goes
        for a content that was only copied, and whose own change never began.
        """
        record = past.left
        if record is None or record.version == ABSENT or past.key in self._there or self._evidence.is_later(record):
            self._as_before(past, record)
        else:
            self._restore(one, replace(past, there=record.version, record=record), None)

    def _judge_content(self, one: Touched, past: Past, there: Entry | None) -> None:
        wanted = past.there != ABSENT
        if there is None and not wanted:
            self._as_before(past, past.record)
        elif there is not None and wanted and self._evidence.is_old(past, there):
            version = there.version
            self._as_before(past, replace(past.record, version=version) if past.record is not None else None)
        elif not self._evidence.is_as_left(one, past, there):
            self._tell(past.key, "kept", self._since(past))
        elif there is not None and self._wired.protected(past.key):
            self._tell(past.key, "kept", "protected")
        elif not wanted:
            assert there is not None
            self._befores[past.key] = Before(past.record)
            self._change(past, Action.DELETE, there.version, there.size)
        else:
            self._restore(one, past, there)

    def _restore(self, one: Touched, past: Past, there: Entry | None) -> None:
        """The old content comes back, if it is anywhere."""
        record = proven(past)
        digest = record.digest if record is not None else None
        before = self._evidence.kept(one, past)
        origin = self._there.get(one.moved_to) if one.moved_to is not None else None
        expect = there.version if there is not None else ABSENT
        if before is not None:
            was = past.record is not None and past.record.accepted and past.record.version == past.there
            self._befores[past.key] = Before(past.record, digest, *before, accepted=was)
            size = before[0].size if before[0] is not None else record.size if record is not None else 0
            self._change(past, Action.UPDATE if there else Action.CREATE, expect, size)
        elif origin is not None and record is not None and self._evidence.is_left_at(origin.key, record):
            self._befores[past.key] = Before(past.record, digest)
            self._change(past, Action.MOVE, expect, origin.size, origin)
        else:
            self._tell(past.key, "cannot", self._why_not(one, past))

    def _why_not(self, one: Touched, past: Past) -> str:
        if one.moved_to is not None:
            return f"it was moved to {one.moved_to}, which changed since"
        _, named, version_id = one.kept.rpartition(VERSION_ID)
        if named:
            return f"the bucket no longer keeps version {version_id}"
        what = f" of version {past.there}" if self._wired.target.traits.waits else ""
        return f"no copy{' any more' if one.kept else ''}{what}"

    def _since(self, past: Past) -> str:
        if past.changed_by in self._evidence.rollbacks:
            strange = past.there != ABSENT and proven(past) is None
            return f"rolled back by run {past.changed_by}, perhaps changed since" if strange else "changed since"
        return f"changed since, by run {past.changed_by}" if past.changed_by else "changed since"

    # --- all of them

    def settle_directories(self) -> None:
        """A file comes back in a directory's place only if that goes, with all that stands there."""
        going = {key for key, change in self._changes.items() if change.action is Action.DELETE}
        coming = {key for key, change in self._changes.items() if change.action in _COMES}
        for key in sorted(self._evidence.directories & coming):
            if stays := what_stays(self._wired.target, key, going):
                del self._changes[key]
                self._tell(key, "kept", f"changed since: {stays} stands there")

    def settle_moves(self) -> None:
        """What cannot come back leaves its content where it was moved to, and what stands in its place."""
        stuck = [one for key, one in self._evidence.touched.items() if key not in self._changes]
        below = self._below() if stuck else {}
        while stuck:
            one = stuck.pop()
            told = self._told.get(one.key)
            if told is None or told.ending == "unchanged":
                continue
            if one.moved_to is not None and self._changes.pop(one.moved_to, None) is not None:
                self._tell(one.moved_to, "kept", f"holds what {one.key} had: {told.why}")
                stuck.append(self._evidence.touched[one.moved_to])
            for key in (*parents(one.key), *below.get(one.key, ())):
                if self._wired.target.traits.tree and self._changes.pop(key, None) is not None:
                    self._tell(key, "kept", f"stays with {one.key}: {told.why}")
                    stuck.append(self._evidence.touched[key])
        for change in list(self._changes.values()):
            origin = self._changes.get(change.from_key or "")
            if change.from_key is None or origin is None:
                continue
            vacates = origin.action is Action.DELETE
            self._changes[change.key] = replace(change, vacates=vacates)
            if vacates:
                del self._changes[change.from_key]

    def _below(self) -> dict[str, list[str]]:
        """The changed paths below each path."""
        found: dict[str, list[str]] = {}
        for key in self._changes:
            for above in parents(key):
                found.setdefault(above, []).append(key)
        return found

    def part(self, part: Part, first_id: int) -> Part:
        """The verdicts in their order."""
        numbered = [
            replace(change, id=number)
            for number, (_, change) in enumerate(sorted(self._changes.items()), start=first_id)
        ]
        part.changes = _ordered(numbered, self._wired.target)
        part.befores = self._befores
        part.told = [one for key, one in sorted(self._told.items()) if key not in self._changes]
        return part

    def _as_before(self, past: Past, record: Record | None) -> None:
        """The content is as it was; the record follows, unless somebody has written another since."""
        self._tell(past.key, "unchanged", "as it was before")
        if not past.changed_by and past.left != record:
            self._befores[past.key] = Before(record)
            self._change(past, Action.ADOPT, past.there, record.size if record is not None else 0)

    def _change(self, past: Past, action: Action, expect: Version, size: int, origin: Entry | None = None) -> None:
        record, was = past.record, proven(past)
        self._changes[past.key] = Change(
            0,
            self._wired.name,
            action,
            past.key,
            Reason.UNDONE,
            size=size,
            was_size=self._there[past.key].size if past.key in self._there else 0,
            digest=was.digest if was is not None else None,
            path=record.path if record is not None else None,
            executable=record.executable if record is not None else False,
            expect=expect,
            from_key=origin.key if origin is not None else None,
            from_version=origin.version if origin is not None else ABSENT,
        )

    def _tell(self, key: str, ending: str, why: str) -> None:
        self._told[key] = Undone(self._wired.name, key, ending, why)  # type: ignore[arg-type]


def _ordered(changes: list[Change], target: Store) -> list[Change]:
    """The changes with who waits for whom; most wait for nobody."""
    tree, place = target.traits.tree, place_of(target)
    keys = {change.key for change in changes} | {change.from_key for change in changes if change.from_key is not None}
    clashing = {key for key in keys if not keys.isdisjoint(parents(key))} if tree else set()
    clashing |= {above for key in clashing for above in parents(key)}
    if tree:
        freed = {key for change in changes if (key := frees(change)) is not None}
        clashing |= meeting(freed, (change.key for change in changes if change.key not in freed), place)
    readers = {change.from_key for change in changes if change.from_key is not None}
    tangled = [one for one in changes if one.from_key is not None or one.key in readers or one.key in clashing]
    if len(tangled) < 2:
        return changes
    told = {change.id: change for change in entangle(tangled, tree=tree, place=place)}
    return [told.get(change.id, change) for change in changes]
