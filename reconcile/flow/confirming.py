"""After a run: a store that tells no version at a write is asked what it shows now.

One look at each directory that was written to, not one at each file. What is confirmed is never read back; what is not
(somebody wrote there meanwhile, or the listing lags behind) stays unsettled, and is read before it is touched again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Final, TypeVar

from reconcile.core.entry import Version
from reconcile.core.errors import StoppedError, StoreError
from reconcile.flow.wired import Wired
from reconcile.ports import Clock, Dated, Lease, StateStore, Store

BATCH: Final = 10_000
"""So many records are confirmed in one commit."""

GRANULES: Final = 2
"""So long what was just written is too fresh: until the time it shows has passed, by whatever clock."""

Item = TypeVar("Item")


def is_settled(target: Store, version: Version) -> bool:
    """Whether a version that was just told, or shown, proves from now on that nobody else has written there."""
    return target.traits.returns_version or (isinstance(target, Dated) and target.is_settled(version))


def confirm(wired: Wired, state: StateStore, lease: Lease, clock: Clock) -> None:
    """Settles what can be settled of the mapping's records; what is too fresh for its store, a moment later."""
    target, scope = wired.target, wired.scope.id
    if not isinstance(target, Dated):
        return
    waiting = [(record.key, record.version) for record in state.records(scope) if not record.settled]
    with suppress(StoreError, StoppedError):  # nothing is lost by it but time: what is unsettled is read back
        for wait_s in (0.0, GRANULES * target.traits.granule_ns / 1e9):
            if wait_s and waiting:
                clock.sleep(wait_s)
            found = [told for batch in _batches(waiting) for told in _confirmed(target, batch)]
            for batch in _batches(found):
                state.confirm(scope, batch, lease)
            done = {key for key, _, _ in found}
            waiting = [told for told in waiting if told[0] not in done]


def _confirmed(target: Dated, told: list[tuple[str, Version]]) -> Iterator[tuple[str, Version, Version]]:
    shown = target.confirmed(told)
    return ((key, was, now) for (key, was), now in zip(told, shown, strict=True) if now is not None)


def _batches(items: list[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch
