"""One change, carried out on one store: read, intend, publish, say what to record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
import time

from msgspec.structs import replace

from reconcile.core.change import QUIET, Action, Change, Reason
from reconcile.core.entry import ABSENT, Digest, Entry, Kind, Version
from reconcile.core.errors import BusyError, ChangedError, DamagedError, StalePlanError, StoreError
from reconcile.core.outcome import Ending, Outcome
from reconcile.core.path import undo_key
from reconcile.core.record import Record
from reconcile.flow.bodies import large_body, small_body, source_digest
from reconcile.flow.confirming import is_settled
from reconcile.flow.hashing import digest_of
from reconcile.flow.keeping import Keeping
from reconcile.flow.wired import Wired
from reconcile.ports import Body, Fold, Intent, Journal
from reconcile.scan.hashing import SMALL_BYTES

SENDS = frozenset({Action.CREATE, Action.UPDATE})


@dataclass(slots=True)
class Done:
    """What became of one change, and what it does to the records."""

    change: Change
    outcome: Outcome
    folds: list[Fold] = field(default_factory=list)


@dataclass(slots=True)
class Prepared:
    """A change ready to be published: its intent still to be made durable, its bytes in memory when they are small.

    `digest` is that of the body: at once for a small one, when it is sealed for one that is read as it is sent.
    """

    change: Change
    intent: Intent | None = None
    body: Body | None = None
    digest: Digest | None = None


class Step:
    """Carries out the changes of one mapping in one run. Thread-safe: it holds nothing but its surroundings."""

    def __init__(self, wired: Wired, run: int, journal: Journal, *, pinned: bool) -> None:
        self.wired = wired
        self.run = run
        self.journal = journal
        self._pinned = pinned
        self.keeping = Keeping(wired, run)

    def prepare(self, change: Change) -> Prepared | Done:
        """Reads a small source and draws the intent; a `Done` when that already failed."""
        if change.action in QUIET:
            return Prepared(change)
        if not self.keeping.allows(change):
            return self.held(change, "the store cannot keep the old bytes first", "keep: auto goes on without them")
        token = token_hex(8)
        if change.action not in SENDS and not self._moves_by_sending(change):
            return Prepared(change, self.intent(change, token))
        if change.size > SMALL_BYTES:
            return self._large(change, token)
        read_ns = time.time_ns()
        try:
            body, version = small_body(self.wired, change, token, pinned=self._pinned)
        except (StoreError, StalePlanError) as error:
            return self.failed(change, error)
        if self.wired.memory is not None and body.digest is not None:
            self.wired.memory.remember(change.source_path, version, body.digest, read_ns)
        return Prepared(change, self.intent(change, token, body), body, body.digest)

    def _large(self, change: Change, token: str) -> Prepared:
        prepared = Prepared(change)
        intent = self.intent(change, token)

        def begun(mark: str) -> None:
            nonlocal intent
            intent = replace(intent, temp=mark)
            self.journal.intend([intent])

        def sealed(digest: Digest) -> None:
            prepared.digest = digest
            self.journal.intend([replace(intent, digest=digest, size=change.size)])

        body = large_body(self.wired, change, token, sealed, pinned=self._pinned)
        prepared.body = replace(body, begun=begun)
        return prepared

    def intent(self, change: Change, token: str = "", body: Body | None = None) -> Intent:
        """What is about to happen, as the journal keeps it."""
        return Intent(
            run=self.run,
            seq=change.id,
            scope=self.wired.scope.id,
            key=change.key,
            action=change.action.value,
            expect=change.expect,
            digest=(body.digest if body else change.digest) or b"",
            size=body.size_bytes if body else change.size,
            token=token,
            path=change.path,
            from_key=change.from_key,
            from_version=change.from_version,
            executable=body.executable if body else change.executable,
        )

    def publish(self, prepared: Prepared, entry: Entry | None = None) -> Done:
        """Does it, or what is left once it was written as `entry`. Every error becomes an outcome."""
        began = time.perf_counter()
        change = prepared.change
        try:
            done = self._act(prepared) if entry is None else self._sent(prepared, "", entry)
        except (StoreError, StalePlanError) as error:
            done = self.failed(change, error)
        copy = self.keeping.copy_of(change)
        if done.outcome.outcome != "done":
            done.outcome = replace(done.outcome, kept=copy)  # it lies there all the same
        done.outcome = replace(done.outcome, seconds=time.perf_counter() - began)
        return done

    def _act(self, prepared: Prepared) -> Done:
        change = prepared.change
        acts: dict[Action, Callable[[Prepared], Done]] = {
            Action.CREATE: self._send,
            Action.UPDATE: self._send,
            Action.DELETE: self._delete,
            Action.MOVE: self._move,
            Action.ADOPT: self._adopt,
            Action.ACCEPT: self._accept,
            Action.FORGET: self._forget,
        }
        return acts[change.action](prepared)

    def _send(self, prepared: Prepared) -> Done:
        change, body = prepared.change, prepared.body
        assert body is not None
        return self._sent(prepared, *self.keeping.write(change, body))

    def _sent(self, prepared: Prepared, kept: str, entry: Entry) -> Done:
        change, body, digest = prepared.change, prepared.body, prepared.digest
        assert body is not None
        assert digest is not None, "a store published before it had read the body to its end"
        if self.wired.sending.verify and self._read_back(entry) != digest:
            raise DamagedError("the store keeps other bytes than were sent", op="verify", path=change.key)
        record = self._record(change, entry, digest, body.executable)
        return self._done(change, record, sent_bytes=body.size_bytes, kept=kept)

    def _read_back(self, entry: Entry) -> Digest:
        """The digest of what was just written; where it cannot be read the write stands, and is left to be settled."""
        try:
            return digest_of(self.wired.target, entry)
        except StoreError as error:
            message = f"written, but cannot be read back: {error.message}"
            raise BusyError(message, op="verify", path=entry.key, hint=error.hint) from error

    def _delete(self, prepared: Prepared) -> Done:
        change, target = prepared.change, self.wired.target
        if self.wired.keeps and target.traits.move_atomic:
            kept = self.keeping.put_aside(target.move, self._there(change.key, change), undo_key).key
        else:
            kept, expect = self.keeping.keep(change)
            error = target.delete([(change.key, expect)])[0]
            if error is not None:
                raise error
        return self.gone(change, kept)

    def delete_many(self, changes: Sequence[Change]) -> list[Done]:
        """Deletes in one call; each has its own outcome."""
        began = time.perf_counter()
        try:
            fates = self.wired.target.delete([(change.key, change.expect) for change in changes])
        except StoreError as error:
            fates = [error] * len(changes)
        seconds = (time.perf_counter() - began) / len(changes)
        ended = []
        for change, fate in zip(changes, fates, strict=True):
            done = self.gone(change, "") if fate is None else self.failed(change, fate)
            done.outcome = replace(done.outcome, seconds=seconds)
            ended.append(done)
        return ended

    def _move(self, prepared: Prepared) -> Done:
        change, target = prepared.change, self.wired.target
        kept, expect = self.keeping.keep(change) if change.expect != ABSENT else ("", ABSENT)
        assert change.from_key is not None
        assert change.digest is not None
        origin = Entry(change.from_key, change.size, change.from_version)
        if prepared.body is not None:
            return self._move_by_sending(prepared, prepared.body, expect)
        act = target.move if change.vacates else target.copy
        with self.keeping.giving_back(change, kept):
            return self.recorded(change, act(origin, change.key, expect=expect), kept)

    def _moves_by_sending(self, change: Change) -> bool:
        """Where a copy cannot be bound to the version it copies, a rename is an upload and a delete."""
        traits = self.wired.target.traits
        cannot = traits.move if change.vacates else traits.copy
        return change.action is Action.MOVE and cannot == "none"

    def _move_by_sending(self, prepared: Prepared, body: Body, expect: Version) -> Done:
        change, target = prepared.change, self.wired.target
        entry = target.write(change.key, body, expect=expect)
        assert change.from_key is not None
        fate = target.delete([(change.from_key, change.from_version)])[0] if change.vacates else None
        if fate is not None:
            raise fate
        done = self.recorded(replace(change, digest=prepared.digest), entry)
        done.outcome = replace(done.outcome, sent_bytes=body.size_bytes)
        return done

    def _adopt(self, prepared: Prepared) -> Done:
        change = prepared.change
        digest = source_digest(self.wired, change)
        there = self._there(change.key, change)
        if change.reason is Reason.UNPROVEN and digest_of(self.wired.target, there) != digest:
            if self.wired.learnt is not None:
                self.wired.learnt.found_other(there, digest)
            outcome = self._outcome(change, "conflict", "source and target differ, and have no common past")
            return Done(change, replace(outcome, hint="choose with the policy conflict:, or remove one of the two"))
        return self._done(change, self._record(change, there, digest, change.executable))

    def _accept(self, prepared: Prepared) -> Done:
        change = prepared.change
        record = self._record(
            change, self._there(change.key, change), source_digest(self.wired, change), change.executable
        )
        return self._done(change, replace(record, accepted=True))

    def _forget(self, prepared: Prepared) -> Done:
        """A listing may have left it out: what is there stays known. Where names fold it may be another's."""
        change, target = prepared.change, self.wired.target
        looks = change.expect == ABSENT and target.traits.key == "identity"
        found = target.stat(change.key) if looks else None
        if found is not None and found.kind is Kind.FILE:
            raise ChangedError("is there, though it was not listed", op="forget", path=change.key, hint="plan again")
        return self.gone(change, "")

    def _there(self, key: str, change: Change) -> Entry:
        return Entry(key, change.size, change.expect)

    def _record(self, change: Change, entry: Entry, digest: Digest, executable: bool) -> Record:  # noqa: FBT001
        return Record(
            change.key,
            entry.size,
            digest,
            entry.version,
            path=change.path,
            settled=is_settled(self.wired.target, entry.version),
            executable=executable,
            run=self.run,
        )

    def _done(self, change: Change, record: Record, *, sent_bytes: int = 0, kept: str = "") -> Done:
        outcome = replace(self._outcome(change, "done"), sent_bytes=sent_bytes, kept=kept)
        return Done(change, outcome, [Fold(self.wired.scope.id, change.id, put=record, there=change.expect)])

    def gone(self, change: Change, kept: str) -> Done:
        """The key holds nothing of ours any more."""
        outcome = replace(self._outcome(change, "done"), kept=kept)
        return Done(change, outcome, [Fold(self.wired.scope.id, change.id, drop=change.key, there=change.expect)])

    def failed(self, change: Change, error: Exception) -> Done:
        """A failure closes the intent only if nothing can have happened; else the next run settles it."""
        ending: Ending = "conflict" if isinstance(error, ChangedError) else "failed"
        outcome = replace(self._outcome(change, ending, str(error)), hint=getattr(error, "hint", ""))
        unsure = getattr(error, "unsure", False)
        return Done(change, outcome, [] if unsure else [Fold(self.wired.scope.id, change.id)])

    def _outcome(self, change: Change, ending: Ending, error: str = "") -> Outcome:
        return Outcome(
            change.id,
            change.mapping,
            change.action.value,
            change.key,
            ending,
            size_bytes=change.size,
            error=error,
            from_key=change.from_key,
            reason=change.reason.value,
        )

    def recorded(self, change: Change, entry: Entry, kept: str = "") -> Done:
        """The key holds the content that was moved there, as `entry`."""
        assert change.digest is not None
        done = self._done(change, self._record(change, entry, change.digest, change.executable), kept=kept)
        if change.vacates:
            gone = Fold(self.wired.scope.id, change.id, drop=change.from_key, there=change.from_version)
            done.folds.append(gone)
        return done

    def restored(self, change: Change, entry: Entry) -> list[Fold]:
        """The old content is back where it was, as `entry`: its record gets the version it has now."""
        record = Record(entry.key, entry.size, change.digest or Digest(b""), entry.version, run=self.run)
        return [Fold(self.wired.scope.id, change.id, put=record if change.digest is not None else None)]

    def gave_up(self, change: Change, why: str) -> Done:
        """A change that failed because another one did; nothing of it happened."""
        return Done(change, self._outcome(change, "failed", why), [Fold(self.wired.scope.id, change.id)])

    def held(self, change: Change, why: str, hint: str = "") -> Done:
        """A change that was not begun, on purpose."""
        return Done(change, replace(self._outcome(change, "held", why), hint=hint))
