"""What waits for something that did not happen is held back, and says so."""

from __future__ import annotations

from pathlib import Path

from tests.flow.world import World


def test_a_writer_waits_for_its_reader(tmp_path: Path) -> None:
    """b moved to c, and a new b came: as long as c has not its content, the old b is not overwritten."""
    world = World(tmp_path)
    world.put(b="the old b", keep="k")
    world.settled()
    world.move("b", "c")
    world.put(b="a new b, longer")
    plan = world.plan(pinned=True)
    assert world.told(plan) == ["update b", "move c<b"]
    (world.out / "c").mkdir()
    (world.out / "c" / "foreign").write_text("in the way")
    result = world.apply(plan)
    assert {one.key: one.outcome for one in result.outcomes}["b"] == "held"
    assert world.there()["b"] == "the old b"
    assert result.exit_code == 7


def test_a_saved_plan_is_applied_in_another_checkout(tmp_path: Path) -> None:
    """The digest is what a plan is bound to: the same bytes under other times and inodes are the same source."""
    world = World(tmp_path)
    world.put(a="one", b="two")
    plan = world.plan(pinned=True)
    for name in ("a", "b"):
        text = (world.src / name).read_text()
        world.remove(name)
        world.write(name, text)
    assert world.apply(plan).exit_code == 0
    assert world.there() == {"a": "one", "b": "two"}
