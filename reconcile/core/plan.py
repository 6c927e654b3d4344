"""The plan: a value. What would be done, why, and everything that must still hold when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct

from reconcile.core.change import Change, Conflict, Refusal
from reconcile.core.counts import Counts
from reconcile.core.entry import Problem

FORMAT_VERSION: Final = 1


class MappingPlan(Struct, frozen=True):
    """The plan of one mapping, its changes apart.

    `scope` is the id its records hang on; `serial` the state's at planning. `conditions` says how the store keeps its
    promises (`unproven` before any apply probed it); `window`: the store tells no version, so a change made while we
    write may go unseen. `creates` names the containers that apply will make. `notices` are facts worth a line. `whole`:
    every path was looked at and may be acted on; applying anything less completes nothing.
    """

    name: str
    scope: str
    serial: int
    source: str
    target: str
    counts: Counts
    conflicts: list[Conflict] = []
    problems: list[Problem] = []
    refusals: list[Refusal] = []
    creates: list[str] = []
    notices: list[str] = []
    conditions: str = ""
    window: bool = False
    waits_for: list[str] = []
    records: int = 0
    last_run: int = 0
    whole: bool = True

    @property
    def refused(self) -> bool:
        """Whether a guard keeps the whole mapping from being applied."""
        return any(not refusal.allowed for refusal in self.refusals)


class Header(Struct, frozen=True):
    """What a plan hangs on. `spec` is the digest of the resolved spec; `kind` is `apply`, `destroy` or `refresh`."""

    lineage: str
    spec: str
    spec_file: str
    tool_version: str
    kind: str
    mappings: list[MappingPlan]
    allowed: list[str] = []
    open_run: int = 0
    open_done: int = 0
    open_total: int = 0
    format_version: int = FORMAT_VERSION


class Plan:
    """A header, and a cursor over the changes in order of mapping and key; a million changes take no more memory.

    `rows(mapping)` reads the changes of one mapping, or of all. `pinned`: every content has its digest, so that it can
    be applied later, exactly. `origin` is whatever the maker needs to find its way back. `plan_id`: the id of a saved
    plan, which stays what it was when later versions have more to say.
    """

    def __init__(
        self,
        header: Header,
        rows: Callable[[str | None], Iterable[Change]],
        *,
        pinned: bool = False,
        origin: Any = None,
        plan_id: str = "",
    ) -> None:
        self.header = header
        self._rows = rows
        self._id = plan_id
        self.pinned = pinned
        self.origin = origin

    def changes(self, mapping: str | None = None) -> Iterator[Change]:
        """All changes, or those of one mapping."""
        return iter(self._rows(mapping))

    @property
    def mappings(self) -> list[MappingPlan]:
        """The mappings in the order they are applied."""
        return self.header.mappings

    @property
    def counts(self) -> Counts:
        """The totals of all mappings."""
        return sum((mapping.counts for mapping in self.mappings), Counts())

    @property
    def conflicts(self) -> list[Conflict]:
        """The paths that wait for a decision."""
        return [conflict for mapping in self.mappings for conflict in mapping.conflicts]

    @property
    def problems(self) -> list[tuple[str, Problem]]:
        """(mapping, problem): what could not be read."""
        return [(mapping.name, problem) for mapping in self.mappings for problem in mapping.problems]

    @property
    def refusals(self) -> list[Refusal]:
        """What the guards said, the allowed ones too."""
        return [refusal for mapping in self.mappings for refusal in mapping.refusals]

    @property
    def id(self) -> str:
        """SHA-256 (hex) of the header and every change: the digest of all that the plan says."""
        if not self._id:
            told = sha256(msgspec.json.encode(self.header))
            for change in self._rows(None):
                told.update(msgspec.json.encode(change))
            self._id = told.hexdigest()
        return self._id

    def exit_code(self, *, detailed: bool = False) -> int:
        """0, or what keeps the plan from being clean: 4 guards, 7 problems, 3 conflicts, 2 changes (if `detailed`)."""
        held = {conflict.exit_code for conflict in self.conflicts}
        if 4 in held or any(mapping.refused for mapping in self.mappings):
            return 4
        if self.problems:
            return 7
        if held:
            return 3
        pending = self.counts.changes or any(mapping.creates for mapping in self.mappings)
        return 2 if detailed and pending else 0
