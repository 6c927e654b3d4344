"""The march on a target that does not tell all names apart: `A.txt` and `a.txt`, or two spellings of `é`, are one.

All three streams are then sorted and met by their *match key*, the form under which the target tells names apart. The
spelling is data that travels with each side: a path that is recorded keeps the key it has in the target, whatever the
source calls it now, and a file whose spelling alone changed in the source is moved. Two files of the source with one
match key cannot both be there: that is a plan error, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from reconcile.core.entry import Cover, Entry, Kind, Problem
from reconcile.core.errors import PlanError
from reconcile.core.march import Row, Tally, march
from reconcile.core.path import is_under, is_utf8, match_key
from reconcile.core.record import Record
from reconcile.flow.wired import Wired
from reconcile.state.spill import make_spill


class _Entry(Entry, frozen=True, gc=False):
    """An entry under its match key; `spelled` is its key, `path` always its source path."""

    spelled: str = ""


class _Record(Record, frozen=True, gc=False):
    """A record under its match key; `spelled` is its key, `path` always its source path."""

    spelled: str = ""


Folded = TypeVar("Folded", _Entry, _Record)
Spelled = TypeVar("Spelled", Entry, Record)


def meet(
    wired: Wired,
    source: Iterable[Entry | Problem],
    records: Iterable[Record],
    target: Iterable[Entry | Problem],
    tally: Tally,
) -> Iterator[Row]:
    """The march, under the names that the target tells apart; the rows have the keys that are there, or will be."""
    fold = wired.target.traits.key
    if fold == "identity":
        return march(source, records, target, tally, executable=wired.executable)
    return _Folding(wired, fold).meet(source, records, target, tally)


class _Folding:
    """One march by match keys. `_told` holds the problems as they were told, by what they cover."""

    def __init__(self, wired: Wired, fold: str) -> None:
        self._wired = wired
        self._fold = fold
        self._told: dict[Problem, Problem] = {}

    def meet(
        self,
        source: Iterable[Entry | Problem],
        records: Iterable[Record],
        target: Iterable[Entry | Problem],
        tally: Tally,
    ) -> Iterator[Row]:
        """Every unsettled row, spelled."""
        here = self._entries(source, self._collide)
        known = self._sorted(_Record, (self._with_key(_Record, record) for record in records), _first)
        there = self._entries(target, self._not_understood)
        rows = march(here, known, there, tally, executable=self._wired.executable)
        standing: list[tuple[str, str]] = []
        for row in rows:
            standing = [(key, spelled) for key, spelled in standing if is_under(row.key, key)]
            above = next((spelled for key, spelled in standing if key == row.above), row.above)
            spelled = _spelled(row, above)
            standing.append((row.key, spelled.key))
            yield spelled
        tally.problems = [self._told.get(problem, problem) for problem in tally.problems]

    def _entries(
        self, stream: Iterable[Entry | Problem], collide: Callable[[Sequence[_Entry]], Iterable[_Entry | Problem]]
    ) -> Iterator[_Entry | Problem]:
        """Empty directories are left out: they are nobody's, whatever their names."""
        problems: list[Problem] = []

        def entries() -> Iterator[_Entry]:
            for item in stream:
                if isinstance(item, Problem):
                    problems.append(self._covering(item))
                elif item.kind is not Kind.DIRECTORY:
                    yield self._with_key(_Entry, item)

        found = self._sorted(_Entry, entries(), collide)
        return chain(problems, found)

    def _sorted(
        self, kind: type[Folded], stream: Iterator[Folded], collide: Callable[[Sequence[Folded]], Iterable[Any]]
    ) -> Iterator[Any]:
        """By match key, read to the end before the first is given; those that share one are for `collide`."""
        rows, encode = make_spill(), msgspec.msgpack.Encoder().encode
        for item in stream:
            rows.put(item.key, encode(item))
        decode = msgspec.msgpack.Decoder(kind).decode
        return _each(((key, decode(value)) for key, value in rows.rows()), collide, rows.close)

    def _with_key(self, kind: type[Folded], item: Entry | Record) -> Folded:
        fields = asdict(item) | {"key": match_key(item.key, self._fold), "path": item.path or item.key}
        return kind(**fields, spelled=item.key)

    def _covering(self, problem: Problem) -> Problem:
        """The problem by match keys; a range of one order is, in another, everything."""
        if not is_utf8(problem.key):
            return problem
        key = "" if problem.cover is Cover.RANGE else match_key(problem.key, self._fold)
        cover = Cover.TREE if problem.cover is Cover.RANGE else problem.cover
        folded = replace(problem, key=key, cover=cover, until=None)
        self._told[folded] = problem
        return folded

    def _collide(self, entries: Sequence[_Entry]) -> Iterable[_Entry]:
        names = " and ".join(str(entry.path) for entry in entries)
        message = f"{names} would be one file in the target, which takes these names for the same"
        raise PlanError(message, op="plan", path=self._wired.name, hint="rename or exclude one of them")

    def _not_understood(self, entries: Sequence[_Entry]) -> Iterable[Problem]:
        names = " and ".join(entry.spelled for entry in entries)
        covering = Problem(entries[0].key, f"{names} should be one name there, and are two", side="target")
        self._told[covering] = replace(covering, key=entries[0].spelled)
        return [covering]


def _first(records: Sequence[_Record]) -> Iterable[_Record]:
    """Of records that have become one, the first speaks."""
    return records[:1]


def _each(
    rows: Iterator[tuple[str, Folded]], collide: Callable[[Sequence[Folded]], Iterable[Any]], close: Callable[[], None]
) -> Iterator[Any]:
    try:
        for _, group in groupby(rows, key=lambda row: row[0]):
            items = [item for _, item in group]
            yield from items if len(items) == 1 else collide(items)
    finally:
        close()


def _spelled(row: Row, above: str | None) -> Row:
    """The row under the key of its record, else of the target, else of the source."""
    source, record, target = _restored(row.source), _restored(row.record), _restored(row.target)
    named: Struct | None = record or target or source
    key = str(getattr(named, "key", row.key))
    return replace(row, key=key, source=source, record=record, target=target, above=above)


def _restored(item: Spelled | None) -> Spelled | None:
    """A side as it came."""
    if not isinstance(item, _Entry | _Record):
        return item
    return replace(item, key=item.spelled, path=item.path if item.path != item.spelled else None)
