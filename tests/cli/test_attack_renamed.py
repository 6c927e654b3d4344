"""A mapping that was renamed or removed is forgotten, and the plan says so."""

from __future__ import annotations


def test_a_renamed_mapping_is_told_as_an_orphaned_scope(place):
    place.applied()
    place.write("reconcile.yaml", "version: 1\nmappings:\n  other: {source: ./docs, target: ./there}\n")
    assert "orphaned scope: 3 paths of ./docs" in place.ok("plan").out
    place.ok("state", "mv", "docs", "other")
    assert "orphaned" not in place.ok("plan").out
