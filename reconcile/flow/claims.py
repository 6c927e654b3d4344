"""Which mapping fills which table of a database that several share: they must not meet, and may hand one over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress

from msgspec.structs import replace

from reconcile.core.change import Action, Reason
from reconcile.core.entry import Entry, Problem
from reconcile.core.errors import PlanError, StoreError
from reconcile.core.path import match_key
from reconcile.flow.facts import Judged
from reconcile.flow.layout import needs_digest, render
from reconcile.flow.wired import House, Wired

Table = tuple[str, str]
"""The URL of a database, and a name as it takes it."""

_GONE = frozenset({Reason.GONE, Reason.GONE_OVER})


class Claims:
    """Of one plan. Names come from files, so what the spec alone cannot tell is found out here.

    A mapping that is not planned now keeps what the state says it has filled.
    """

    def __init__(self, house: House) -> None:
        self._holders: dict[Table, tuple[str, str]] = {}
        self._wanted = dict(_wanted(house.mappings))
        planned = {wired.name for wired in house.mappings}
        shared = {wired.target.url: wired.target.traits.key for wired in house.mappings if wired.target.traits.rows}
        for scope, _, count in house.state.scopes() if shared else ():
            if count and scope.target in shared and scope.mapping in house.names - planned:
                for record in house.state.records(scope.id):
                    name = match_key(record.key, shared[scope.target])
                    self._holders[scope.target, name] = (scope.mapping, record.path or record.key)

    def checked(self, wired: Wired, stream: Iterator[Entry | Problem]) -> Iterator[Entry | Problem]:
        """The same stream; a table that another mapping fills is a plan error."""
        return self._claimed(wired, stream) if wired.target.traits.rows else stream

    def _claimed(self, wired: Wired, stream: Iterable[Entry | Problem]) -> Iterator[Entry | Problem]:
        for item in stream:
            if isinstance(item, Entry) and not item.kind:
                mine = (wired.name, item.path or item.key)
                mapping, path = self._holders.setdefault(_table(wired, item.key), mine)
                if mapping != wired.name:
                    message = f"{mine[1]} would be the table `{item.key}`, which is that of {path} of `{mapping}`"
                    hint = "rename or exclude one of them, or set table.name or table.schema"
                    raise PlanError(message, op="plan", path=wired.name, hint=hint)
            yield item

    def released(self, wired: Wired, judged: Judged) -> Judged:
        """What goes because its file is now that of another mapping is only forgotten: that one takes the table over.

        A file of another size is another file: its mapping meets a table that is not its own, and this one is dropped.
        """
        decision, record = judged.decision, judged.row.record
        if decision is None or decision.reason not in _GONE or record is None or not self._wanted:
            return judged
        mapping, size_bytes = self._wanted.get(_table(wired, record.key), (wired.name, 0))
        if mapping == wired.name or size_bytes != record.size:
            return judged
        return replace(judged, decision=replace(decision, action=Action.FORGET, reason=Reason.HANDED_OVER))


def _wanted(mappings: Iterable[Wired]) -> Iterator[tuple[Table, tuple[str, int]]]:
    """What the files of mappings that share a database are to become: which mapping's, of how many bytes."""
    tabular = [wired for wired in mappings if wired.target.traits.rows and not needs_digest(wired.layout)]
    sharing = Counter(wired.target.url for wired in tabular)
    for wired in tabular:
        if sharing[wired.target.url] > 1:
            with suppress(StoreError):  # whoever plans that mapping meets it, and tells it
                for item in wired.source.list():
                    if isinstance(item, Entry) and not item.kind:
                        name = render(wired.layout, item.key, None, rows=True)
                        yield _table(wired, name), (wired.name, item.size)


def _table(wired: Wired, key: str) -> Table:
    return wired.target.url, match_key(key, wired.target.traits.key)
