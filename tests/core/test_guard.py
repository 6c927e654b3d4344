"""Guards: symmetric, monotone, exact to one path. P08: counted after renames; shares only from `min_files` on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
import pytest

from reconcile.core.guard import Totals, refusals
from reconcile.core.policy import GuardLimits, Limit

USUAL = GuardLimits()
counts = st.integers(0, 40)


def told(totals: Totals, limits: GuardLimits = USUAL, allowed: tuple[str, ...] = ()) -> list[str]:
    return [one.permission for one in refusals("m", totals, limits, allowed)]


@pytest.mark.hazard("P08")
@pytest.mark.parametrize(
    ("limit", "records", "most"),
    [
        (Limit(share=0.5), 10, 5),
        (Limit(share=0.5), 11, 5),
        (Limit(share=0.5), 1000, 500),
        (Limit(share=0.1), 10, 1),
        (Limit(share=0.0), 10, 0),
        (Limit(share=1.0), 10, 10),
        (Limit(count=3), 10, 3),
        (Limit(count=0), 10, 0),
        (Limit(count=200), 1000, 200),
    ],
)
def test_one_more_than_the_limit_is_refused(limit: Limit, records: int, most: int) -> None:
    limits = GuardLimits(max_delete=limit, max_update=limit)
    for changed in range(max(0, most - 1), min(most + 2, records + 1)):
        expected = [] if changed <= most else ["deletes"]
        assert told(Totals(records=records, sources=1, deletes=changed), limits) == expected
        expected = [] if changed <= most else ["updates"]
        assert told(Totals(records=records, sources=1, updates=changed), limits) == expected


@pytest.mark.hazard("P08")
@pytest.mark.parametrize(("records", "refused"), [(8, False), (9, False), (10, True), (11, True)])
def test_small_mappings_have_no_shares(records: int, refused: bool) -> None:
    assert bool(told(Totals(records=records, sources=1, deletes=records))) == refused
    assert bool(told(Totals(records=records, sources=0, deletes=records))) == refused
    assert bool(told(Totals(records=records, sources=1, lost=records))) == refused


def test_off_is_off() -> None:
    limits = GuardLimits(max_delete=Limit(), max_update=Limit())
    assert told(Totals(records=100, sources=1, deletes=100, updates=100), limits) == []


TABLE = [
    ("an empty source", Totals(records=10, deletes=1), ["empty-source"]),
    ("an empty source that deletes nothing", Totals(records=10), []),
    ("an empty source of which not all was read", Totals(records=10, deletes=1, source_known=False), []),
    ("another disk that deletes", Totals(records=2, sources=1, deletes=1, new_disk=True), ["new-disk"]),
    ("another disk", Totals(records=2, sources=1, new_disk=True), []),
    ("half of the target gone", Totals(records=10, sources=10, lost=5), []),
    ("more than half of it", Totals(records=10, sources=10, lost=6), ["target-vanished"]),
    ("unmanaged paths on a first run", Totals(sources=1, targets=9, unmanaged_deletes=1, first_run=True), ["deletes"]),
    ("half of what is listed", Totals(sources=1, targets=10, unmanaged_deletes=5), []),
    ("more than half of it unmanaged", Totals(sources=1, targets=10, unmanaged_deletes=6), ["deletes"]),
    ("of a small target", Totals(sources=1, targets=9, unmanaged_deletes=9), []),
]


@pytest.mark.parametrize(("totals", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_each_reason(totals: Totals, expected: list[str]) -> None:
    assert told(totals) == expected


@given(
    totals=st.builds(
        Totals, records=counts, sources=counts, targets=counts, deletes=counts, unmanaged_deletes=counts,
        updates=counts, lost=counts, first_run=st.booleans(), new_disk=st.booleans(),
    ),
    share=st.floats(0, 1),
    field=st.sampled_from(["deletes", "unmanaged_deletes", "updates", "lost"]),
    more=counts,
)  # fmt: skip
def test_more_of_the_same_is_never_safer(totals: Totals, share: float, field: str, more: int) -> None:
    limits = GuardLimits(max_delete=Limit(share=share), max_update=Limit(share=share))
    worse = replace(totals, **{field: getattr(totals, field) + more})
    assert set(told(totals, limits)) <= set(told(worse, limits))


@pytest.mark.parametrize(
    ("allowed", "permitted"),
    [((), False), (("deletes",), True), (("deletes:m",), True), (("deletes:other",), False), (("updates",), False)],
)
def test_a_permission_is_for_one_reason_and_perhaps_one_mapping(allowed: tuple[str, ...], permitted: bool) -> None:
    found = refusals("m", Totals(records=10, sources=4, deletes=6), USUAL, allowed)
    assert [(one.permission, one.allowed) for one in found] == [("deletes", permitted)]


def test_the_numbers_are_told() -> None:
    found = refusals("m", Totals(records=1204, sources=9, deletes=812), USUAL)
    assert found[0].detail == "would delete 812 of 1,204 files (67 %, limit 50 %)"
