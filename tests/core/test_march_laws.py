"""The march against a model of three dictionaries: nothing is missed, nothing is invented, nothing is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.entry import Cover, Digest, Entry, Kind, Problem, Version
from reconcile.core.march import OutOfOrderError, Tally, march
from reconcile.core.record import Record

KEYS = st.sampled_from(
    ["a", "a!", "a-b", "a.b", "a/b", "a/b/c", "a0", "ab", "b", "b/x", "é", "z", "\uffff", "\U0001f600"]
)
WORDS = st.sampled_from("ABC")
SIDES = st.dictionaries(KEYS, WORDS, max_size=9)


def source(model: dict[str, str]) -> list[Entry]:
    return [Entry(key, 1, Version("s"), digest=Digest(word.encode())) for key, word in sorted(model.items())]


def records(model: dict[str, str]) -> list[Record]:
    return [Record(key, 1, Digest(word.encode()), Version(word)) for key, word in sorted(model.items())]


def target(model: dict[str, str]) -> list[Entry]:
    return [Entry(key, 1, Version(word)) for key, word in sorted(model.items())]


@given(here=SIDES, known=SIDES, there=SIDES)
def test_every_key_is_settled_or_told_once_in_order(
    here: dict[str, str], known: dict[str, str], there: dict[str, str]
) -> None:
    tally = Tally()
    rows = list(march(source(here), records(known), target(there), tally))
    every = here.keys() | known.keys() | there.keys()
    settled = {key for key in every if key in here and here.get(key) == known.get(key) == there.get(key)}
    assert [row.key for row in rows] == sorted(every - settled)
    for row in rows:
        assert (row.source.digest if row.source else None) == (here[row.key].encode() if row.key in here else None)
        assert (row.record.digest if row.record else None) == (known[row.key].encode() if row.key in known else None)
        assert (row.target.version if row.target else None) == there.get(row.key)
    assert (tally.sources, tally.records, tally.targets) == (len(here), len(known), len(there))
    assert tally.settled == len(settled)


def test_the_order_of_keys_is_that_of_their_bytes() -> None:
    keys = ["a", "a!", "a/b", "a0", "\uffff", "\U0001f600"]
    assert sorted(keys) == sorted(keys, key=str.encode)
    assert [row.key for row in march(source(dict.fromkeys(keys, "A")), (), (), Tally())] == keys


@given(here=SIDES, there=SIDES, covers=st.lists(st.tuples(KEYS, st.sampled_from(list(Cover)), KEYS), max_size=3))
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_problem_covers_its_range_wherever_it_stands_in_time(
    side: str, here: dict[str, str], there: dict[str, str], covers: list[tuple[str, Cover, str]]
) -> None:
    """A problem comes no later than the first key behind it; what it covers is unknown on its side, and only there."""
    problems = [
        Problem(key, "no", cover, max(key, until) if cover is Cover.RANGE else None) for key, cover, until in covers
    ]

    def with_problems(entries: list[Entry]) -> Iterator[Entry | Problem]:
        waiting = sorted(problems, key=lambda problem: problem.key)
        for entry in entries:
            while waiting and waiting[0].key <= entry.key:
                yield waiting.pop(0)
            yield entry
        yield from waiting

    lists = {"source": source(here), "target": target(there)}
    streams = {name: with_problems(entries) if name == side else entries for name, entries in lists.items()}
    tally = Tally()
    for row in march(streams["source"], (), streams["target"], tally):
        covered = any(problem.covers(row.key) for problem in problems)
        assert row.unknown_source == (covered and side == "source")
        assert row.unknown_target == (covered and side == "target")
    assert sorted(tally.problems, key=str) == sorted(problems, key=str)


@given(entries=st.lists(KEYS, min_size=2, max_size=8), side=st.sampled_from(["source", "state", "target"]))
def test_a_broken_order_is_told_at_its_first_violation(entries: list[str], side: str) -> None:
    fine = all(one < other for one, other in pairwise(entries))
    streams: dict[str, list[Entry] | list[Record]] = {
        "source": [Entry(key, 1, Version("s")) for key in entries],
        "state": [Record(key, 1, Digest(b"A"), Version("A")) for key in entries],
        "target": [Entry(key, 1, Version("A")) for key in entries],
    }
    told = {name: stream if name == side else [] for name, stream in streams.items()}
    rows = march(told["source"], told["state"], told["target"], Tally())  # type: ignore[arg-type]
    if fine:
        assert [row.key for row in rows] == entries
    else:
        with pytest.raises(OutOfOrderError) as caught:
            list(rows)
        assert caught.value.side == side


@given(here=SIDES, known=SIDES, there=SIDES)
def test_the_file_above_is_the_nearest_unsettled_one(
    here: dict[str, str], known: dict[str, str], there: dict[str, str]
) -> None:
    rows = list(march(source(here), records(known), target(there), Tally()))
    files = {row.key for row in rows if row.source is not None or row.target is not None}
    for row in rows:
        parts = row.key.split("/")
        above = ["/".join(parts[:number]) for number in range(1, len(parts))]
        assert row.above == next((key for key in reversed(above) if key in files), None)


def test_memory_does_not_grow_with_the_number_of_keys() -> None:
    """A stack of the prefixes of the present key, and the problems that still cover something; no more."""

    def numbered(count: int) -> Iterator[Entry | Problem]:
        for number in range(count):
            if number % 50 == 0:
                yield Problem(f"d/{number:07}", "no", Cover.TREE)
            yield Entry(f"d/{number:07}/f", 1, Version("s"), kind=Kind.FILE)

    def peak(count: int) -> int:
        tracemalloc.start()
        tally = Tally()
        for _ in march(numbered(count), (), (), tally):
            tally.problems.clear()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)
    assert peak(20_000) < peak(1_000) + 3 * 20_000, "an object for every key would be ten times that"
