"""From decisions to the changes of one mapping: pairs renames, finds who stands in whose way, gives ids and order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from functools import partial

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from reconcile.abilities import Naming
from reconcile.core.change import Action, Change, Conflict, Reason
from reconcile.core.counts import Counts, moment_text, size_text
from reconcile.core.decide import Decision, Source
from reconcile.core.entry import ABSENT, Digest, Entry, Kind, Problem
from reconcile.core.graph import entangle, meeting
from reconcile.core.march import Row
from reconcile.core.moves import Holder, Seeker, candidates, pair
from reconcile.core.reasons import tells_since
from reconcile.flow.clearing import what_stays
from reconcile.flow.facts import Judged, pin
from reconcile.flow.names import place_of, why_not_portable, why_refused, why_unfit
from reconcile.flow.rivals import Rivals
from reconcile.flow.wired import Wired
from reconcile.ports import Spill
from reconcile.state.spill import make_spill

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Change).decode

_TAKES_AWAY = frozenset({Action.UPDATE, Action.DELETE, Action.MOVE})
_SENDS = frozenset({Action.CREATE, Action.UPDATE})
_SEEKS = frozenset({Reason.NEW, Reason.CHANGED, Reason.CHANGED_OVER, Reason.RECREATED, Reason.LOST})


class _Clash(Struct, frozen=True):
    """A key that needs a directory where `above` is a file, on one side or the other."""

    above: str
    key: str
    occupied: bool


class Draft:
    """The changes of one mapping while they are found. `pinned`: every content gets its digest now."""

    def __init__(self, wired: Wired, *, pinned: bool) -> None:
        self._wired = wired
        self._pinned = pinned
        self._rows: Spill = make_spill()
        self._holders: list[Holder] = []
        self._clashes: list[_Clash] = []
        self._named = wired.target if isinstance(wired.target, Naming) else None  # asked once: it takes its time
        self._rivals = Rivals(wired, self._named)
        self.conflicts: list[Conflict] = []
        self.problems: list[Problem] = []
        self.skipped = 0
        self.unchanged = 0
        self.unportable: list[str] = []
        self.lost = 0
        self.unmanaged_deletes = 0

    def take(self, judged: Judged) -> None:
        """Takes in one decided row."""
        row, decision = judged.row, judged.decision
        if judged.problem is not None:
            self.problems.append(judged.problem)
        self.note_clash(row)
        self.skipped += judged.source is Source.OTHER and row.record is None
        self.unchanged += decision is None and judged.source is Source.SAME
        if decision is None or decision.action is not Action.DELETE:
            self._rivals.stays(row)
        if decision is None:
            return
        if decision.problem:
            self.problems.append(Problem(row.key, "it is no longer a regular file; the target keeps the last one"))
        elif decision.action is None:
            self._conflict(row, decision.reason)
        elif (why := self._why_held(row, decision)) is not None:
            self._rivals.stays(row)
            self._conflict(row, why, exit_code=4 if why is Reason.PROTECTED else 3)
        else:
            self._change(judged, decision, decision.action)

    def leave(self, row: Row) -> None:
        """Takes in a row out of reach: nothing becomes of it, but what stands there may be in somebody's way."""
        self._rivals.stays(row)

    def note_clash(self, row: Row) -> None:
        """Takes in where a row, also that of a bare directory, meets the nearest unsettled file above it."""
        if row.above is not None and self._wired.target.traits.tree:
            self._clashes.append(_Clash(row.above, row.key, row.target is not None or row.unknown_target))

    def _why_held(self, row: Row, decision: Decision) -> Reason | None:
        if decision.action in _TAKES_AWAY and self._wired.protected(row.key):
            return Reason.PROTECTED
        cannot_keep = not self._wired.keeps and self._wired.policy.keep != "never"
        if not decision.overwrites_foreign or not cannot_keep:
            return None
        return Reason.DRIFT_HELD if row.record is not None else Reason.KEEP_HELD

    def _conflict(self, row: Row, reason: Reason, exit_code: int = 3) -> None:
        told = Conflict(self._wired.name, row.key, reason, _both_sides(row), exit_code, _since(row, reason))
        self.conflicts.append(told)

    def _change(self, judged: Judged, decision: Decision, action: Action) -> None:
        row = judged.row
        change = self._draw(judged, decision, action)
        if action is Action.MOVE:
            if not self._wired.target.traits.move_atomic:
                return  # to copy and then to delete what has one name is to delete it
            assert row.source is not None
            change = _respelled(change, row.source.key)
        if action in _SENDS:
            if self._wired.portable_names == "warn" and why_not_portable(change.key):
                self.unportable.append(change.key)
            refused = self._why_refused(change)
            if refused is not None:
                self.problems.append(Problem(row.key, refused, side="target"))
                return
        if self._pinned and change.digest is None and action in _SENDS and row.source is not None:
            digest = pin(self._wired, change)
            if isinstance(digest, Problem):
                self.problems.append(digest)
                return
            change = replace(change, digest=digest)
        self.lost += decision.reason is Reason.LOST
        self.unmanaged_deletes += decision.reason is Reason.UNMANAGED
        self._note_move(row, change)
        self._rows.put(change.key, _encode(change))

    def _why_refused(self, change: Change) -> str | None:
        refused = why_refused(change.key, change.size, self._wired)
        if refused is None and self._named is not None:
            return why_unfit(change, self._wired.source, self._named)
        return refused

    def _draw(self, judged: Judged, decision: Decision, action: Action) -> Change:
        row = judged.row
        here = row.source if row.source is not None and row.source.kind is Kind.FILE else None
        going = row.target or row.record
        content = here if action is not Action.DELETE else None
        digest = (here.digest or judged.facts.source_digest) if here else None
        if content is None and row.record is not None:
            known = decision.reason is not Reason.UNMANAGED and not row.record.accepted
            digest = row.record.digest if known else None
        return Change(
            0,
            self._wired.name,
            action,
            row.key,
            decision.reason,
            size=content.size if content else going.size if going else 0,
            was_size=row.target.size if row.target else 0,
            digest=digest,
            path=_path(here, row.key) if here else row.record.path if row.record else None,
            source_version=here.version if here else ABSENT,
            expect=decision.expect,
            executable=here.executable if here else False,
            drift=decision.drift,
            since=_since(row, decision.reason),
        )

    def _note_move(self, row: Row, change: Change) -> None:
        traits = self._wired.target.traits
        if traits.move == "none" or (traits.copy == "none" and change.action is not Action.DELETE):
            return  # what is overwritten can only be copied from
        record = row.record
        if record is None or record.accepted:  # what stands there is not what the record tells of the source
            return
        if row.target is not None and not row.target.outdated and change.reason in (Reason.GONE, Reason.CHANGED):
            vacates = change.action is Action.DELETE
            mode = self._wired.executable and record.executable
            self._holders.append(Holder(change.key, record.size, record.digest, row.target.version, vacates, mode))

    def finish(self, first_id: int) -> tuple[Spill, Counts, int]:
        """The changes with ids from `first_id`, sorted; their counts; and the next free id."""
        paired, digests = self._pair()
        self._hold_clashes(paired)
        self._hold_rivals()
        held = {conflict.key for conflict in self.conflicts}
        final, counts, entangled, number = make_spill(), Counts(), [], first_id
        readers = {holder.key for holder in paired.values()}
        clashing = {key for clash in self._clashes for key in (clash.above, clash.key)} | self._meeting()
        for change in self._looked_into(self._settled(paired, digests, held)):
            numbered = replace(change, id=number)
            number += 1
            counts.add(numbered)
            if change.from_key is not None or change.key in readers or change.key in clashing:
                entangled.append(numbered)
            else:
                final.put(change.key, _encode(numbered))
        if len(entangled) > 1:
            target = self._wired.target
            entangled = entangle(entangled, tree=target.traits.tree, place=place_of(target))
        for change in entangled:
            final.put(change.key, _encode(change))
        self._rows.close()
        return final, counts, number

    def _meeting(self) -> set[str]:
        """The keys of changes that meet where the target has names of its own: only a walk over all of them tells."""
        if self._named is None:
            return set()
        freed = {change.key for change in self._drafted() if change.action is Action.DELETE}
        coming = (change.key for change in self._drafted() if change.action in _SENDS)
        return meeting(freed, coming, place_of(self._wired.target))

    def _looked_into(self, changes: Iterator[Change]) -> Iterator[Change]:
        """The changes with what they do inside; what a store of rows refuses is a problem, and not done."""
        if not self._wired.target.traits.rows:
            yield from changes
            return
        from reconcile.flow.insides import Insides  # noqa: PLC0415 - bodies are made for rows only

        look = Insides(self._wired).look
        for change in changes:
            found = look(change)
            if isinstance(found, Problem):
                self.problems.append(found)
            else:
                yield found

    def _pair(self) -> tuple[dict[str, Holder], dict[str, Digest]]:
        """Who takes whose content, and the digests that were read to find out."""
        if not self._holders:
            return {}, {}
        wanted = (change for change in self._drafted() if change.reason in _SEEKS and change.action in _SENDS)
        seekers, digests = [], {}
        for change in candidates(self._holders, wanted):
            digest = change.digest
            if digest is None:
                pinned = pin(self._wired, change)
                if isinstance(pinned, Problem):
                    continue  # sending it meets, and reports, the same trouble
                digest = digests[change.key] = pinned
            mode = self._wired.executable and change.executable
            seekers.append(Seeker(change.key, change.size, digest, mode))
        return pair(self._holders, seekers, tree=self._wired.target.traits.tree), digests

    def _settled(self, paired: dict[str, Holder], digests: dict[str, Digest], held: set[str]) -> Iterator[Change]:
        """The drafted changes after pairing: seekers become moves, vacated holders are part of theirs."""
        vacated = {holder.key for key, holder in paired.items() if holder.vacates and key not in held}
        for change in self._drafted():
            if change.key in held or change.key in vacated:
                continue
            holder = paired.get(change.key)
            if holder is not None:
                yield replace(
                    change,
                    action=Action.MOVE,
                    reason=Reason.RENAMED,
                    digest=holder.digest,
                    from_key=holder.key,
                    from_version=holder.version,
                    vacates=holder.vacates,
                )
            elif change.key in digests:
                yield replace(change, digest=digests[change.key])
            else:
                yield change

    def _drafted(self) -> Iterator[Change]:
        return (_decode(value) for _, value in self._rows.rows())

    def _hold_clashes(self, paired: dict[str, Holder]) -> None:
        """A file meets a directory: unless all that stands in the way goes, the newcomer waits as a conflict."""
        if not self._clashes:
            return
        keys = {key for clash in self._clashes for key in (clash.above, clash.key)}
        changes = {change.key: change for change in self._drafted() if change.key in keys}
        stays = partial(what_stays, self._wired.target)
        for blocked, by in dict(_blocked(self._clashes, changes, stays)).items():
            told = f"{by} stays there" if by else ""
            self.conflicts.append(Conflict(self._wired.name, blocked, Reason.IN_THE_WAY, told))
            paired.pop(blocked, None)

    def _hold_rivals(self) -> None:
        """Who needs a name that something else keeps in the target waits as a conflict."""
        for change in self._drafted() if self._rivals else ():
            rival = self._rivals.in_the_way(change) if change.action is Action.CREATE else None
            if rival is not None:
                told = f"{rival} has its name there"
                self.conflicts.append(Conflict(self._wired.name, change.key, Reason.IN_THE_WAY, told))


