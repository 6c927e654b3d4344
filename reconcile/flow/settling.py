"""After a crash: what a stopped run had announced but not recorded is looked at, and either recorded or left.

An intent says what was about to be published. If the target now shows our token, or content proven to be ours, it was:
the record follows. Anything else is left to the plan, which sees an ordinary difference. Settling writes only records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from reconcile.abilities import Doubling, Tidy
from reconcile.core.change import Action
from reconcile.core.entry import ABSENT, Digest, Entry
from reconcile.core.errors import BusyError, StoreError
from reconcile.core.outcome import Outcome, Run
from reconcile.core.path import same_name, undo_key
from reconcile.core.record import Record
from reconcile.flow.confirming import is_settled
from reconcile.flow.hashing import digest_of
from reconcile.flow.planning import Overlay
from reconcile.flow.wired import House, Wired, is_file
from reconcile.ports import Fold, Hashes, Intent, Lease

_REMOVES = frozenset({Action.DELETE.value})
_RUNS_ON = frozenset({"apply", "destroy", "watch"})
"""Operations that go on with what a stopped run left."""


def look(house: House) -> tuple[list[Intent], list[Fold]]:
    """The open intents of the mappings at hand, and what they mean for the records; an unreadable one stays open."""
    wired_of = {wired.scope.id: wired for wired in house.mappings}
    intents = [intent for intent in house.state.journal.open_intents() if intent.scope in wired_of]
    folds: list[Fold] = []
    for intent in intents:
        try:
            folds += _verdicts(wired_of[intent.scope], intent)
        except StoreError:
            continue
    return intents, folds


def settle(house: House, lease: Lease) -> Run | None:
    """Records what stopped runs had done; returns the newest run that had stopped, if one had."""
    _finish(house)
    intents, folds = look(house)
    untidy = _tidy(house, intents)
    by_run: dict[int, list[Fold]] = {}
    run_of = {(intent.scope, intent.seq): intent.run for intent in intents}
    for fold in folds:
        if (fold.scope, fold.seq) not in untidy:
            by_run.setdefault(run_of[fold.scope, fold.seq], []).append(fold)
    for run, settled in by_run.items():
        house.state.fold(run, settled, list(_outcomes(house, intents, settled)), lease)
    return stopped_run(house)


def _finish(house: House) -> None:
    """What stands twice, since a dead run came between the two halves of a replacement, stands once before we look."""
    target_of = {wired.scope.id: wired.target for wired in house.mappings}
    for intent in house.state.journal.open_intents():
        if intent.scope not in target_of or intent.expect == ABSENT or not intent.digest:
            continue
        target = target_of[intent.scope]
        if isinstance(target, Doubling):
            with suppress(StoreError):  # then both stand there still, and the plan tells of it
                target.finish(intent.key, intent.expect, Hashes(Digest(intent.digest)))


def _outcomes(house: House, intents: Iterable[Intent], folds: Sequence[Fold]) -> Iterator[Outcome]:
    """How the actions of a dead run ended after all, for its history, and so that it can be rolled back."""
    wired_of = {wired.scope.id: wired for wired in house.mappings}
    happened = {(fold.scope, fold.seq): fold.key is not None for fold in folds}
    for intent in intents:
        done = happened.get((intent.scope, intent.seq))
        if done is not None:
            yield Outcome(
                intent.seq,
                wired_of[intent.scope].name,
                intent.action,
                intent.key,
                "done" if done else "skipped",
                size_bytes=intent.size,
                error="" if done else "the run was stopped before it was done",
                from_key=intent.from_key,
                kept=_kept(wired_of[intent.scope], intent),
            )


def _kept(wired: Wired, intent: Intent) -> str:
    """Where the bytes are that the action took away, or was about to."""
    key = undo_key(intent.run, intent.key)
    try:
        return key if intent.expect != ABSENT and is_file(wired.target.stat(key)) else ""
    except StoreError:
        return ""


def _tidy(house: House, intents: Iterable[Intent]) -> set[tuple[str, int]]:
    """Takes away what dead writes left half done; returns (scope, seq) of those that must be tried again.

    Their intents stay open: nothing else knows what they left.
    """
    untidy = set()
    target_of = {wired.scope.id: wired.target for wired in house.mappings}
    for intent in intents:
        target = target_of[intent.scope]
        if isinstance(target, Tidy) and (intent.temp or intent.token):
            try:
                target.discard(intent.key, intent.temp or intent.token)
            except BusyError:
                untidy.add((intent.scope, intent.seq))
            except StoreError:  # it cannot be taken away from here; `gc` tells of it
                continue
    return untidy


def overlay(house: House) -> Overlay:
    """What settling would record, for a plan that may not write."""
    found: Overlay = {}
    for fold in look(house)[1]:
        records = found.setdefault(fold.scope, {})
        if fold.put is not None:
            records[fold.put.key] = fold.put
        elif fold.drop is not None:
            records[fold.drop] = None
    return found


def stopped_run(house: House) -> Run | None:
    """The newest run, if it never ended."""
    newest = next(iter(house.state.runs(limit=1)), None)
    return newest if newest is not None and not newest.ended and newest.operation in _RUNS_ON else None


def _verdicts(wired: Wired, intent: Intent) -> Iterable[Fold]:
    entry = wired.target.stat(intent.key)
    if intent.action in _REMOVES:
        drop = intent.key if entry is None else None
        return [Fold(intent.scope, intent.seq, drop=drop, there=intent.expect)]
    if entry is None or entry.kind or _is_respelling(wired, intent) or not _is_ours(wired, entry, intent):
        return [Fold(intent.scope, intent.seq)]
    record = Record(
        intent.key,
        entry.size,
        Digest(intent.digest),
        entry.version,
        path=intent.path,
        settled=is_settled(wired.target, entry.version),
        executable=intent.executable,
        run=intent.run,
    )
    folds = [Fold(intent.scope, intent.seq, put=record, there=intent.expect)]
    if intent.from_key is not None and wired.target.stat(intent.from_key) is None:
        folds.append(Fold(intent.scope, intent.seq, drop=intent.from_key, there=intent.from_version))
    return folds


def _is_respelling(wired: Wired, intent: Intent) -> bool:
    """Whether old and new name are one to the target: then its content tells nothing, and its listing all."""
    return intent.from_key is not None and same_name(intent.key, intent.from_key, wired.target.traits.key)


def _is_ours(wired: Wired, entry: Entry, intent: Intent) -> bool:
    """Whether the target holds what the intent announced; read back where nothing else tells."""
    if entry.version == intent.expect or entry.size != intent.size or not intent.digest:
        return False
    if wired.executable and entry.executable != intent.executable:
        return False
    proven = wired.target.prove(entry, Hashes(Digest(intent.digest)))
    return proven if proven is not None else digest_of(wired.target, entry) == intent.digest
