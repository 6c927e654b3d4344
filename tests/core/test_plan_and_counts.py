"""A plan is named by all that it says and nothing else; numbers are said in one way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
import pytest

from reconcile.core.change import Action, Change, Conflict, Reason, Refusal
from reconcile.core.counts import Counts, plural, seconds_text, size_text
from reconcile.core.entry import Digest, Problem, Version
from reconcile.core.plan import Header, MappingPlan, Plan

CHANGES = [
    Change(1, "m", Action.CREATE, "a", Reason.NEW, 5, digest=Digest(b"\0" * 32)),
    Change(2, "m", Action.MOVE, "b", Reason.RENAMED, 7, from_key="c", from_version=Version("1"), vacates=True),
    Change(3, "n", Action.DELETE, "d", Reason.GONE, 9, expect=Version("2")),
]


def plan(changes: list[Change] = CHANGES, **header: object) -> Plan:
    parts = [
        MappingPlan("m", "s1", 1, "file:///s", "file:///t", Counts()),
        MappingPlan("n", "s2", 2, "s", "t", Counts()),
    ]
    told = {"lineage": "l", "spec": "d", "spec_file": "f", "tool_version": "1", "kind": "apply", "mappings": parts}
    return Plan(
        Header(**{**told, **header}),  # type: ignore[arg-type]
        lambda mapping=None: (one for one in changes if mapping in (None, one.mapping)),
    )


@pytest.mark.hazard("P11")
def test_the_same_plan_has_the_same_id() -> None:
    assert plan().id == plan([replace(one) for one in CHANGES]).id
    assert len(plan().id) == 64


@pytest.mark.hazard("P13")
@pytest.mark.parametrize(
    "field",
    ["id", "mapping", "action", "key", "reason", "size", "digest", "path", "from_key", "from_version", "vacates",
     "source_version", "expect", "executable", "drift", "after", "group"],
)  # fmt: skip
def test_whatever_of_a_change_is_other_makes_it_another_plan(field: str) -> None:
    others: dict[str, object] = {
        "action": Action.UPDATE, "reason": Reason.CHANGED, "digest": Digest(b"\1" * 32), "vacates": True,
        "executable": True, "drift": True, "after": (2,), "group": 1, "id": 9, "size": 6,
    }  # fmt: skip
    edited = replace(CHANGES[0], **{field: others.get(field, "other")})
    assert plan([edited, *CHANGES[1:]]).id != plan().id


@pytest.mark.parametrize("field", ["lineage", "spec", "spec_file", "tool_version", "kind"])
def test_so_does_whatever_it_hangs_on(field: str) -> None:
    assert plan(**{field: "other"}).id != plan().id


def test_changes_of_one_mapping() -> None:
    assert [one.id for one in plan().changes("m")] == [1, 2]
    assert [one.id for one in plan().changes()] == [1, 2, 3]


def part(**told: object) -> Plan:
    return plan(mappings=[replace(MappingPlan("m", "s", 1, "s", "t", Counts()), **told)])


@pytest.mark.hazard("O01")
@pytest.mark.parametrize(
    ("told", "code", "detailed"),
    [
        ({}, 0, 0),
        ({"counts": Counts(create=1)}, 0, 2),
        ({"counts": Counts(unchanged=1)}, 0, 0),
        ({"creates": ["a bucket"]}, 0, 2),
        ({"conflicts": [Conflict("m", "a", Reason.BOTH_CHANGED)], "counts": Counts(create=1)}, 3, 3),
        ({"conflicts": [Conflict("m", "a", Reason.PROTECTED, exit_code=4)]}, 4, 4),
        ({"problems": [Problem("a", "no")], "conflicts": [Conflict("m", "a", Reason.BOTH_CHANGED)]}, 7, 7),
        ({"refusals": [Refusal("m", "deletes", "too many")], "problems": [Problem("a", "no")]}, 4, 4),
        ({"refusals": [Refusal("m", "deletes", "too many", allowed=True)]}, 0, 0),
    ],
)
def test_exit_codes(told: dict[str, object], code: int, detailed: int) -> None:
    assert (part(**told).exit_code(), part(**told).exit_code(detailed=True)) == (code, detailed)


def test_what_waits_is_gathered_from_all_mappings() -> None:
    conflict, refusal, problem = (
        Conflict("m", "a", Reason.NEVER_MET),
        Refusal("m", "deletes", "all"),
        Problem("a", "no"),
    )
    told = part(conflicts=[conflict], refusals=[refusal], problems=[problem])
    assert (told.conflicts, told.refusals, told.problems) == ([conflict], [refusal], [("m", problem)])


@given(st.lists(st.sampled_from(list(Action)), max_size=20))
def test_counts_add_up(actions: list[Action]) -> None:
    counts = Counts()
    for number, action in enumerate(actions):
        counts.add(Change(number, "m", action, "k", Reason.NEW, size=3))
    assert counts.changes == len(actions)
    assert counts.bytes == 3 * sum(action in (Action.CREATE, Action.UPDATE) for action in actions)
    double = counts + counts
    assert double.as_dict() == {name: 2 * count for name, count in counts.as_dict().items()}


@pytest.mark.parametrize(
    ("size", "told"),
    [
        (0, "0 B"), (1, "1 B"), (812, "812 B"), (1023, "1023 B"), (1024, "1 KiB"), (4096, "4 KiB"), (1536, "1.5 KiB"),
        (13_002_342, "12.4 MiB"), (1 << 30, "1 GiB"), (5 << 40, "5 TiB"), (3 << 50, "3 PiB"), (1 << 62, "4096 PiB"),
        ((1 << 20) - 1, "1 MiB"),
    ],
)  # fmt: skip
def test_sizes(size: int, told: str) -> None:
    assert size_text(size) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0.0 s"), (0.64, "0.6 s"), (59.9, "59.9 s"), (60, "1 min"), (240, "4 min"), (7199, "120 min"), (7200, "2 h"),
     (26 * 3600, "26 h"), (47 * 3600, "47 h"), (3 * 86_400, "3 d")],
)  # fmt: skip
def test_seconds(seconds: float, told: str) -> None:
    assert seconds_text(seconds) == told


def test_plurals() -> None:
    assert [plural(count, "path") for count in (0, 1, 2, 1204)] == ["0 paths", "1 path", "2 paths", "1,204 paths"]
