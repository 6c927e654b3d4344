"""`graph`: the order of actions, in three languages."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest


@pytest.fixture
def changed(place):
    """Two files change names, one comes, one goes."""
    place.applied()
    docs = place.root / "docs"
    (docs / "a.txt").rename(docs / "swap")
    (docs / "b.txt").rename(docs / "a.txt")
    (docs / "swap").rename(docs / "b.txt")
    (docs / "sub/c.txt").unlink()
    place.write("docs/new.txt", "new")
    return place


def test_nothing_to_draw(place):
    place.applied()
    assert place.ok("graph").out.splitlines()[0] == "digraph plan {"
    assert place.ok("graph", "--format", "mermaid").out == "flowchart LR\n"
    ET.fromstring(place.ok("graph", "--format", "svg").out)


def test_deletes_wait_for_all_the_rest(changed):
    (band,) = changed.ok("graph", "--json").json["mappings"]
    layers = {node["label"]: node["layer"] for node in band["nodes"]}
    assert layers["+ new.txt"] == 0
    assert layers["- sub/c.txt"] == max(layers.values()) > layers["all of these first"] > 0


@pytest.mark.parametrize(
    ("form", "said"),
    [("dot", '[label="> a.txt (from b.txt)"]'), ("mermaid", '["#62; a.txt (from b.txt)"]'), ("svg", "- sub/c.txt")],
)
def test_each_form(changed, form, said):
    assert said in changed.ok("graph", "--format", form).out


def test_a_picture_of_one_mapping_only(changed):
    assert changed("graph", "--mapping", "papers").code == 1
    assert changed.ok("graph", "--path", "new.txt").out.count("[label=") == 1
