"""After a run: a store that tells no version at a write is asked what it shows now.

One look at each directory that was written to, not one at each file. What is confirmed is never read back; what is not
(somebody wrote there meanwhile, or the listing lags behind) stays unsettled, and is read before it is touched again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Final, TypeVar

from reconcile.abilities import Dated
from reconcile.core.entry import Problem, Version
from reconcile.core.errors import StoppedError, StoreError
from reconcile.flow.wired import Wired
from reconcile.ports import Clock, Lease, StateStore, Store
from reconcile.report.words import typed

BATCH: Final = 10_000
"""So many records are confirmed in one commit."""

GRANULES: Final = 2
"""So long what was just written is too fresh: until the time it shows has passed, by whatever clock."""

Item = TypeVar("Item")


def is_settled(target: Store, version: Version) -> bool:
    """Whether a version that was just told, or shown, proves from now on that nobody else has written there."""
    return target.traits.returns_version or (isinstance(target, Dated) and target.is_settled(version))


def confirm(wired: Wired, state: StateStore, lease: Lease, clock: Clock) -> list[Problem]:
    """Settles what can be settled of the mapping's records; what is too fresh for its store, a moment later.

    What shows another size than was written is told: it is not what it should be, whoever made it so.
    """
    target, scope = wired.target, wired.scope.id
    if not isinstance(target, Dated):
        return []
    waiting = [(record.key, record.version) for record in state.records(scope) if not record.settled]
    wrong: list[Problem] = []
    with suppress(StoreError, StoppedError):  # nothing is lost by it but time: what is unsettled is read back
        for wait_s in (0.0, GRANULES * target.traits.granule_ns / 1e9):
            if wait_s and waiting:
                clock.sleep(wait_s)
            looked = [told for batch in _batches(waiting) for told in _looked(target, batch)]
            found = [(key, was, now) for key, was, now in looked if isinstance(now, str)]
            for batch in _batches(found):
                state.confirm(scope, batch, lease)
            wrong += [_wrong(wired, key, why) for key, _, why in looked if isinstance(why, StoreError)]
            waiting = [(key, was) for key, was, now in looked if now is None]
    return wrong


def _wrong(wired: Wired, key: str, why: StoreError) -> Problem:
    """What was stored badly, or written by somebody else just then: who can tell? So it is no plan's to go over it."""
    again = f"reconcile conflicts resolve --source {typed(key)}" if wired.drift_waits else "reconcile apply"
    return Problem(key, str(why), side="target", hint=f"to send it again: {again}")


def _looked(
    target: Dated, told: list[tuple[str, Version]]
) -> Iterator[tuple[str, Version, Version | Exception | None]]:
    return ((key, was, now) for (key, was), now in zip(told, target.confirmed(told), strict=True))


def _batches(items: list[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch
