"""Looks into the changes of a plan that touch rows: which columns and rows they add, change and remove."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from reconcile.abilities import Tabular
from reconcile.core.change import Action, Change
from reconcile.core.entry import Digest, Problem
from reconcile.core.errors import StoreError
from reconcile.flow.bodies import large_body, small_body
from reconcile.flow.wired import Wired
from reconcile.ports import Body
from reconcile.scan.hashing import SMALL_BYTES

LOOKED_INTO: Final = 100
"""So many changes of a mapping are looked into: more than a screen shows, and a first plan of thousands stays quick."""

LARGEST_BYTES: Final = 256 << 20
"""Larger files are not read for a plan: their types are found when they are loaded."""

_READS: Final = frozenset({Action.CREATE, Action.UPDATE})


class Insides:
    """The look into one mapping's changes; on a store without rows there is nothing to see."""

    def __init__(self, wired: Wired) -> None:
        self._wired = wired
        self._rows = wired.target if isinstance(wired.target, Tabular) else None
        self._left = LOOKED_INTO

    def look(self, change: Change) -> Change | Problem:
        """The change with what was seen; a problem when it cannot be made."""
        if self._rows is None or not self._left or change.action not in (*_READS, Action.DELETE):
            return change
        if change.action in _READS and change.size > LARGEST_BYTES:
            return change
        self._left -= 1
        try:
            inside = self._rows.inside(change.key, self._body(change) if change.action in _READS else None)
        except StoreError as error:
            return Problem(change.key, str(error), hint=error.hint)
        if inside.refused:
            return Problem(change.key, inside.refused, side="target", hint="nothing was touched")
        return replace(change, inside=inside)

    def _body(self, change: Change) -> Body:
        """What would be sent, without a word to the journal."""
        if change.size <= SMALL_BYTES:
            return small_body(self._wired, change, "", pinned=False)[0]
        return large_body(self._wired, change, "", _nobody_is_told, pinned=False)


def _nobody_is_told(digest: Digest) -> None:
    """Nothing will be published."""
