"""Pictures of plans: the order that is drawn, and names that cannot leave their box."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.change import Action, Change, Reason
from reconcile.core.counts import Counts
from reconcile.core.entry import ABSENT
from reconcile.core.plan import Header, MappingPlan, Plan
from reconcile.report.drawing import MOST, dot, drawing, mermaid
from reconcile.report.svg import svg

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


def change(number, key, action=Action.CREATE, after=(), group=0):
    return Change(number, "docs", action, key, Reason.NEW, expect=ABSENT, after=after, group=group)


def plan(*changes, waits_for=()):
    counts = Counts()
    for one in changes:
        counts.add(one)
    parts = [MappingPlan("docs", "0" * 32, 0, "here", "there", counts, waits_for=list(waits_for))]
    header = Header("l", "s", "reconcile.yaml", "0", "apply", parts)
    return Plan(header, lambda _mapping: list(changes))


def layers(bands):
    return {node.label: node.layer for band in bands for node in band.nodes}


def test_a_chain_is_drawn_in_its_order_whatever_the_ids():
    changes = change(1, "c", after=(2,)), change(2, "b", after=(3,)), change(3, "a")
    bands = drawing(plan(*changes))
    assert layers(bands) == {"+ a": 0, "+ b": 1, "+ c": 2}
    assert bands[0].arrows == [("m0_3", "m0_2"), ("m0_2", "m0_1")]


def test_a_circle_is_drawn_once():
    changes = change(1, "a", after=(2,), group=1), change(2, "b", after=(1,), group=1)
    assert layers(drawing(plan(*changes))) == {"+ a": 0, "+ b": 1}


def test_a_delete_that_something_waits_for_is_no_late_one():
    bands = drawing(plan(change(1, "a", Action.DELETE), change(2, "a/b", after=(1,))))
    assert layers(bands) == {"- a": 0, "+ a/b": 1}


def test_a_large_plan_is_cut_and_says_so():
    bands = drawing(plan(*(change(number, f"f{number}") for number in range(1, MOST + 13))))
    assert len(bands[0].nodes) == MOST + 1
    assert bands[0].nodes[-1].label == "… 12 more actions"


@given(NAMES)
@pytest.mark.hazard("N06")
def test_a_name_stays_in_its_box(name):
    bands = drawing(plan(change(1, name), change(2, f"{name}\"];x[onload='y'")))
    plain = drawing(plan(change(1, "a"), change(2, "b")))
    for draw in (dot, mermaid):
        strange, usual = ("\n".join(draw(each)) for each in (bands, plain))
        outside = [re.sub(r'"(?:[^"\\]|\\.)*"', "", text) for text in (strange, usual)]
        assert outside[0] == outside[1]
    tree, usual_tree = (ET.fromstring("\n".join(svg(each))) for each in (bands, plain))
    assert [one.tag for one in tree.iter()] == [one.tag for one in usual_tree.iter()]