def _since(row: Row, reason: Reason) -> int | UnsetType:
    """The run that recorded the path, for reasons that tell of it."""
    return row.record.run if row.record is not None and tells_since(reason) else UNSET


def _both_sides(row: Row) -> str:
    """What a person needs to choose: size and time (UTC) here and there."""
    sides = ((word, side) for word, side in (("here", row.source), ("there", row.target)) if side is not None)
    return " | ".join(f"{word} {size_text(side.size)}{_moment(side.mtime_ns)}" for word, side in sides)


def _moment(mtime_ns: int) -> str:
    return f", {moment_text(mtime_ns // 1_000_000_000, UTC)} UTC" if mtime_ns else ""


def _path(here: Entry, key: str) -> str | None:
    """The source path, where it is not the key."""
    path = here.path or here.key
    return path if path != key else None


def _respelled(change: Change, key: str) -> Change:
    """The move of a file to another spelling of its own name: what is there under the new one is the file itself."""
    path = change.source_path if change.source_path != key else None
    renamed = replace(change, key=key, path=path, from_key=change.key, from_version=change.expect)
    return replace(renamed, expect=ABSENT, vacates=True)


def _blocked(
    clashes: Iterable[_Clash], changes: dict[str, Change], what_stays: Callable[[str, set[str]], str]
) -> Iterator[tuple[str, str]]:
    """The newcomers that wait, and what stays in their place, where that is not the other side of a clash."""
    goes = {key for key, change in changes.items() if change.action is Action.DELETE}
    comes = {key for key, change in changes.items() if change.action in _SENDS}
    clashes = list(clashes)
    for clash in clashes:
        if clash.key in comes and clash.above not in goes:
            yield clash.above if clash.above in comes else clash.key, ""
    for above in {clash.above for clash in clashes if clash.occupied}:
        if above in comes and (stays := what_stays(above, goes)):
            yield above, stays


def read_changes(spill: Spill) -> Iterator[Change]:
    """The changes of a finished draft, in order of their keys."""
    return (_decode(value) for _, value in spill.rows())
