"""Rows that were put aside as tables were loaded: they are told for as long as they lie there."""

from __future__ import annotations

from reconcile.abilities import Rejecting
from reconcile.core.errors import StoreError
from reconcile.flow.wired import House, Wired


def put_aside(house: House, wired: Wired) -> list[tuple[str, str, int]]:
    """Of each table of the mapping with such rows: its key, where they are, how many; none where nobody can look."""
    if not isinstance(wired.target, Rejecting):
        return []
    try:
        found = wired.target.put_aside()
    except StoreError:
        return []
    return [
        (key, table, count)
        for key, (table, count) in sorted(found.items())
        if house.state.record(wired.scope.id, key) is not None
    ]
