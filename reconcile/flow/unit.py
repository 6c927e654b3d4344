"""Changes that share a fate: circles of renames, and files that take a directory's place or the reverse.

Both run in three acts. What stands in the way is *parked* under the undo directory of the run, where its bytes are
safe; the newcomers are published; and if one of them fails, what was parked goes back where it was. At no moment is the
only copy of a content missing: it is in its old place, in the park, or in its new place.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconcile.core.change import Action, Change
from reconcile.core.entry import ABSENT, ANY, Entry
from reconcile.core.errors import StoreError
from reconcile.flow.step import Done, Prepared, Step
from reconcile.ports import Fold, Journal


class Unit:
    """Runs the members of one group as one."""

    def __init__(self, step: Step, journal: Journal) -> None:
        self._step = step
        self._journal = journal
        self._store = step.wired.target

    def run(self, members: Sequence[Change]) -> list[Done]:
        """The outcomes of all members; either all are done, or what was there is there again."""
        prepared, broken = self._prepare(members)
        if broken is not None:
            return self._all_failed(members, broken)
        self._journal.intend([one.intent for one in prepared if one.intent is not None])
        if all(member.action is Action.MOVE for member in members):
            return self._circle(members)
        return self._replace(prepared)

    def _prepare(self, members: Sequence[Change]) -> tuple[list[Prepared], Done | None]:
        ready = []
        for member in members:
            one = self._step.prepare(member)
            if isinstance(one, Done):
                return [], one
            ready.append(one)
        return ready, None

    # -- circles ------------------------------------------------------------------------------------------------------

    def _circle(self, members: Sequence[Change]) -> list[Done]:
        """Every content is copied to the park first; then each key takes its new content from there."""
        parked: dict[str, Entry] = {}
        live: dict[str, Entry] = {}
        try:
            for member in members:
                here = Entry(member.key, member.size, member.expect)
                parked[member.key] = self._store.copy(here, self._park_key(member.key), expect=ANY)
                shares = self._store.traits.keeps == "link"
                live[member.key] = parked[member.key] if shares else here
        except StoreError as error:
            return self._all_failed(members, self._step.failed(members[0], error))
        return [self._take(member, parked, live) for member in members]

    def _take(self, member: Change, parked: dict[str, Entry], live: dict[str, Entry]) -> Done:
        assert member.from_key is not None
        try:
            entry = self._store.move(parked[member.from_key], member.key, expect=live[member.key].version)
        except StoreError as error:
            return self._step.failed(member, error)
        return self._step.recorded(member, entry)

    def _park_key(self, key: str) -> str:
        return self._step.undo_key(key) + ".parked"

    # -- replacements ---------------------------------------------------------------------------------------------------

    def _replace(self, prepared: Sequence[Prepared]) -> list[Done]:
        goers = [one.change for one in prepared if one.change.action is Action.DELETE]
        comers = [one for one in prepared if one.change.action is not Action.DELETE]
        parked: list[tuple[Change, Entry]] = []
        try:
            for goer in goers:
                there = Entry(goer.key, goer.size, goer.expect)
                parked.append((goer, self._store.move(there, self._step.undo_key(goer.key), expect=ANY)))
        except StoreError as error:
            return self._put_back(parked, [one.change for one in prepared], self._step.failed(goers[0], error))
        came: list[Done] = []
        for comer in comers:
            done = self._step.publish(comer)
            if done.outcome.outcome != "done":
                return came + self._put_back(parked, [*goers, comer.change], done)
            came.append(done)
        return [self._step.gone(goer, entry.key) for goer, entry in parked] + came

    def _put_back(self, parked: Sequence[tuple[Change, Entry]], members: Sequence[Change], why: Done) -> list[Done]:
        """Restores what was parked; its records follow, for a move may have given it another version."""
        failed = {done.change.id: done for done in self._all_failed(members, why)}
        for goer, entry in parked:
            try:
                back = self._store.move(entry, goer.key, expect=ABSENT)
            except StoreError as error:
                failed[goer.id] = self._step.failed(goer, error)
                continue
            if goer.digest is not None:
                restored = self._step.recorded(goer, back)
                failed[goer.id].folds = [Fold(self._step.wired.scope.id, goer.id, put=restored.folds[0].put)]
        return list(failed.values())

    def _all_failed(self, members: Sequence[Change], why: Done) -> list[Done]:
        """The member that failed with its own error, the others with it."""
        text = f"part of a replacement in which {why.change.key} failed: {why.outcome.error}"
        return [why if member.id == why.change.id else self._step.gave_up(member, text) for member in members]
