"""A world in which every kind of change is due at once."""

from __future__ import annotations

import os
from pathlib import Path

from tests.flow.small_trees import make
from tests.flow.world import World

BEFORE = {
    "edited": "old text",
    "gone": "to be deleted",
    "old-name": "moved about",
    "log": "log 0",
    "log.1": "log 1",
    "log.2": "log 2",
    "swap-a": "one side",
    "swap-b": "the other side",
    "file": "becomes a directory",
    "directory/one": "becomes a file",
    "directory/two": "with it",
    "drifted": "as it was",
    "lost": "will vanish there",
    "mode": "made executable",
    "steady": "stays",
    "same-1": "twins",
    "same-2": "twins",
    "gone-both": "gone on both sides",
}
AFTER = {
    "edited": "new text",
    "new/deep/name": "moved about",
    "log": "log 3",
    "log.1": "log 0",
    "log.2": "log 1",
    "log.3": "log 2",
    "swap-a": "the other side",
    "swap-b": "one side",
    "file/one": "in it",
    "file/two": "and more",
    "directory": "file now",
    "drifted": "as it was",
    "lost": "will vanish there",
    "mode": "made executable",
    "steady": "stays",
    "same-1": "twins",
    "same-3": "twins",
    "fresh/empty": "",
    "fresh/new": "quite new",
    "adopted": "there already",
}


def ready(root: Path) -> World:
    """A world where every kind of action is due."""
    root.mkdir()
    world = World(root, options={"guard": {"max_delete": "off"}})
    make(world.src, BEFORE)
    world.apply()
    make(world.src, AFTER)
    (world.src / "mode").chmod(0o755)
    (world.out / "drifted").write_text("an edit there")
    (world.out / "lost").unlink()
    (world.out / "gone-both").unlink()
    world.write("adopted", "there already", world.out)
    world.write("stranger", "not ours", world.out)
    return world


def check_recovered(world: World) -> None:
    """One apply, without help, and all is as it should be; a second finds nothing."""
    world.settled()
    found = world.there()
    assert found.pop("stranger") == "not ours"
    assert found == AFTER
    assert os.access(world.out / "mode", os.X_OK)
