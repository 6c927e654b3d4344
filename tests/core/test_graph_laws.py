"""Whatever moves, goes and comes: no circle, readers before writers, what shares a fate in one group."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
import pytest

from reconcile.core.change import Action, Change, Reason
from reconcile.core.graph import entangle, frees, waves
from reconcile.core.path import is_under

KEYS = ["a", "b", "c", "d", "a/x", "a/y", "a/x/z", "b/x"]


def change(number: int, action: Action, key: str, came: str | None = None, vacates: bool = False) -> Change:
    return Change(number, "m", action, key, Reason.NEW, from_key=came, vacates=vacates)


@st.composite
def plans(draw: st.DrawFn) -> list[Change]:
    """Changes as a draft makes them: one a key; each holder read once; a vacated key is nobody else's."""
    keys = draw(st.permutations(KEYS))[: draw(st.integers(1, 7))]
    holders = draw(st.permutations(KEYS))
    changes: list[Change] = []
    gone: set[str] = set()
    for number, key in enumerate(sorted(keys), start=1):
        action = draw(st.sampled_from([Action.CREATE, Action.UPDATE, Action.DELETE, Action.MOVE]))
        came = next((one for one in holders if one not in (key, *gone) and not _nested(one, key)), None)
        if action is Action.MOVE and came is not None:
            gone.add(came)
            changes.append(change(number, action, key, came, vacates=came not in keys))
        else:
            changes.append(change(number, Action.CREATE if action is Action.MOVE else action, key))
    return changes


def _nested(one: str, other: str) -> bool:
    return is_under(one, other) or is_under(other, one)


@pytest.mark.hazard("P01")
@pytest.mark.hazard("P02")
@pytest.mark.hazard("P03")
@given(changes=plans(), tree=st.booleans())
def test_an_order_exists_and_keeps_what_is_still_to_be_read(changes: list[Change], tree: bool) -> None:
    ordered = entangle(changes, tree=tree)
    assert [replace(one, after=(), group=0) for one in ordered] == changes, "nothing but order and groups is added"
    ran = waves(ordered)
    at = {one.id: number for number, wave in enumerate(ran) for one in wave}
    assert sorted(at) == [one.id for one in changes]
    group = {one.id: one.group for one in ordered}
    by_key = {one.key: one for one in ordered}
    for one in ordered:
        writer = by_key.get(one.from_key or "")
        if writer is not None and writer is not one:
            assert at[one.id] < at[writer.id] or (one.group and group[writer.id] == one.group)
        for goer in ordered if tree and one.action is not Action.DELETE else ():
            freed = frees(goer)
            if freed is not None and goer is not one and _nested(freed, one.key):
                assert at[goer.id] < at[one.id] or (one.group and group[goer.id] == one.group)
    for number in {one.group for one in ordered} - {0}:
        assert len({at[one.id] for one in ordered if one.group == number}) == 1, "one unit, one moment"


@pytest.mark.hazard("P02")
@pytest.mark.parametrize("size", [2, 3, 7])
def test_a_circle_is_one_group(size: int) -> None:
    changes = [change(n + 1, Action.MOVE, KEYS[n], KEYS[(n + 1) % size]) for n in range(size)]
    assert {one.group for one in entangle(changes, tree=False)} == {1}


@pytest.mark.hazard("P01")
def test_a_chain_is_an_order_without_a_group() -> None:
    changes = [change(1, Action.UPDATE, "a"), change(2, Action.MOVE, "b", "a"), change(3, Action.MOVE, "c", "b", True)]
    ordered = entangle(changes, tree=False)
    assert [(one.after, one.group) for one in ordered] == [((2,), 0), ((3,), 0), ((), 0)]
    assert [[one.id for one in wave] for wave in waves(ordered)] == [[3], [2], [1]]


@pytest.mark.hazard("P03")
def test_a_replacement_is_one_group_on_a_tree_and_nothing_elsewhere() -> None:
    changes = [change(1, Action.CREATE, "a"), change(2, Action.DELETE, "a/x"), change(3, Action.DELETE, "a/y")]
    assert {one.group for one in entangle(changes, tree=True)} == {1}
    assert {one.group for one in entangle(changes, tree=False)} == {0}


def test_a_circle_outside_a_group_is_told() -> None:
    one, other = change(1, Action.UPDATE, "a"), change(2, Action.UPDATE, "b")
    with pytest.raises(ValueError, match="circle"):
        waves([replace(one, after=(2,)), replace(other, after=(1,))])


def test_a_circle_through_a_replacement_is_one_unit():
    """On a store that may keep `a` and `a/x` at once: `a` goes, `a/x` is new, and its old content moves to `a/y`."""
    changes = [
        Change(1, "m", Action.DELETE, "a", Reason.GONE),
        Change(2, "m", Action.UPDATE, "a/x", Reason.CHANGED),
        Change(3, "m", Action.MOVE, "a/y", Reason.RENAMED, from_key="a/x"),
    ]
    told = entangle(changes, tree=True)
    assert len({change.group for change in told}) == 1
    assert [[change.id for change in wave] for wave in waves(told)] == [[1, 2, 3]]
