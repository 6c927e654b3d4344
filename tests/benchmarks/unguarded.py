"""`reconcile` without its guarantees, for `guarantees` alone: no intent is written down, no request is bound, no probe.

Never part of the product: it shows what they cost by taking them away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.cli.main import main
from reconcile.core.entry import ANY, Version
from reconcile.flow.learnt import Learnt
from reconcile.state.journal import SqliteJournal
from reconcile.stores.objects.store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconcile.ports import Intent


def _never_written(_journal: SqliteJournal, _intents: Sequence[Intent]) -> None:
    """What is about to happen is not written down."""


def _unbound(_store: ObjectStore, _expect: Version) -> Version:
    """Whatever is there is overwritten."""
    return ANY


def _unseen(_store: ObjectStore, _key: str, _expect: Version, *, compared: bool) -> None:
    """Nor is it looked at first, as it would be where a service compares nothing."""


def _unasked(_learnt: Learnt) -> None:
    """The service is not asked how it keeps its promises."""


if __name__ == "__main__":
    SqliteJournal.intend = _never_written  # type: ignore[method-assign]
    ObjectStore._condition = _unbound  # type: ignore[method-assign]
    ObjectStore._last_look = _unseen  # type: ignore[method-assign]
    Learnt.probe = _unasked  # type: ignore[method-assign]
    main()
