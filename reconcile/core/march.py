"""The merge: three sorted streams, walked in step.

What is here, what we remember and what is there come in byte order of their keys. A key whose three sides agree is
settled on the spot and only counted; every other key becomes a `Row`. Memory is constant: the heads of the streams,
the problems that cover the present key, and the unsettled keys that are a prefix of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from reconcile.core.entry import Cover, Entry, Kind, Problem
from reconcile.core.path import is_utf8, shown
from reconcile.core.record import Record

Keyed = TypeVar("Keyed", Entry, Record)


class OutOfOrderError(Exception):
    """A stream broke its promised order; the march must start again through the spill."""

    def __init__(self, side: str, before: str, after: str) -> None:
        super().__init__(f"{side}: {after!r} came after {before!r}")
        self.side = side


class Row(Struct, frozen=True, gc=False):
    """One unsettled key: its three sides, what covers it, and the nearest unsettled file above it.

    `unknown_source` and `unknown_target`: a problem covers the key on that side. `above`: the key of the nearest
    unsettled row that stands, as a file, where this key needs a directory.
    """

    key: str
    source: Entry | None
    record: Record | None
    target: Entry | None
    unknown_source: bool = False
    unknown_target: bool = False
    above: str | None = None


class Tally(Struct):
    """What the march counted on its way; complete when it has ended. Sizes in bytes."""

    sources: int = 0
    source_bytes: int = 0
    records: int = 0
    targets: int = 0
    settled: int = 0
    problems: list[Problem] = []


class _Side(Generic[Keyed]):
    """One stream with its head, the problems met so far, and the promise of its order."""

    def __init__(self, name: str, stream: Iterable[Keyed | Problem], tally: Tally) -> None:
        self._name = name
        self._stream: Iterator[Keyed | Problem] = iter(stream)
        self._tally = tally
        self._last = ""
        self._covers: list[Problem] = []

    def pull(self) -> Keyed | None:
        """The next entry; problems on the way are noted. None at the end."""
        for item in self._stream:
            if isinstance(item, Problem):
                self._note(item)
                continue
            if item.key <= self._last:
                raise OutOfOrderError(self._name, self._last, item.key)
            self._last = item.key
            head: Keyed = item
            return head
        return None

    def covers(self, key: str) -> bool:
        """Whether a problem makes this key unknown; problems that lie behind are dropped."""
        if not self._covers:
            return False
        self._covers = [problem for problem in self._covers if not _lies_behind(problem, key)]
        return any(problem.covers(key) for problem in self._covers)

    def _note(self, problem: Problem) -> None:
        if is_utf8(problem.key):
            self._covers.append(problem)
        else:  # it covers no key; in the plan, which is written as JSON, its name is text
            problem = replace(problem, key=shown(problem.key))
        self._tally.problems.append(problem)


def _lies_behind(problem: Problem, key: str) -> bool:
    if problem.cover is Cover.RANGE:
        return problem.until is not None and key > problem.until
    return bool(problem.key) and key > problem.key + "0"  # "0" is the character after "/"


class _Above:
    """The unsettled files whose key is a prefix of the present one: where a file stands in a directory's place."""

    def __init__(self) -> None:
        self._stack: list[str] = []

    def of(self, key: str) -> str | None:
        """The nearest unsettled file above `key`."""
        while self._stack and not key.startswith(self._stack[-1]):
            self._stack.pop()
        for candidate in reversed(self._stack):
            if key[len(candidate)] == "/":
                return candidate
        return None

    def push(self, row: Row) -> None:
        """Remembers a row that is a file on either side."""
        if any(side is not None and side.kind is not Kind.DIRECTORY for side in (row.source, row.target)):
            self._stack.append(row.key)


def march(
    source: Iterable[Entry | Problem],
    records: Iterable[Record],
    target: Iterable[Entry | Problem],
    tally: Tally,
    *,
    executable: bool = False,
) -> Iterator[Row]:
    """Yields every key that is not settled, in order.

    A key is settled when its source digest is known and equals the record's, the source path is the recorded one, and
    the target's version is the recorded (and settled) one, of what would be the same if it were made today.
    `executable`: the bit is compared too. Raises `OutOfOrderError` at the first violation.
    """
    source_side, target_side = _Side("source", source, tally), _Side("target", target, tally)
    pull_source, pull_target = source_side.pull, target_side.pull
    pull_record = _Side("state", records, tally).pull
    above = _Above()
    here, known, there = pull_source(), pull_record(), pull_target()
    while True:
        while here is not None and known is not None and there is not None and here.key == known.key == there.key:
            if not _is_settled(here, known, there, executable=executable):
                break
            tally.settled += 1
            _count(tally, here, known, there)
            here, known, there = pull_source(), pull_record(), pull_target()
        key = min((side.key for side in (here, known, there) if side is not None), default=None)
        if key is None:
            return
        row = Row(
            key,
            here if here is not None and here.key == key else None,
            known if known is not None and known.key == key else None,
            there if there is not None and there.key == key else None,
            source_side.covers(key),
            target_side.covers(key),
            above.of(key),
        )
        _count(tally, row.source, row.record, row.target)
        above.push(row)
        yield row
        here = pull_source() if row.source is not None else here
        known = pull_record() if row.record is not None else known
        there = pull_target() if row.target is not None else there


def _is_settled(here: Entry, known: Record, there: Entry, *, executable: bool) -> bool:
    return (
        here.digest == known.digest
        and (here.path or here.key) == (known.path or known.key)
        and there.version == known.version
        and known.settled
        and not there.outdated
        and here.kind is Kind.FILE
        and there.kind is Kind.FILE
        and (not executable or here.executable == known.executable == there.executable)
    )


def _count(tally: Tally, here: Entry | None, known: Record | None, there: Entry | None) -> None:
    if here is not None and here.kind is Kind.FILE:
        tally.sources += 1
        tally.source_bytes += here.size
    tally.records += known is not None
    tally.targets += there is not None and there.kind is Kind.FILE
