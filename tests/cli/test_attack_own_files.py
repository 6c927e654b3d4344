"""What is the program's own is nobody's content, wherever it lies; a layout that names nothing is a plan error."""

from __future__ import annotations

import pytest

SPEC = "version: 1\nstate: '{state}'\nmappings:\n  docs: {{source: ./docs, target: ./there, unmanaged: delete}}\n"


@pytest.mark.hazard("S07")
@pytest.mark.parametrize("state", ["there/state.db", "there/deep/[1].db", "there/state/reconcile.db"])
def test_a_state_inside_the_target_is_not_an_unmanaged_path(place, state):
    place.write("reconcile.yaml", SPEC.format(state=state))
    stray = place.write("there/stray", "not ours")
    for text in ("one", "two", "three"):
        place.write("docs/a.txt", text)
        place.ok("apply", "--auto-approve", "--allow", "deletes")
        assert (place.root / state).is_file()
        assert place.read("there/a.txt") == text
    assert not stray.exists()
    assert place.ok("plan").last.startswith("No changes.")


@pytest.mark.hazard("N08")
@pytest.mark.parametrize("layout", ["{suffix}", "{dir}/{name}"])
def test_a_layout_that_leaves_no_name_is_a_plan_error(place, layout):
    place.write("one/plain", "no suffix")
    place.write("reconcile.yaml", f"version: 1\nmappings:\n  d: {{source: one, target: there, layout: '{layout}'}}\n")
    told = place("plan")
    assert told.code == 1
    assert "would become" in told.err
