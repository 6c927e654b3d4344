"""Changes that share a fate: circles of renames, and files that take a directory's place or the reverse.

A unit runs in three acts. Whatever is deleted or moved is first *parked* under the control directory, where its bytes
are safe: what vacates its key goes there, what will be overwritten is copied there. Then the newcomers take their
places, moved contents coming out of the park; and if one of them fails, what is still parked goes back where it was. At
no moment is the only copy of a content missing: it is in its old place, in the park, or in its new place.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconcile.core.change import Action, Change
from reconcile.core.entry import ABSENT, Entry, Version
from reconcile.core.errors import StoreError
from reconcile.core.path import park_key, undo_key
from reconcile.flow.step import Done, Prepared, Step


def run_unit(step: Step, members: Sequence[Change]) -> list[Done]:
    """The outcomes of all members; either all are done, or what was there is there again."""
    prepared: list[Prepared] = []
    for member in members:
        one = step.prepare(member)
        if isinstance(one, Done):
            return _all_failed(step, members, one)
        prepared.append(one)
    step.journal.intend([one.intent for one in prepared if one.intent is not None])
    return _Unit(step).run(prepared)


def _all_failed(step: Step, members: Sequence[Change], why: Done) -> list[Done]:
    """The member that failed with its own error, the others because of it."""
    text = f"{why.change.key}, which shares its fate, failed: {why.outcome.error}"
    return [why if member.id == why.change.id else step.gave_up(member, text) for member in members]


class _Unit:
    """One unit on its way. `_parked` holds, by the id of the change, the content it took out of its place.

    `_moving` are the keys whose contents find a new place: nothing of them need be kept.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._store = step.wired.target
        self._parked: dict[int, Entry] = {}
        self._moving: set[str | None] = set()

    def run(self, prepared: Sequence[Prepared]) -> list[Done]:
        members = [one.change for one in prepared]
        self._moving = {member.from_key for member in members}
        for member in members:
            try:
                self._park(member)
            except StoreError as error:
                return self._put_back(members, self._step.failed(member, error))
        came: list[Done] = []
        for one in prepared:
            if one.change.action is Action.DELETE:
                continue
            done = self._place(one)
            if done.outcome.outcome != "done":
                return came + self._put_back(members, done, came)
            came.append(done)
        gone = [member for member in members if member.action is Action.DELETE]
        return [self._step.gone(member, self._parked[member.id].key) for member in gone] + came

    def _park(self, member: Change) -> None:
        if member.action is Action.DELETE:
            there = Entry(member.key, member.size, member.expect)
            self._parked[member.id] = self._step.keeping.put_aside(self._store.move, there, undo_key)
        elif member.from_key is not None:
            there = Entry(member.from_key, member.size, member.from_version)
            take = self._store.move if member.vacates else self._store.copy
            self._parked[member.id] = self._step.keeping.put_aside(take, there, park_key)

    def _place(self, one: Prepared) -> Done:
        member = one.change
        if member.from_key is None:
            return self._step.publish(one)
        parked = self._parked[member.id]
        try:
            kept, expect = ("", member.expect) if member.key in self._moving else self._step.keeping.keep(member)
            with self._step.keeping.giving_back(member, kept):
                done = self._step.recorded(member, self._unpark(member, parked, expect), kept)
        except StoreError as error:
            return self._step.failed(member, error)
        del self._parked[member.id]
        return done

    def _unpark(self, member: Change, parked: Entry, expect: Version) -> Entry:
        """Moves back what was moved, copies what was copied: permissions are those of the place, as in any update."""
        if member.vacates:
            return self._store.move(parked, member.key, expect=expect)
        entry = self._store.copy(parked, member.key, expect=expect)
        self._store.delete([(parked.key, parked.version)])
        return entry

    def _put_back(self, members: Sequence[Change], why: Done, came: Sequence[Done] = ()) -> list[Done]:
        """Restores what is still parked; its record follows, since a move may have given it another version."""
        finished = {done.change.id for done in came}
        failed = _all_failed(self._step, [member for member in members if member.id not in finished], why)
        for done in failed:
            member, parked = done.change, self._parked.get(done.change.id)
            home = member.key if member.action is Action.DELETE else member.from_key
            if parked is None or home is None or not (member.vacates or member.action is Action.DELETE):
                continue
            try:
                done.folds = self._step.restored(member, self._store.move(parked, home, expect=ABSENT))
            except StoreError as error:
                done.outcome = self._step.failed(member, error).outcome
                done.folds = []  # it is still in the park, or back after all: the next run looks
        return failed
