"""What stays in a target that has names of its own, and which newcomer would need such a name for itself."""

from __future__ import annotations

from reconcile.abilities import Naming
from reconcile.core.change import Change
from reconcile.core.march import Row
from reconcile.core.path import parents
from reconcile.flow.names import name_there
from reconcile.flow.wired import Wired


class Rivals:
    """Of one mapping; `named` is its target if that has names of its own.

    Where keys are names, the march itself sees who meets, and nothing is noted here.
    """

    def __init__(self, wired: Wired, named: Naming | None) -> None:
        self._wired = wired
        self._named = named
        self._files: dict[str, str] = {}
        self._directories: dict[str, str] = {}

    def __bool__(self) -> bool:
        """Whether anything is known to stay."""
        return bool(self._files)

    def stays(self, row: Row) -> None:
        """Takes in an unsettled row that no change takes away."""
        if row.target is None or self._named is None:
            return
        self._files[self._named.stands_as(row.target)] = row.key
        for directory in parents(row.key):
            self._directories.setdefault(directory, row.key)

    def in_the_way(self, change: Change) -> str | None:
        """The key of what has a name that this newcomer needs, if anything has; only then is it looked into."""
        assert self._named is not None, "only what has a name of its own stays in the way"
        above = [key for spot in parents(change.key) if (key := self._files.get(spot, spot)) != spot]
        if above:
            return above[0]
        place = self._named.family(change.key)
        there = self._files.get(place) or self._directories.get(place)
        if there in (None, change.key) or name_there(self._wired, self._named, change.key, change.source_path) != place:
            return None
        return there
