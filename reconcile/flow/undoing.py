"""One step of a rollback, carried out on one store: old bytes come back from where they were kept, never from a source.

Everything else is as in any other step: an intent before each change, every call conditional, and what is taken away
is kept in its turn. The record of a path becomes the one it had; where the old content is back, with its new version.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from reconcile.abilities import Versioned
from reconcile.core.change import QUIET, Action, Change
from reconcile.core.entry import Digest, Entry, Version
from reconcile.core.errors import DamagedError
from reconcile.core.outcome import Ending, Outcome
from reconcile.core.record import Record
from reconcile.flow.confirming import is_settled
from reconcile.flow.hashing import digest_of
from reconcile.flow.step import Done, Prepared, Step
from reconcile.flow.wired import Wired
from reconcile.ports import Fold, Hashes, Journal


class Before(Struct, frozen=True, gc=False):
    """What a path was before the run, and where its content is: kept as `kept`, or as version `version_id` of the key.

    `digest` is None where nobody read that content then: it was not ours. `accepted`: the record tells of it all the
    same, since it was taken as it was.
    """

    record: Record | None = None
    digest: Digest | None = None
    kept: Entry | None = None
    version_id: str = ""
    accepted: bool = False


_ENDED = {Action.DELETE: "removed"} | dict.fromkeys(QUIET, "unchanged")


class UndoStep(Step):
    """Undoes changes of one mapping. `befores` says, by key, what is to be there again."""

    def __init__(self, wired: Wired, run: int, journal: Journal, befores: Mapping[str, Before]) -> None:
        super().__init__(wired, run, journal, pinned=False)
        self._befores = befores

    def prepare(self, change: Change) -> Prepared | Done:
        """Draws the intent; nothing is read ahead."""
        if change.action in QUIET:
            return Prepared(change)
        if not self.keeping.allows(change):
            return self.held(change, "the store cannot keep what is there now first", "keep: auto goes on without it")
        return Prepared(change, self.intent(change))

    def _act(self, prepared: Prepared) -> Done:
        change = prepared.change
        if change.action in QUIET:
            return Done(change, self._outcome(change, "done"), [self._fold(change, change.key, None, None)])
        return super()._act(prepared)

    def _send(self, prepared: Prepared) -> Done:
        change = prepared.change
        before = self._befores[change.key]
        digest = self._known(before)
        kept, expect = self.keeping.keep(change)
        with self.keeping.giving_back(change, kept):
            entry = self._take(change.key, before, expect)
        return self._came(change, entry, digest, kept)

    def _known(self, before: Before) -> Digest | None:
        """The digest of the content that comes back; `DamagedError` when what was kept is something else by now."""
        if before.kept is None:
            return before.digest
        if before.digest is None:
            return digest_of(self.wired.target, before.kept)
        if not holds(self.wired, before.kept, before.digest):
            raise DamagedError("what was kept is not what was there", op="rollback", path=before.kept.key)
        return before.digest

    def _take(self, key: str, before: Before, expect: Version) -> Entry:
        target = self.wired.target
        if before.kept is None:
            assert isinstance(target, Versioned)
            return target.restore(key, before.version_id, expect=expect)
        take = target.move if target.traits.keeps in ("link", "move") else target.copy
        return take(before.kept, key, expect=expect)

    def _came(self, change: Change, entry: Entry, digest: Digest | None, kept: str) -> Done:
        """Only what was read back has come back."""
        found = digest_of(self.wired.target, entry)
        if digest is not None and found != digest:
            raise DamagedError("other bytes came back than were there", op="rollback", path=change.key)
        outcome = replace(self._outcome(change, "done"), kept=kept)
        return Done(change, outcome, [self._fold(change, change.key, entry, found)])

    def recorded(self, change: Change, entry: Entry, kept: str = "") -> Done:
        """A content was moved back to where it came from."""
        done = self._came(change, entry, change.digest, kept)
        if change.vacates and change.from_key is not None:
            done.folds.append(self._fold(change, change.from_key, None, None))
        return done

    def gone(self, change: Change, kept: str) -> Done:
        """What the run had put there is gone again."""
        outcome = replace(self._outcome(change, "done"), kept=kept)
        return Done(change, outcome, [self._fold(change, change.key, None, None)])

    def _fold(self, change: Change, key: str, entry: Entry | None, digest: Digest | None) -> Fold:
        """The record as it was; with the version it has now, if its content is back as `entry`."""
        before = self._befores.get(key, Before())
        there = change.expect if key == change.key else change.from_version
        if before.record is None:
            return Fold(self.wired.scope.id, change.id, drop=key, there=there)
        record = before.record
        if entry is not None and (before.accepted or digest == record.digest):
            record = replace(record, version=entry.version, settled=is_settled(self.wired.target, entry.version))
        return Fold(self.wired.scope.id, change.id, put=record, there=there)

    def _outcome(self, change: Change, ending: Ending, error: str = "") -> Outcome:
        told = {"done": _ENDED.get(change.action, "restored"), "conflict": "kept"}.get(ending, "cannot")
        return replace(super()._outcome(change, ending, error), reason=told)


def holds(wired: Wired, entry: Entry, digest: Digest) -> bool:
    """Whether an entry has a content; read back where nothing else tells."""
    proven = wired.target.prove(entry, Hashes(digest))
    return proven if proven is not None else digest_of(wired.target, entry) == digest
