"""After a run: a store that tells no version at a write is asked what it shows now.

One look at each directory that was written to, not one at each file. What is confirmed is never read back; what is not
(somebody wrote there meanwhile, or the listing lags behind) stays unsettled, and is read before it is touched again.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from reconcile.core.entry import Version
from reconcile.core.errors import StoreError
from reconcile.flow.wired import Wired
from reconcile.ports import Dated, Lease, StateStore, Store

BATCH: Final = 10_000
"""So many records are confirmed in one commit."""


def is_settled(target: Store, version: Version) -> bool:
    """Whether a version that was just told, or shown, proves from now on that nobody else has written there."""
    return target.traits.returns_version or (isinstance(target, Dated) and target.is_settled(version))


def confirm(wired: Wired, state: StateStore, lease: Lease) -> None:
    """Settles what can be settled of the mapping's records."""
    target, scope = wired.target, wired.scope.id
    if not isinstance(target, Dated):
        return
    waiting = [(record.key, record.version) for record in state.records(scope) if not record.settled]
    told = iter(waiting)
    while batch := list(islice(told, BATCH)):
        try:
            shown = target.confirmed(batch)
        except StoreError:  # nothing is lost by it but time
            return
        found = [(key, was, now) for (key, was), now in zip(batch, shown, strict=True) if now is not None]
        if found:
            state.confirm(scope, found, lease)
