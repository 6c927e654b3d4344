"""Renames are paired the same way whatever the order, and never at the cost of a content that is still wanted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.entry import Digest, Version
from reconcile.core.moves import Holder, Seeker, candidates, pair

KEYS = ["a", "b", "c", "a/b", "a/c", "b/x", "x/a", "y/b"]
SIZES = {"": 0, "1": 1, "2": 1, "33": 2}
texts = st.sampled_from(list(SIZES))
modes = st.booleans()


def holder(key: str, text: str, vacates: bool, executable: bool) -> Holder:
    return Holder(key, SIZES[text], Digest(text.encode()), Version(f"v {key}"), vacates, executable)


def seeker(key: str, text: str, executable: bool) -> Seeker:
    return Seeker(key, SIZES[text], Digest(text.encode()), executable)


def unique(items: list) -> list:
    return list({item.key: item for item in items}.values())


holders = st.lists(st.builds(holder, st.sampled_from(KEYS), texts, st.booleans(), modes), max_size=6).map(unique)
seekers = st.lists(st.builds(seeker, st.sampled_from(KEYS), texts, modes), max_size=6).map(unique)


@given(held=holders, sought=seekers, tree=st.booleans(), data=st.data())
def test_pairing(held: list[Holder], sought: list[Seeker], tree: bool, data: st.DataObject) -> None:
    paired = pair(held, sought, tree=tree)
    shuffled = pair(data.draw(st.permutations(held)), data.draw(st.permutations(sought)), tree=tree)
    assert shuffled == paired, "the order says nothing"
    taken = [one.key for one in paired.values()]
    assert len(taken) == len(set(taken)), "a holder serves once"
    by_key = {one.key: one for one in sought}
    for key, one in paired.items():
        wants = by_key[key]
        assert (one.digest, one.executable) == (wants.digest, wants.executable)
        assert one.size > 0, "empty files all look alike"
        assert one.key != key
        assert not (tree and (one.key.startswith(key + "/") or key.startswith(one.key + "/")))
    for wants in sought:
        if wants.key not in paired and wants.size and not tree:
            free = [one for one in held if one.key not in taken and one.key != wants.key]
            left = [one for one in free if (one.digest, one.executable) == (wants.digest, wants.executable)]
            assert left == [], "a content that is there is not sent"


@given(held=holders, sought=seekers)
def test_candidates_are_those_whose_size_somebody_holds(held: list[Holder], sought: list[Seeker]) -> None:
    sizes = {one.size for one in held} - {0}
    assert list(candidates(held, sought)) == [one for one in sought if one.size in sizes]


@pytest.mark.hazard("P06")
def test_empty_files_are_no_renames() -> None:
    assert pair([holder("a", "", True, False)], [seeker("b", "", False)], tree=False) == {}


@pytest.mark.hazard("P06")
@pytest.mark.hazard("P07")
def test_ties() -> None:
    """What goes anyway before what is overwritten, the same name before another, the first key before the next."""
    held = [holder("a", "1", False, False), holder("b", "1", True, False), holder("x/n", "1", True, False)]
    assert pair(held, [seeker("y/n", "1", False)])["y/n"].key == "x/n"
    assert pair(held, [seeker("z", "1", False)])["z"].key == "b"
    assert pair(held[:1], [seeker("z", "1", False)])["z"].key == "a"
    assert pair([holder("a", "", True, False)], [seeker("b", "", False)]) == {}


def test_a_seeker_nobody_has_read_is_not_paired() -> None:
    assert pair([holder("a", "1", True, False)], [Seeker("b", 1)]) == {}


def test_a_content_that_is_wanted_twice_is_moved_once() -> None:
    paired = pair([holder("old", "1", True, False)], [seeker("b", "1", False), seeker("a", "1", False)])
    assert {key: one.key for key, one in paired.items()} == {"a": "old"}
